"""A contact that means harm: it holds a session and routes like any other, and sends what no honest node would.

Its honest traffic goes on beside, and must not suffer; nor may anybody else's.
"""

import random
from collections.abc import Callable
from typing import Any

from msgspec import msgpack

from protocol.crypto.proofs import claim_message, prove_message
from protocol.envelope.envelope import parse_envelope, seal_envelope
from protocol.envelope.items import Fragment, Received, encode_item, pad_items
from protocol.errors import StoreError
from protocol.keys import (
    MessageId,
    ReceiveId,
    RelayKey,
    Request,
    SenderKey,
    SendId,
    Sequence,
    SigningKey,
    Subscription,
)
from protocol.limits import BODY_BYTES, CHUNK_BYTES, MAX_FRAGMENTS, PAYLOAD_BYTES
from protocol.mailbox import PeerRoute, RouteState, Session
from protocol.session import ratchet
from protocol.session.ratchet import Ratchet
from protocol.wire.codec import encode
from protocol.wire.commands import Ack, Claim, Command, Deposit, Drop, Prove, Role, Settle, Subscribe
from simulations.host import PersonHost
from simulations.mischief import CheatingRelay
from simulations.network import End
from simulations.script import FaultKind

_ratchets = msgpack.Decoder(Ratchet)


class Malice:
    """What one person does to one contact, over the connections that the node has."""

    def __init__(
        self,
        person: PersonHost,
        contact: int,
        chance: random.Random,
        relays: Callable[[RelayKey], CheatingRelay | None],
        familiar: frozenset[ReceiveId],
    ) -> None:
        self._person = person
        self._relays = relays
        self._familiar = familiar
        """Queues of others in which this person may leave something, or might once."""
        self._contact = contact
        self._chance = chance

    def carry_out(self, kind: FaultKind, amount: int) -> int:
        """How many commands left; 0 where no route is open, or the disk full."""
        try:
            return self._carry_out(kind, amount)
        except StoreError:
            return 0

    def _carry_out(self, kind: FaultKind, amount: int) -> int:
        open_routes = self._open_routes()
        if not open_routes:
            return 0
        sent = 0
        for number in range(amount):
            route, end = self._chance.choice(open_routes)
            if end.closed:
                continue
            if kind is FaultKind.TRESPASSED:
                sent += self._trespass(end)
                continue
            if kind is FaultKind.BROKEN_OFF:
                self._break_off(route, end, self._sealed(self._chance.randbytes(PAYLOAD_BYTES)))
                sent += 1
                continue
            match kind:
                case FaultKind.MALFORMED:
                    body = self._sealed(self._chance.randbytes(PAYLOAD_BYTES))
                case FaultKind.HUGE:
                    body = self._sealed(self._part_of_something_endless(number))
                case FaultKind.FORGED:
                    body = self._chance.randbytes(BODY_BYTES)
                case _:
                    earlier = self._earlier_body()
                    if earlier is None:
                        return sent
                    body = earlier
            self._deposit(route, end, body)
            sent += 1
        return sent

    def _open_routes(self) -> list[tuple[PeerRoute, End]]:
        ends = {end.relay: end for end in self._person.ends.values() if end.opened and end.relay is not None}
        with self._person.disk.look() as tx:
            routes = tx.routes.find(contact=self._contact)
        return [(r, ends[r.relay]) for r in routes if r.state is RouteState.CLAIMED and r.relay in ends]

    def _sealed(self, payload: bytes) -> bytes:
        """Under the session's next number, which is then used up: what a node with a bug in it would send."""
        with self._person.disk.beside() as tx:
            session = tx.sessions.get(self._contact)
            assert session is not None
            state, body = ratchet.seal(
                self._person.suite, self._person.entropy, _ratchets.decode(session.ratchet), payload
            )
            tx.sessions.save(Session(self._contact, msgpack.encode(state)))
        return body

    def _part_of_something_endless(self, number: int) -> bytes:
        name = MessageId(self._chance.randbytes(16))
        chunk = self._chance.randbytes(CHUNK_BYTES)
        items = [encode_item(Received(0, 0, [])), encode_item(Fragment(name, number, MAX_FRAGMENTS, chunk))]
        return pad_items(items, PAYLOAD_BYTES)

    def _earlier_body(self) -> bytes | None:
        with self._person.disk.look() as tx:
            rows = tx.envelopes.find(contact=self._contact)
        rows = [row for row in rows if row.index > 0]
        return parse_envelope(self._chance.choice(rows).envelope).body if rows else None

    def _trespass(self, end: End) -> int:
        """Something about a queue of others, as who knows its names and none of its keys."""
        person, relay = self._person, self._relays(end.relay) if end.relay is not None else None
        if relay is None:
            return 0
        with person.disk.look() as tx:
            own = {queue.receive_id for queue in tx.queues.find()}
        strange = [queue for queue in relay.queues() if queue.receive_id not in own | self._familiar]
        if not strange:
            return 0
        queue = self._chance.choice(strange)
        request = Request(person.request_beside())
        key = person.suite.signing_key(self._chance.randbytes(32))
        command, what = self._forbidden(end, request, key, queue.receive_id, queue.send_id)
        person.forbidden[request] = f"{person.name} {what} at {relay.name}"
        end.link.queue(command)
        end.flush()
        return 1

    def _forbidden(
        self, end: End, request: Request, key: SigningKey, receive_id: ReceiveId, send_id: SendId
    ) -> tuple[Command, str]:
        suite = self._person.suite
        message = prove_message(end.link.handshake_hash, Role.RECIPIENT, receive_id)
        sender = SenderKey(key[32:])
        envelope, _ = seal_envelope(suite, key, send_id, self._chance.randbytes(BODY_BYTES))
        claim = suite.sign(key, claim_message(RelayKey(end.relay or b""), send_id, sender))
        return self._chance.choice(
            (
                (Subscribe(request, Subscription(2**31), receive_id), "was subscribed to a queue of others"),
                (Drop(request, receive_id), "dropped a queue of others"),
                (Settle(request, receive_id), "erased an invitation of others"),
                (Prove(request, receive_id, Role.RECIPIENT, suite.sign(key, message)), "proved a key that it has not"),
                (Deposit(request, envelope), "left an envelope in a queue of others"),
                (Claim(request, send_id, sender, claim), "claimed a queue of others"),
            )
        )

    def _break_off(self, route: PeerRoute, end: End, body: bytes) -> None:
        """Nothing of such a frame may be stored: a relay ends the connection. Two frames, so that they share a step."""
        envelope, digest = seal_envelope(self._person.suite, route.key, route.send_id, body)
        link: Any = end.link  # its own machine would not send what it cannot read itself
        link.queue(Ack(Subscription(2**31), Sequence(1)))
        end.flush()
        link.queue(Deposit(Request(self._person.request_beside()), envelope))
        nonsense = encode(Deposit(Request(self._person.request_beside()), b"nonsense"))
        link._waiting.append(nonsense)
        link.queued_bytes += len(nonsense)
        end.flush()
        self._person.broken_off.append((route.relay, digest))

    def _deposit(self, route: PeerRoute, end: End, body: bytes) -> None:
        envelope, _ = seal_envelope(self._person.suite, route.key, route.send_id, body)
        end.link.queue(Deposit(Request(self._person.request_beside()), envelope))
        end.flush()
