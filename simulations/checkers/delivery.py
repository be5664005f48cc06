"""Nothing is lost, nothing is shown twice: what one side wrote is what the other side shows (Spec 6)."""

from protocol.mailbox import ContactState, MessageState
from simulations.checkers import Violation
from simulations.checkers.conversations import Side, conversations, one_sided
from simulations.script import FaultKind
from simulations.world import World, text_of


def all_delivered(world: World) -> bool:
    """Whether every node knows of each of its messages that it has arrived; cheap enough to ask often."""
    lost = (ContactState.WAITING, ContactState.REFUSED) if world.fired[FaultKind.WITHHOLD] else (ContactState.REFUSED,)
    excluded = ", ".join(str(state.value) for state in lost)
    for person in world.people:
        waiting = person.disk.connection.execute(
            "SELECT 1 FROM messages m JOIN contacts c ON c.id = m.contact"
            f" WHERE m.mine = 1 AND m.state < 3 AND c.state NOT IN ({excluded}) LIMIT 1"
        ).fetchone()
        if waiting is not None:
            return False
    return all(_may_wait(world, side) for side in one_sided(world))


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
    if side.contact.state is ContactState.REFUSED or world.fired[FaultKind.WITHHOLD]:
        return True
    inviter = world.person_of(side.contact.identity).index
    lost_race = any(inviter == one and side.person.index in joiners for one, joiners in world.met)
    return lost_race and world.fired[FaultKind.OLD_DISK] > 0


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
