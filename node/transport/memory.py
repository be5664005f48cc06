"""A stream between two ends of one program: a node and the relay that it hosts for itself.

What crosses it are the same Noise frames as on a socket.
"""

import trio

from node.transport.contract import Ended, Use
from protocol.errors import Code

_FRAMES = 4
"""That wait unread; a fifth makes its sender wait."""


class MemoryFrames:
    """One end (`node.transport.contract.FrameStream`)."""

    def __init__(self, out: trio.MemorySendChannel[bytes], into: trio.MemoryReceiveChannel[bytes]) -> None:
        self.opened_at = trio.current_time()
        self._out = out
        self._into = into
        self._reason: Ended | None = None
        self.peer: MemoryFrames = self

    async def send(self, frame: bytes) -> None:
        """Raises Ended."""
        try:
            await self._out.send(frame)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise self._ended() from None
        except trio.Cancelled:
            self._let_go()
            raise

    async def receive(self) -> bytes:
        """Raises Ended, once all that was sent before is read."""
        try:
            return await self._into.receive()
        except (trio.EndOfChannel, trio.ClosedResourceError):
            raise self._ended() from None

    async def close(self, code: Code | None) -> None:
        """Never raises."""
        if code is not None:
            self.peer._reason = Ended(f"the other side closed the connection: {code.name.lower()}", code)
        self._let_go()

    def _let_go(self) -> None:
        self._out.close()
        self._into.close()

    def _ended(self) -> Ended:
        return self._reason or Ended("the connection was closed")


def memory_pair() -> tuple[MemoryFrames, MemoryFrames]:
    """Two ends of one stream."""
    there_out, here_in = trio.open_memory_channel[bytes](_FRAMES)
    here_out, there_in = trio.open_memory_channel[bytes](_FRAMES)
    here, there = MemoryFrames(here_out, here_in), MemoryFrames(there_out, there_in)
    here.peer, there.peer = there, here
    return here, there


async def connect_in_memory(use: Use, other: Use) -> None:
    """Run both ends of a new stream until both are done."""
    here, there = memory_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(other, there)
        await use(here)
