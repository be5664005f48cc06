"""Frames between whole nodes: `node.transport.contract.FrameStream` over the paths of a virtual network.

Delay, order, cuts and harms are the network's, shared with the engine; what is new is that both ends are tasks.
"""

from collections import deque
from functools import partial

import trio

from node.transport.contract import Ended
from protocol.errors import Code
from protocol.keys import RelayKey
from simulations.host import Host
from simulations.network import End, Kind, Network, Path

MOST_UNREAD_BYTES = 2**20
"""That wait at the other end before a sender waits too, as in the buffers of sockets."""


class VirtualFrames(End):
    """One end. The link belongs to the node's own connection, and is not known here."""

    __slots__ = ("_arrived", "_news", "_over", "_under_way", "opened_at")

    def __init__(self, network: Network, host: Host, path: Path, relay: RelayKey | None) -> None:
        self.opened_at = trio.current_time()
        self.network, self.host, self.path, self.relay = network, host, path, relay
        self.number = host.next_connection()
        self.peer: VirtualFrames | None = None
        self.closed = self.opened = False
        self._arrival = 0.0
        self._arrived: deque[bytes] = deque()
        self._under_way = 0  # bytes that this end sent and its peer has not taken
        self._over: Ended | None = None  # what the peer closed with, once that is known here
        self._news = trio.Event()
        host.ends[self.number] = self

    async def send(self, frame: bytes) -> None:
        """Raises Ended."""
        try:
            await trio.lowlevel.checkpoint_if_cancelled()
            while self._under_way + len(frame) > MOST_UNREAD_BYTES and not self.closed and self._over is None:
                await self._wait()
        except trio.Cancelled:
            self.end()
            raise
        if self.closed or self._over is not None:
            raise self._ended()
        self._under_way += len(frame)
        self.network.carry(self, frame)
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def receive(self) -> bytes:
        """Raises Ended, once all that was sent before is read."""
        await trio.lowlevel.checkpoint()
        while not self._arrived or self.closed:
            if self.closed or self._over is not None:
                raise self._ended()
            await self._wait()
        frame = self._arrived.popleft()
        if isinstance(self.peer, VirtualFrames):
            self.peer.taken(len(frame))
        return frame

    async def close(self, code: Code | None) -> None:
        """Never raises."""
        self.end(code)

    def arrive(self, frame: bytes) -> None:
        """A frame from the peer."""
        if not self.closed:
            self._arrived.append(frame)
            self._tell()

    def taken(self, length: int) -> None:
        """The peer has read so many bytes."""
        self._under_way -= length
        self._tell()

    def end(self, code: Code | None = None, *, silently: bool = False) -> None:
        """This end is closed; the peer hears of it, unless `silently`, as after a power cut."""
        if self.closed:
            return
        self.closed = True
        self.host.ends.pop(self.number, None)
        self.network.engine.note(self.host.index, 0 if self.peer is None else self.peer.host.index, 0, Kind.CLOSED)
        if isinstance(self.peer, VirtualFrames) and not silently and self._over is None:
            self.network.deliver(self, partial(self.peer.hear_of_end, code))
        self._tell()

    def hear_of_end(self, code: Code | None) -> None:
        """The peer has closed its end; what it sent before can still be read."""
        if code is None:
            self._over = Ended("the connection was closed")
        else:
            self._over = Ended(f"the other side closed the connection: {code.name.lower()}", code)
        self._tell()

    def _ended(self) -> Ended:
        return self._over or Ended("the connection was closed")

    async def _wait(self) -> None:
        if self._news.is_set():
            self._news = trio.Event()
        await self._news.wait()

    def _tell(self) -> None:
        self._news.set()


def virtual_pair(network: Network, host: Host, relay: Host, key: RelayKey) -> tuple[VirtualFrames, VirtualFrames]:
    """Both ends of a new connection: the dialler's, the relay's."""
    ours = VirtualFrames(network, host, network.path(host.index, relay.index), key)
    theirs = VirtualFrames(network, relay, network.path(relay.index, host.index), None)
    ours.peer, theirs.peer = theirs, ours
    network.engine.note(host.index, relay.index, 0, Kind.DIALLED)
    return ours, theirs
