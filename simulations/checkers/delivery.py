"""Nothing is lost, nothing is shown twice: what one side wrote is what the other side shows (Spec 6)."""

from protocol.envelope.envelope import parse_envelope
from protocol.mailbox import ContactState, MessageState, RouteState
from simulations.checkers import Violation
from simulations.checkers.conversations import Side, conversations, one_sided
from simulations.host import PersonHost
from simulations.script import FaultKind
from simulations.world import World, text_of


def all_delivered(world: World) -> bool:
    """Whether every node knows of each of its messages that it has arrived; cheap enough to ask often."""
    on_their_way = [(person.index, contact, state) for person in world.people for contact, state in _unsettled(person)]
    if any(state is not ContactState.WAITING for _, _, state in on_their_way):
        return False
    alone = one_sided(world)
    if not all(_may_wait(world, side) for side in alone):
        return False
    excused = {(side.person.index, side.contact.id) for side in alone}
    return all((person, contact) in excused for person, contact, _ in on_their_way)


def _unsettled(person: PersonHost) -> list[tuple[int, ContactState]]:
    """Contacts to whom a message is on its way that is not known to have arrived."""
    found = person.disk.connection.execute(
        "SELECT DISTINCT c.id, c.state FROM messages m JOIN contacts c ON c.id = m.contact"
        " WHERE m.mine = 1 AND m.state < 3 AND c.state <> ?",
        (ContactState.REFUSED.value,),
    )
    return [(contact, ContactState(state)) for contact, state in found]


def check_delivery(world: World) -> None:
    """After everything has healed. Raises Violation."""
    said: set[str] = set()
    for pair in conversations(world):
        for side, other in (pair, pair[::-1]):
            _check_direction(side, other)
            said.update(message.text for message in side.messages if message.mine)
    for line in world.accepted.values():
        if text_of(line) not in said:
            sender = world.people[line.sender].name
            raise Violation("delivery", f"{sender}'s node accepted message {line.number}, and has it no more")
    for side in one_sided(world):
        if not _may_wait(world, side):
            raise Violation("delivery", f"{side.name} still waits for {side.contact.name}, who knows of nothing")


def _may_wait(world: World, side: Side) -> bool:
    """Whether one person alone may know of a contact: the loser of a race, or one whose handshake was thrown away.

    A relay that went back in time has again the queue which the inviter dropped: the loser waits there for nobody.
    """
    if side.contact.state is ContactState.REFUSED or _lost_handshake(world, side):
        return True
    inviter = world.person_of(side.contact.identity).index
    lost_race = any(inviter == one and side.person.index in joiners for one, joiners in world.met)
    return lost_race and world.fired[FaultKind.OLD_DISK] > 0


def _lost_handshake(world: World, side: Side) -> bool:
    """Whether what would have made this contact known to the other one was lost wherever it may go (Spec 6 §1).

    It is repeated on each route in turn, but a relay that remembers it does not store it twice, and one may be gone.
    """
    if side.contact.state is not ContactState.WAITING:
        return False
    with side.person.disk.look() as tx:
        handshakes = [row.envelope for row in tx.envelopes.find(contact=side.contact.id) if row.index == 0]
        routes = [row for row in tx.routes.find(contact=side.contact.id) if row.state is not RouteState.REFUSED]
    bodies = {parse_envelope(envelope).body for envelope in handshakes if envelope}
    relays = [world.relay_of(route.relay) for route in routes]
    return all(relay is None or relay.index in world.gone or bodies & relay.thrown_away for relay in relays)


def _check_direction(sender: Side, reader: Side) -> None:
    where = f"from {sender.name} to {reader.name}"
    mine = {message.message_id: message for message in sender.messages if message.mine}
    theirs = {message.message_id: message for message in reader.messages if not message.mine}
    for message_id, message in mine.items():
        shown = theirs.get(message_id)
        if shown is None:
            raise Violation("delivery", f"{message.text[:40]!r} {where} is lost ({message.state.name.lower()})")
        if shown.change is None:
            raise Violation("delivery", f"{message.text[:40]!r} {where} is there and never shown")
        if shown.text != message.text:
            raise Violation("delivery", f"{message.text[:40]!r} {where} arrived as {shown.text[:40]!r}")
        if message.state is not MessageState.DELIVERED:
            raise Violation("delivery", f"{message.text[:40]!r} {where} arrived, and is {message.state.name.lower()}")
    for message_id, message in theirs.items():
        if message_id not in mine:
            raise Violation("delivery", f"{message.text[:40]!r} {where} was shown, and never written")
    unread = sum((message.change or 0) > reader.contact.seen_change for message in theirs.values())
    if unread != reader.contact.unread:
        raise Violation("delivery", f"{reader.name} has {unread} messages unread, and is told {reader.contact.unread}")
    texts = [message.text for message in theirs.values()]
    if len(set(texts)) < len(texts):
        raise Violation("delivery", f"a text {where} is shown twice")
