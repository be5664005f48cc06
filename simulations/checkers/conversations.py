"""What two mailboxes say of one conversation, read side by side."""

from collections.abc import Iterator

from msgspec import Struct

from protocol.mailbox import Contact, ContactState, Message
from simulations.host import PersonHost
from simulations.world import World


class Side(Struct, frozen=True):
    """One person's view of a conversation."""

    person: PersonHost
    contact: Contact
    messages: list[Message]

    @property
    def name(self) -> str:
        return self.person.name


def conversations(world: World) -> Iterator[tuple[Side, Side]]:
    """Both sides of each conversation that has two; the inviter's first. Two who invite each other have two of them."""
    sides: dict[tuple[bytes, bytes, bool], Side] = {}
    for person in world.people:
        with person.disk.look() as tx:
            profile = tx.profile.get(1)
            assert profile is not None
            for contact in tx.contacts.find():
                if contact.state is not ContactState.REFUSED:
                    messages = tx.messages.find(contact=contact.id)
                    sides[profile.identity, contact.identity, contact.inviter] = Side(person, contact, messages)
    for (own, other, inviter), side in sides.items():
        if inviter and (joiner := sides.get((other, own, False))) is not None:
            yield side, joiner


def one_sided(world: World) -> list[Side]:
    """Conversations that only one person knows of: a joiner's whose handshake has not come, or a race's loser's."""
    found = {(id(side.person), side.contact.id) for pair in conversations(world) for side in pair}
    alone: list[Side] = []
    for person in world.people:
        with person.disk.look() as tx:
            alone += [
                Side(person, contact, tx.messages.find(contact=contact.id))
                for contact in tx.contacts.find()
                if (id(person), contact.id) not in found
            ]
    return alone
