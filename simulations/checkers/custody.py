"""What a relay took it keeps, once, until its recipient has it, and no longer; its counters say what it holds (Spec 8).

A sender would repair nearly all of this by sending anew, so no lost message shows it: relays are looked into instead.
"""

from collections.abc import Iterator

from msgspec import msgpack

from protocol.crypto.suite import RealSuite
from protocol.delivery.queues import LISTENED_TO
from protocol.envelope.envelope import parse_envelope
from protocol.errors import Code, PeerError
from protocol.keys import RelayKey
from protocol.limits import MAX_OLD_HEADER_KEYS
from protocol.mailbox import ContactState, QueueState
from protocol.session.ratchet import Ratchet, open_body
from simulations.checkers import Violation
from simulations.host import PersonHost
from simulations.mischief import CheatingRelay
from simulations.script import FaultKind
from simulations.toy import ToySuite
from simulations.world import World

_ratchets = msgpack.Decoder(Ratchet)
_ENTRIES_OF_A_QUEUE = 2**32
_KEPT_DIGEST_BYTES = 16
_BOOKS = f"""
    SELECT q.number, q.stored, q.markers, q.sequence - (q.sender_key IS NOT NULL),
        coalesce(e.stored, 0), coalesce(e.markers, 0), (SELECT count(*) FROM digests d WHERE d.queue = q.number)
    FROM queues q LEFT JOIN (
        SELECT place / {_ENTRIES_OF_A_QUEUE} AS queue, sum(counted = 1) AS stored, sum(counted = 0) AS markers
        FROM entries GROUP BY queue
    ) e ON e.queue = q.number
"""
_LEFT_BEHIND = f"SELECT count(*) FROM entries WHERE place / {_ENTRIES_OF_A_QUEUE} NOT IN (SELECT number FROM queues)"
_UNDER_CUSTODY = """
    SELECT e.envelope, r.relay, k.identity FROM envelopes e
    JOIN routes r ON r.id = e.route JOIN contacts k ON k.id = e.contact
    WHERE e.stored_at IS NOT NULL AND e."index" > 0 AND k.state = ?
"""
_ENTRIES = f"""
    SELECT e.body FROM queues q JOIN entries e
    ON e.place BETWEEN q.number * {_ENTRIES_OF_A_QUEUE} AND (q.number + 1) * {_ENTRIES_OF_A_QUEUE} - 1
    WHERE q.send_id = ? AND e.counted = 1
"""


def check_books(world: World) -> None:
    """At any time. Raises Violation."""
    for relay in world.relays:
        run = relay.disk.connection.execute
        for number, stored, markers, appended, envelopes, marks, digests in run(_BOOKS).fetchall():
            if (stored, markers) != (envelopes, marks):
                text = f"{stored} envelopes and {markers} markers, and has {envelopes} and {marks}"
                raise Violation("custody", f"{relay.name} counts in queue {number} {text}")
            if appended > digests and not world.fired[FaultKind.QUEUE_FULL]:
                raise Violation("custody", f"{relay.name} stored {appended} envelopes for {digests} digests")
        left = run(_LEFT_BEHIND).fetchone()[0]
        if left:
            raise Violation("custody", f"{relay.name} has {left} entries of queues that are gone")


def check_custody(world: World) -> None:
    """What an honest relay signed for lies there, or its recipient has opened it. Raises Violation.

    Where a contact left one body in two queues, the recipient remembers the other's digest: that says nothing. Nor does
    what came so late that its keys are forgotten (Spec 4 §5): it is sealed anew.
    """
    if world.fired[FaultKind.REPLAYED]:
        return
    for sender in world.people:
        rows = sender.disk.connection.execute(_UNDER_CUSTODY, (ContactState.ACTIVE,)).fetchall()
        for data, key, identity in rows:
            relay, reader = world.relay_of(RelayKey(key)), world.person_of(identity)
            if relay is None or relay.index in world.distrusted or relay.index in world.gone:
                continue
            envelope = parse_envelope(data)
            if not _stands(relay, envelope.send_id) or (data,) in _entries(relay, envelope.send_id):
                continue
            if not _has_opened(reader, envelope.digest) and _can_open(world, sender, reader, envelope.body):
                text = f"took custody of an envelope of {sender.name}, and has it no more; {reader.name} never had it"
                raise Violation("custody", f"{relay.name} {text}")


