"""A contact that means harm: it holds a session and routes like any other, and sends what no honest node would.

Its honest traffic goes on beside, and must not suffer; nor may anybody else's.
"""

import random

from msgspec import msgpack

from protocol.envelope.envelope import parse_envelope, seal_envelope
from protocol.envelope.items import Fragment, Received, encode_item, pad_items
from protocol.errors import StoreError
from protocol.keys import MessageId, Request
from protocol.limits import BODY_BYTES, CHUNK_BYTES, MAX_FRAGMENTS, PAYLOAD_BYTES
from protocol.mailbox import PeerRoute, RouteState, Session
from protocol.session import ratchet
from protocol.session.ratchet import Ratchet
from protocol.wire.commands import Deposit
from simulations.host import PersonHost
from simulations.network import End
from simulations.script import FaultKind

_ratchets = msgpack.Decoder(Ratchet)


class Malice:
    """What one person does to one contact, over the connections that the node has."""

    def __init__(self, person: PersonHost, contact: int, chance: random.Random) -> None:
        self._person = person
        self._contact = contact
        self._chance = chance

    def carry_out(self, kind: FaultKind, amount: int) -> int:
        """How many envelopes left; 0 where no route is open, or the disk full."""
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

    def _deposit(self, route: PeerRoute, end: End, body: bytes) -> None:
        envelope, _ = seal_envelope(self._person.suite, route.key, route.send_id, body)
        end.link.queue(Deposit(Request(self._person.request_beside()), envelope))
        end.flush()
