"""Nothing is lost, nothing is shown twice: what one side wrote is what the other side shows (Spec 6)."""

from protocol.envelope.envelope import envelope_digest, parse_envelope
from protocol.mailbox import ContactState, MessageState, PeerRoute, RouteState
from simulations.checkers import Violation
from simulations.checkers.conversations import Side, conversations, one_sided
from simulations.host import PersonHost
from simulations.script import FaultKind
from simulations.world import World, text_of


def all_delivered(world: World) -> bool:
    """Whether every node knows of each of its messages that it has arrived; cheap enough to ask often."""
    excluded = f"{ContactState.WAITING.value}, {ContactState.REFUSED.value}"
    for person in world.people:
        waiting = person.disk.connection.execute(
            "SELECT 1 FROM messages m JOIN contacts c ON c.id = m.contact"
            f" WHERE m.mine = 1 AND m.state < 3 AND c.state NOT IN ({excluded}) LIMIT 1"
        ).fetchone()
        if waiting is not None:
            return False
    if any(side.contact.state is ContactState.WAITING for pair in conversations(world) for side in pair):
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
    """Whether one person alone may know of a contact: the loser of a race, or one whose handshake was thrown away."""
    if side.contact.state is not ContactState.WAITING:
        return side.contact.state is ContactState.REFUSED
    return _is_withheld(world, side) or (world.fired[FaultKind.OLD_DISK] > 0 and _lost_race(world, side))


def _is_withheld(world: World, side: Side) -> bool:
    """Whether each relay to which the handshake can go threw it away, and takes it for a repetition from now on."""
    with side.person.disk.look() as tx:
        handshakes = tx.envelopes.find(contact=side.contact.id, index=0)
        routes = [route for route in tx.routes.find(contact=side.contact.id) if route.state is not RouteState.REFUSED]
    bodies = [parse_envelope(row.envelope).body for row in handshakes]
    return any(all(_is_closed_to(world, route, body) for route in routes) for body in bodies)


def _is_closed_to(world: World, route: PeerRoute, body: bytes) -> bool:
    relay = world.relay_of(route.relay)
    if relay is None or relay.index in world.gone:
        return True
    return relay.keeps_back(envelope_digest(route.send_id, body))


def _lost_race(world: World, side: Side) -> bool:
    """Whether the inviter has somebody else's handshake of this invitation.

    A relay that went back in time has again the queue which the inviter dropped: the loser waits there for nobody.
    """
    inviter, joiner = world.person_of(side.contact.identity), side.person.index
    races = [joiners for one, joiners in world.met if one == inviter.index and joiner in joiners]
    return any(_knows(inviter, world.people[other]) for joiners in races for other in joiners if other != joiner)


def _knows(one: PersonHost, other: PersonHost) -> bool:
    with one.disk.look() as tx, other.disk.look() as of_other:
        profile = of_other.profile.get(1)
        assert profile is not None
        return bool(tx.contacts.find(identity=profile.identity))


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
