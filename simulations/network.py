"""Connections between hosts: two links joined by a stream each way, whole and in order, over paths that misbehave.

A stream loses nothing by itself: what a network loses, a stream shows as a reset or as a delay. What reaches a link out
of order, twice, or altered is somebody's doing, and the link must notice.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from enum import Enum, IntEnum, auto
from functools import partial
from typing import TYPE_CHECKING, Any

from protocol.errors import Code, PeerError
from protocol.events import Opened, Received
from protocol.keys import SHARED, Connection, Group, RelayKey
from protocol.limits import MAX_UNHANDLED_FRAMES
from protocol.link.link import Link
from protocol.wire.commands import Command

if TYPE_CHECKING:
    from simulations.engine import Engine
    from simulations.host import Host


class Kind(IntEnum):
    """Of what a trace notes."""

    FRAME = 1
    DIALLED = 2
    REFUSED = 3
    CLOSED = 4


class Harm(Enum):
    """What can happen to the next frame of a path; all of it ends the connection."""

    LOSE = auto()
    DUPLICATE = auto()
    CORRUPT = auto()
    SWAP = auto()
    """It is overtaken by the one behind it."""


class Path:
    """One direction between two hosts."""

    __slots__ = ("clogged_until", "cut", "draw", "harm", "held", "jitter", "latency", "overtaken")

    def __init__(self, latency: float, jitter: float, uniform: Callable[[], float]) -> None:
        self.latency = latency
        """Seconds."""
        self.jitter = jitter
        """The latency of a frame is longer by up to so much, as a fraction."""
        self.cut = False
        """Nothing arrives until it is mended; what was sent then arrives late."""
        self.clogged_until = 0.0
        self.harm: Harm | None = None
        self.held: list[tuple[End, Callable[[], None]]] = []
        self.overtaken: tuple[End, bytes] | None = None
        self.draw = uniform
        """A number in [0, 1)."""

    def delay(self, now: float) -> float:
        """Of what is sent now."""
        return max(self.latency * (1.0 + self.jitter * self.draw()), self.clogged_until - now)

    @property
    def longest(self) -> float:
        """Seconds that a frame takes at most where nothing is clogged."""
        return self.latency * (1.0 + self.jitter)


class End:
    """One end of a connection: a link, and the host that reads it."""

    __slots__ = (
        "_alarm", "_arrival", "_unhandled", "_unread", "closed", "group", "host", "link", "network", "number", "opened",
        "path", "peer", "relay", "watch_at",
    )  # fmt: skip

    def __init__(
        self, network: "Network", host: "Host", link: Link[Any], path: Path, relay: RelayKey | None,
        group: Group = SHARED,
    ) -> None:  # fmt: skip
        self.network = network
        self.host = host
        self.link = link
        self.path = path
        """Towards the peer."""
        self.relay = relay
        """Whom this end dialled."""
        self.group = group
        """And for what."""
        self.number: Connection = host.next_connection()
        self.peer: End | None = None
        self.opened = False
        self.closed = False
        self.watch_at = 0.0
        self._alarm = math.inf
        self._arrival = 0.0
        self._unhandled = 0
        self._unread: list[bytes] = []  # an empty deque takes 600 bytes

    def flush(self) -> None:
        """Put everything that waits on the wire."""
        now = self.network.engine.time
        while (frame := self.link.transmit(now)) is not None:
            self.network.carry(self, frame)
        if self.link.next_frame != self._alarm:
            self._alarm = self.link.next_frame
            if self._alarm != math.inf:
                self.network.engine.at(self._alarm, self._tick)

    def _tick(self) -> None:
        """A tick of the link's own has come."""
        if not self.closed:
            self.flush()

    def arrive(self, frame: bytes) -> None:
        """A frame from the peer; unread while the host has many of this connection to handle."""
        if self.closed:
            return
        self._unread.append(frame)
        self._read()

    def handled(self, frames: int) -> None:
        """So many frames of this connection have been handled and committed."""
        self._unhandled -= frames
        self._read()

    def _read(self) -> None:
        while self._unread and self._unhandled < MAX_UNHANDLED_FRAMES and not self.closed:
            try:
                commands = self.link.receive(self._unread.pop(0), self.network.engine.time)
            except PeerError as error:
                self.end(error.code)
                return
            if not self.opened and self.link.established:
                self.opened = True
                self.host.put(Opened(self.number, self.relay, self.link.handshake_hash, self.group))
                self.flush()
            elif not self.opened or self.link.next_frame != self._alarm:
                self.flush()
            if commands:
                self.hand_over(self.host.hear(self, commands))

    def hand_over(self, commands: Iterable[Command]) -> None:
        """What the machine is to see of this connection."""
        heard = tuple(commands)
        if heard and not self.closed:
            self._unhandled += 1
            self.host.put(Received(self.number, heard))

    def watch(self) -> None:
        """One timer a connection: keep-alives and silence."""
        if self.closed:
            return
        now = self.network.engine.time
        if now >= self.link.next_wake:
            try:
                self.link.tick(now)
            except PeerError as error:
                self.network.silenced(self)
                self.end(error.code)
                return
            self.flush()
        wake = self.link.next_wake if self._alarm == math.inf else self.link.silent_at  # frames have their own timer
        self.network.engine.at(self.host.next_tick(max(wake, now)), self.watch)

    def end(self, code: Code | None = None, *, silently: bool = False) -> None:
        """This end is closed; the peer hears of it, unless `silently`, as after a power cut."""
        if self.closed:
            return
        self.closed = True
        self._unread.clear()
        network, peer = self.network, self.peer
        if code is not None:
            network.accused[code] += 1
        network.engine.note(self.host.index, 0 if peer is None else peer.host.index, 0, Kind.CLOSED)
        self.host.ended(self, code)
        if peer is not None and not silently:
            network.deliver(self, partial(peer.end, None, silently=True))

    def arrival(self) -> float:
        """Of what is sent now: never before what was sent earlier."""
        now = self.network.engine.time
        self._arrival = max(self._arrival, now + self.path.delay(now))
        return self._arrival


