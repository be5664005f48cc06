"""One connection: a reader, one writer, and the link between them (Spec 7 §4, §5).

The reader stops while 16 of its frames are unhandled or much is still to be sent to its peer, so whoever asks faster
than it listens waits for itself. The writer packs whatever has been queued since it last looked: replies of one batch
leave in one frame, under one signature. Where the link has ticks of its own the writer wakes for them.
"""

import logging
import math
from collections.abc import Callable
from typing import Any

import trio

from node.transport.contract import Ended, FrameStream
from protocol.errors import Code, PeerError
from protocol.events import Closed, Event, Opened, Received
from protocol.keys import SHARED, Connection, Group, RelayKey
from protocol.limits import MAX_QUEUED_COMMAND_BYTES, MAX_UNHANDLED_FRAMES
from protocol.link.link import Link
from protocol.traffic.policies import Stream
from protocol.wire.commands import Command

log = logging.getLogger(__name__)

MOST_UNSENT_BYTES = MAX_QUEUED_COMMAND_BYTES // 2
"""Above this the reader waits. A node's deposits in flight are less, so two ends never wait for each other."""


class LiveConnection:
    """Numbered by the runtime; `put` hands events to the core. `tick` is due now and then: nothing here has a timer."""

    __slots__ = (
        "_established", "_frames", "_group", "_link", "_may_read", "_nursery", "_put", "_relay", "_sending_since",
        "_sent", "_something_to_send", "_unhandled", "_write_seconds", "failure", "number", "opened",
    )  # fmt: skip

    def __init__(
        self,
        number: Connection,
        frames: FrameStream,
        link: Link[Any],
        relay: RelayKey | None,
        put: Callable[[Event], None],
        established: Callable[[], object],
        write_seconds: float,
        group: Group = SHARED,
        sent: Callable[[int, bool], object] | None = None,
    ) -> None:
        """`sent` is told of each frame that the transport has taken: its bytes, and whether anything was in it."""
        self.number = number
        self.opened = False
        self.failure: PeerError | Ended | None = None  # why it ended, once it has; None: somebody here wanted it so
        self._frames = frames
        self._link = link
        self._relay = relay
        self._group = group
        self._put = put
        self._established = established
        self._write_seconds = write_seconds
        self._sent = sent
        self._unhandled = 0
        self._sending_since = math.inf
        self._nursery: trio.Nursery | None = None
        self._something_to_send = trio.Event()
        self._may_read = trio.Event()

    @property
    def queued_bytes(self) -> int:
        """Of commands that wait to be packed."""
        return self._link.queued_bytes

    def queue(self, command: Command, stream: Stream = Stream.PAYLOAD) -> None:
        """Packed when the writer runs next: call `flush` after the last of a batch."""
        try:
            self._link.queue(command, stream)
        except PeerError as error:
            self.end(error)

    def flush(self) -> None:
        """Let the writer run."""
        self._something_to_send.set()

    def handled(self, frames: int) -> None:
        """So many frames of this connection have been handled and committed."""
        self._unhandled -= frames
        self._may_read.set()

    def end(self, failure: PeerError | None) -> None:
        """Close it, telling the peer why."""
        if self.failure is None:
            self.failure = failure
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()

    def tick(self, now: float) -> None:
        """Send a keep-alive if one is due; end it if the peer is silent or does not take what it is sent."""
        if now >= self._link.next_wake:
            try:
                self._link.tick(now)
            except PeerError as error:
                self.end(error)
            self.flush()
        if now >= self._sending_since + self._write_seconds:
            self.end(PeerError(Code.SILENT, "a frame was not taken in time"))

    async def run(self) -> None:
        """From the first handshake message to the last frame. Does not raise; `failure` then says why it ended."""
        failures: list[Exception] = []
        try:
            async with trio.open_nursery() as self._nursery:
                self._nursery.start_soon(self._write)
                await self._read()
        except* Exception as group:  # noqa: BLE001 - containment: a fault met by one peer's bytes is told to that peer
            failures += _leaves(group)
        finally:
            if self.failure is None and failures:
                self.failure = _blame(failures)
            if self.opened:
                self._put(Closed(self.number))
            await self._frames.close(self.failure.code if isinstance(self.failure, PeerError) else None)

    async def _read(self) -> None:
        link = self._link
        while True:
            commands = link.receive(await self._frames.receive(), trio.current_time())
            if not self.opened:
                self.opened = link.established
                if self.opened:
                    self._established()
                    self._put(Opened(self.number, self._relay, link.handshake_hash, self._group))
                self.flush()
            elif link.next_frame != math.inf:
                self.flush()  # it may have been told of a rhythm just now
            if commands:
                self._unhandled += 1
                self._put(Received(self.number, tuple(commands)))
            while self._unhandled >= MAX_UNHANDLED_FRAMES or link.queued_bytes > MOST_UNSENT_BYTES:
                self._may_read = trio.Event()
                await self._may_read.wait()

    async def _write(self) -> None:
        link = self._link
        while True:
            self._something_to_send = trio.Event()
            while (frame := link.transmit(trio.current_time())) is not None:
                self._sending_since = trio.current_time()
                await self._frames.send(frame)
                self._sending_since = math.inf
                if self._sent is not None:
                    self._sent(len(frame), link.real)
                link.taken(trio.current_time())
                self._may_read.set()
            if (next_frame := link.next_frame) == math.inf:
                await self._something_to_send.wait()
            else:
                with trio.move_on_at(next_frame):
                    await self._something_to_send.wait()


def _leaves(group: BaseExceptionGroup[Any]) -> list[Exception]:
    found: list[Exception] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def _blame(failures: list[Exception]) -> PeerError | Ended:
    """What of it counts: our own fault first, then the peer's, then the network's."""
    for error in failures:
        if not isinstance(error, PeerError | Ended):
            log.error("a connection met a fault of ours", exc_info=error)
            return PeerError(Code.INTERNAL)
    peers = [error for error in failures if isinstance(error, PeerError)]
    ends = [error for error in failures if isinstance(error, Ended)]
    return (peers or ends)[0]