def all_erased(world: World) -> bool:
    """Whether no relay keeps what its recipient has opened, nor an invitation that was used."""
    return next(_kept_too_long(world), None) is None


def check_erased(world: World) -> None:
    """After everything has healed. Raises Violation."""
    kept = next(_kept_too_long(world), None)
    if kept is not None:
        raise Violation("custody", kept)


def check_fetched(world: World) -> None:
    """Once nothing moves any more: what a relay still has nobody will ever ask for. Raises Violation."""
    for person in world.people:
        with person.disk.look() as tx:
            queues = [queue for queue in tx.queues.find() if queue.state in LISTENED_TO and queue.contact is not None]
        for queue in queues:
            relay = world.relay_of(queue.relay)
            if relay is None or relay.index in world.gone:
                continue
            if left := len(_entries(relay, queue.send_id)):
                raise Violation("custody", f"{relay.name} has {left} envelopes that {person.name} never fetches")


def _kept_too_long(world: World) -> Iterator[str]:
    for person in world.people:
        with person.disk.look() as tx:
            queues = [queue for queue in tx.queues.find(state=QueueState.READY) if queue.contact is not None]
        for queue in queues:
            relay = world.relay_of(queue.relay)
            if relay is None or relay.index in world.gone:
                continue
            opened = [body for (body,) in _entries(relay, queue.send_id)]
            if any(_has_opened(person, parse_envelope(body).digest) for body in opened):
                yield f"{relay.name} still has an envelope that {person.name} has opened"
            if relay.index not in world.distrusted and _is_sealed(relay, queue.send_id):
                yield f"{relay.name} still has an invitation of {person.name} that was used"


def _stands(relay: CheatingRelay, send_id: bytes) -> bool:
    return relay.disk.connection.execute("SELECT 1 FROM queues WHERE send_id = ?", (send_id,)).fetchone() is not None


def _entries(relay: CheatingRelay, send_id: bytes) -> list[tuple[bytes]]:
    return relay.disk.connection.execute(_ENTRIES, (send_id,)).fetchall()


def _is_sealed(relay: CheatingRelay, send_id: bytes) -> bool:
    query = "SELECT 1 FROM links JOIN queues ON queues.number = links.queue WHERE queues.send_id = ?"
    return relay.disk.connection.execute(query, (send_id,)).fetchone() is not None


def _has_opened(reader: PersonHost, digest: bytes) -> bool:
    query = "SELECT 1 FROM seen WHERE digest = ? LIMIT 1"
    return reader.disk.connection.execute(query, (digest[:_KEPT_DIGEST_BYTES],)).fetchone() is not None


def _can_open(world: World, sender: PersonHost, reader: PersonHost, body: bytes) -> bool:
    """Without leaving a trace of it."""
    suite = RealSuite() if world.script.real_crypto else ToySuite()
    with sender.disk.look() as tx:
        identity = tx.profile.get(1).identity
    with reader.disk.look() as tx:
        contact = max(found.id for found in tx.contacts.find(identity=identity))
        session = tx.sessions.get(contact)

        def skipped(turn: int, number: int) -> bytes | None:
            row = tx.skipped.get(contact, turn, number)
            return row.key if row is not None else None

        ratchet = _ratchets.decode(session.ratchet)
        try:
            open_body(suite, ratchet, body, skipped)
        except PeerError as error:
            return error.code is not Code.UNREADABLE or len(ratchet.old) < MAX_OLD_HEADER_KEYS
    return True
