"""One connection: a reader, one writer, and the link between them (Spec 7 §4, §6).

The reader stops while 16 of its frames are unhandled or much is still to be sent to its peer, so whoever asks faster
than it listens waits for itself. The writer packs whatever has been queued since it last looked: replies of one batch
leave in one frame, under one signature.
"""

from collections.abc import Callable
from typing import Any

import trio

from node.transport.contract import Ended, FrameStream
from protocol.errors import Code, PeerError
from protocol.events import Closed, Event, Opened, Received
from protocol.keys import Connection, RelayKey
from protocol.limits import MAX_QUEUED_COMMAND_BYTES, MAX_UNHANDLED_FRAMES
from protocol.link.link import Link
from protocol.wire.commands import Command

MOST_UNSENT_BYTES = MAX_QUEUED_COMMAND_BYTES // 2
"""Above this the reader waits. A node's deposits in flight are less, so two ends never wait for each other."""


class LiveConnection:
    """Numbered by the runtime; `put` hands events to the core."""

    def __init__(
        self,
        number: Connection,
        frames: FrameStream,
        link: Link[Any],
        relay: RelayKey | None,
        put: Callable[[Event], None],
        established: Callable[[], object],
        write_seconds: float,
    ) -> None:
        self.number = number
        self.opened = False
        self.failure: PeerError | Ended | None = None
        """Why it ended, once it has; None: somebody here wanted it so."""
        self._frames = frames
        self._link = link
        self._relay = relay
        self._put = put
        self._established = established
        self._write_seconds = write_seconds
        self._unhandled = 0
        self._scope = trio.CancelScope()
        self._something_to_send = trio.Event()
        self._may_read = trio.Event()

    def queue(self, command: Command) -> None:
        """Packed when the writer runs next: call `flush` after the last of a batch."""
        try:
            self._link.queue(command)
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
        self._scope.cancel()

    async def run(self) -> None:
        """From the first handshake message to the last frame. Does not raise; `failure` then says why it ended."""
        failures: list[PeerError | Ended] = []
        try:
            with self._scope:
                try:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self._write)
                        await self._read()
                except* (PeerError, Ended) as group:
                    failures += _leaves(group)
        finally:
            if self.failure is None and failures:
                self.failure = failures[0]
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
                    self._put(Opened(self.number, self._relay, link.handshake_hash))
                self.flush()
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
            now = trio.current_time()
            link.tick(now)
            frame = link.transmit(now)
            if frame is None:
                with trio.move_on_at(link.next_wake):
                    await self._something_to_send.wait()
                continue
            with trio.CancelScope(deadline=now + self._write_seconds) as scope:
                await self._frames.send(frame)
            if scope.cancelled_caught:
                raise PeerError(Code.SILENT, "a frame was not taken in time")
            self._may_read.set()


def _leaves(group: BaseExceptionGroup[Any]) -> list[PeerError | Ended]:
    found: list[PeerError | Ended] = []
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            found += _leaves(error)
        else:
            found.append(error)
    return found
