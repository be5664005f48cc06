"""A tap in the cable between a node and a relay: passes every byte on, and tells when a message went by, and how long.

What it knows is what anybody on the wire knows: WebSocket's own headers, which are in the clear (RFC 6455 §5.2), as the
lengths of records are where there is TLS.
"""

from collections.abc import Callable, Iterator

import trio

_PIECE_BYTES = 65_536
_BINARY = 0x82
_LENGTHS = {126: 2, 127: 8}


class Messages:
    """The messages in one direction of one connection, from pieces of its bytes."""

    def __init__(self) -> None:
        self.beside = 0
        """Bytes that were no message's: of HTTP, of headers, of control frames."""
        self.within = 0
        """Bytes that were a message's."""
        self._unread = bytearray()
        self._left = 0
        self._length = 0
        self._upgraded = False

    def feed(self, piece: bytes) -> Iterator[int]:
        """The length of each binary message whose last byte is in this piece."""
        self._unread += piece
        if not self._upgraded:
            end = self._unread.find(b"\r\n\r\n")
            if end < 0:
                return
            self._skip(end + 4)
            self._upgraded = True
        while self._left or self._begin():
            taken = min(self._left, len(self._unread))
            del self._unread[:taken]
            self._left -= taken
            self.within += taken
            if self._left:
                return
            yield self._length

    def _begin(self) -> bool:
        """A header, if it is there whole. A message that is none of ours is beside the point."""
        while len(self._unread) >= 2:
            first, second = self._unread[:2]
            more = _LENGTHS.get(second & 0x7F, 0)
            header = 2 + more + (4 if second & 0x80 else 0)
            if len(self._unread) < header:
                return False
            length = int.from_bytes(self._unread[2 : 2 + more], "big") if more else second & 0x7F
            if first != _BINARY and len(self._unread) < header + length:  # at most 125 bytes
                return False
            if first == _BINARY and length:
                self._skip(header)
                self._left = self._length = length
                return True
            self._skip(header + length)
        return False

    def _skip(self, count: int) -> None:
        self.beside += count
        del self._unread[:count]


class Tap:
    """One node's cable to one relay. `saw` is told of each message: its length, and whether it goes to the relay."""

    def __init__(self, relay_port: int, saw: Callable[[int, bool], object]) -> None:
        self.port = 0
        """Where the node thinks that the relay is, on 127.0.0.1."""
        self.directions: list[Messages] = []
        """Of every connection."""
        self._relay_port = relay_port
        self._saw = saw

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled."""
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self._carry, listeners)

    async def _carry(self, node: trio.SocketStream) -> None:
        try:
            relay = await trio.open_tcp_stream("127.0.0.1", self._relay_port)
        except OSError:
            return
        async with node, relay, trio.open_nursery() as nursery:
            for source, sink, toward_relay in ((node, relay, True), (relay, node, False)):
                nursery.start_soon(self._pass_on, source, sink, toward_relay, nursery.cancel_scope)

    async def _pass_on(
        self, source: trio.SocketStream, sink: trio.SocketStream, toward_relay: bool, both: trio.CancelScope
    ) -> None:
        messages = Messages()
        self.directions.append(messages)
        try:
            while piece := await source.receive_some(_PIECE_BYTES):
                for length in messages.feed(piece):
                    self._saw(length, toward_relay)
                await sink.send_all(piece)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        both.cancel()
