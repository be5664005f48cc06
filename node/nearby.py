"""Contacts on the local network: a direct route as soon as they are found, and until they are gone."""

from collections.abc import Awaitable, Callable, Sequence

import trio

from node.discovery import local_network
from node.discovery.local_network import Host, LocalNetwork
from node.runtime import Running
from node.store.rows import NearbyRow
from node.transport.contract import FrameStream, Use
from protocol.crypto.suite import RealSuite
from protocol.discovery.sightings import Dial
from protocol.discovery.tags import session_key
from protocol.entropy import Entropy
from protocol.errors import WorldError
from protocol.keys import PairSecret, RelayKey, SendId, SigningKey
from protocol.link.responder import ResponderLink
from protocol.timing import Timing

READ_SECONDS = 2.0
"""How often the mailbox is looked at for new secrets, while it changes."""

_suite = RealSuite()


class _Way:
    def __init__(self, wish: Dial) -> None:
        self.wish = wish
        self.taken = trio.Event()
        self.over = trio.Event()


class Nearby:
    """Between the local network, the personal machine that dials, and the relay inside that is dialled."""

    def __init__(self, entropy: Entropy, timing: Timing, key: SigningKey, inside: Running) -> None:
        self._entropy = entropy
        self._timing = timing
        self._key = key
        self._inside = inside
        self._running: Running | None = None
        self._rows: dict[int, NearbyRow] = {}
        self._queues: dict[bytes, frozenset[SendId]] = {}
        self._ways: dict[RelayKey, _Way] = {}
        self._dialled: dict[int, RelayKey] = {}
        host = Host(self._secrets, self._met, self._found, self._lost)
        self._network = LocalNetwork(entropy, timing, host)

    async def run(self, running: Running, read: Callable[[], Awaitable[Sequence[NearbyRow]]]) -> None:
        """Until cancelled."""
        self._running = running
        async with trio.open_nursery() as nursery:
            self._take(await read())
            nursery.start_soon(self._network.run)
            while True:
                await running.changes.after(running.changes.latest)
                await trio.sleep(READ_SECONDS)
                self._take(await read())

    def contacts(self) -> frozenset[int]:
        """To whom what is said goes over the local network now: a session that this node dialled there stands."""
        running = self._running
        if running is None:
            return frozenset()
        states = {contact: running.state_of(relay) for contact, relay in self._dialled.items()}
        return frozenset(contact for contact, state in states.items() if state and state.state == "connected")

    def psk_of(self, relay: RelayKey) -> bytes | None:
        """On what the session rests that is about to be dialled."""
        way = self._ways.get(relay)
        return session_key(_suite, way.wish.secret) if way is not None else None

    def knows(self, relay: RelayKey) -> bool:
        """Whether a host is on a local network now, and not dialled there yet."""
        return relay in self._ways

    async def connect(self, relay: RelayKey, use: Use) -> None:
        """Raises WorldError."""
        way = self._ways[relay]
        way.taken.set()

        async def used(frames: FrameStream) -> None:
            self._dialled[way.wish.contact] = relay
            await use(frames)

        try:
            await local_network.dial(way.wish, used)
        finally:
            self._dialled.pop(way.wish.contact, None)
            if self._ways.get(relay) is way:
                del self._ways[relay]
            way.over.set()
            if self._running is not None:
                self._running.gone(relay)

    def _take(self, rows: Sequence[NearbyRow]) -> None:
        self._rows = {row.contact: row for row in rows}
        # A secret that was replaced stays good for the announcements that are tagged with it.
        self._queues |= {row.own: frozenset(SendId(one) for one in row.send_ids) for row in rows}
        for secret in list(self._queues)[: max(0, len(self._queues) - 2 * len(rows))]:
            del self._queues[secret]
        self._network.know(
            {row.contact: [PairSecret(one) for one in row.theirs] for row in rows if row.relay is not None}
        )

    def _secrets(self) -> Sequence[PairSecret]:
        return [PairSecret(row.own) for row in self._rows.values()]

    async def _met(self, frames: FrameStream, secret: PairSecret) -> None:
        psk, reaches = session_key(_suite, secret), self._queues.get(secret, frozenset())
        link = ResponderLink(_suite, self._entropy, self._timing, self._key, frames.opened_at, psk=psk, reaches=reaches)
        await self._inside.carry(frames, link)

    async def _found(self, wish: Dial) -> None:
        row = self._rows.get(wish.contact)
        if row is None or row.relay is None or row.host is None or self._running is None:
            return
        relay = RelayKey(row.relay)
        way = self._ways[relay] = _Way(wish)
        self._running.found(relay, row.host)
        with trio.move_on_after(self._timing.dial_seconds):
            await way.taken.wait()
        if way.taken.is_set():
            await way.over.wait()
        elif self._ways.get(relay) is way:  # it is connected by another way
            del self._ways[relay]

    def _lost(self, contact: int) -> None:
        row = self._rows.get(contact)
        if row is not None and row.relay is not None and self._running is not None:
            self._running.hang_up(RelayKey(row.relay))


def refuse() -> None:
    """Raises WorldError: what `NEARBY_HOST` means to who dials it."""
    raise WorldError("it is reached on a local network only, and is not near now")