class Network:
    """All paths, and what travels on them."""

    def __init__(
        self, engine: "Engine", latency: float, jitter: float, uniform: Callable[[int, int], Callable[[], float]]
    ) -> None:
        """`uniform(source, destination)` gives each path a stream of its own: more frames on one delay no other's."""
        self.engine = engine
        self.frames = 0
        self.bytes = 0
        self.observer: Callable[[End, bytes], None] | None = None
        self.harmed: Callable[[Harm], None] = lambda harm: None
        """Told when a harm has struck."""
        self.arrived_by = 0.0
        """When all has arrived that was sent before it was last mended."""
        self.accused: Counter[Code] = Counter()
        """For what connections were ended by one end because of the other."""
        self.silenced: Callable[[End], None] = lambda end: None
        """Told when an end hears nothing for too long."""
        self._paths: dict[tuple[int, int], Path] = {}
        self._latency, self._jitter, self._uniform = latency, jitter, uniform

    def path(self, source: int, destination: int) -> Path:
        """From one host to another."""
        found = self._paths.get((source, destination))
        if found is None:
            found = self._paths[source, destination] = Path(
                self._latency, self._jitter, self._uniform(source, destination)
            )
        return found

    def mend(self) -> None:
        """Every path is as it should be, and what was held arrives."""
        for path in self._paths.values():
            self.arrived_by = max(self.arrived_by, path.clogged_until, self.engine.time + path.longest)
            path.clogged_until, path.harm = 0.0, None
            if path.overtaken is not None:
                (end, late), path.overtaken = path.overtaken, None
                if end.peer is not None:
                    self.deliver(end, partial(end.peer.arrive, late))
            self.join(path)

    def join(self, path: Path) -> None:
        """A cut path is whole again."""
        path.cut = False
        held, path.held = path.held, []
        for end, action in held:
            self.deliver(end, action)

    def dial(self, host: "Host", relay: "Host", key: RelayKey, link: Link[Any], group: Group = SHARED) -> End | None:
        """A connection and its first message; None where nobody listens. The link is the dialler's."""
        there, back = self.path(host.index, relay.index), self.path(relay.index, host.index)
        if not relay.up:
            return None
        self.engine.note(host.index, relay.index, 0, Kind.DIALLED)
        ours = End(self, host, link, there, key, group)
        theirs = End(self, relay, relay.answer(self.engine.time), back, None)
        ours.peer, theirs.peer = theirs, ours
        relay.ends[theirs.number] = theirs
        self.engine.at(host.next_tick(link.next_wake), ours.watch)
        self.engine.at(relay.next_tick(theirs.link.next_wake), theirs.watch)
        return ours

    def carry(self, end: End, frame: bytes) -> None:
        """One frame on its way to the other end."""
        peer = end.peer
        assert peer is not None
        self.frames += 1
        self.bytes += len(frame)
        self.engine.note(end.host.index, peer.host.index, len(frame), Kind.FRAME)
        if self.observer is not None:
            self.observer(end, frame)
        if end.path.harm is not None or end.path.overtaken is not None:
            self._harm(end, peer, frame)
        else:
            self.deliver(end, partial(peer.arrive, frame))

    def deliver(self, end: End, action: Callable[[], None]) -> None:
        """At the other end of this one, in order, when the path lets it through."""
        if end.path.cut:
            end.path.held.append((end, action))
        else:
            self.engine.at(end.arrival(), action)

    def _harm(self, end: End, peer: End, frame: bytes) -> None:
        path = end.path
        if path.overtaken is not None:
            former, late = path.overtaken
            path.overtaken = None
            self.deliver(end, partial(peer.arrive, frame))
            if former is end:
                self.deliver(end, partial(peer.arrive, late))
            return
        harm, path.harm = path.harm, None
        assert harm is not None
        self.harmed(harm)
        match harm:
            case Harm.LOSE:
                self.engine.after(path.latency, partial(end.end, None))
            case Harm.DUPLICATE:
                self.deliver(end, partial(peer.arrive, frame))
                self.deliver(end, partial(peer.arrive, frame))
            case Harm.CORRUPT:
                at = int(path.draw() * len(frame))
                self.deliver(end, partial(peer.arrive, frame[:at] + bytes((frame[at] ^ 1,)) + frame[at + 1 :]))
            case Harm.SWAP:
                path.overtaken = end, frame
