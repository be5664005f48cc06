"""Frames as WebSocket binary messages (Spec 7 §1; RFC 6455), over trio-websocket.

What the library leaves open is closed here: a peer that sends bytes without end and never a message, one that hangs up
during the handshake, a socket that stays open after an oversized message, a send that was cancelled half-way.
"""

from typing import Final, cast

import trio
import trio.abc
from trio_websocket import (
    ConnectionClosed,
    WebSocketConnection,
    WebSocketRequest,
    wrap_client_stream,
    wrap_server_stream,
)

from node.transport.contract import CLOSE_BASE, CLOSE_SECONDS, Ended, ended
from protocol import SUBPROTOCOL
from protocol.errors import Code, PeerError
from protocol.limits import MAX_FRAME_BYTES

PATH: Final = "/kassiber"
RECEIVE_BUFFER_BYTES: Final = 65_536
MESSAGES_UNREAD: Final = 4
"""Messages that the library may hold for us."""
MOST_BYTES_WITHOUT_MESSAGE: Final = (MESSAGES_UNREAD + 2) * (MAX_FRAME_BYTES + 14) + RECEIVE_BUFFER_BYTES
"""More bytes than this since we took the last message are pings, empty fragments and other junk."""

_TOO_BIG = 1_009
_MOST_BYTES_DISCARDED = 2**20


class _Metered(trio.abc.Stream):
    """A byte stream that ends early rather than carry junk without end."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.handshaking = True
        self.allowance = MOST_BYTES_WITHOUT_MESSAGE
        self.flooded = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        data = bytes(await self._stream.receive_some(max_bytes))
        self.allowance -= len(data)
        if self.allowance < 0:
            self.flooded = True
            raise trio.BrokenResourceError("bytes without end and no message")
        if not data and self.handshaking:
            # The library would wait for its handshake for ever.
            raise Ended("the connection was closed during the handshake")
        return data

    async def discard_some(self) -> bytes | bytearray:
        """Bytes that nobody will look at."""
        return await self._stream.receive_some(RECEIVE_BUFFER_BYTES)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


class WebSocketFrames:
    """One end (`node.transport.contract.FrameStream`)."""

    def __init__(self, socket: WebSocketConnection, stream: _Metered, opened_at: float) -> None:
        self.opened_at = opened_at
        self._socket = socket
        self._stream = stream
        self._broken = False

    async def send(self, frame: bytes) -> None:
        """Raises Ended."""
        try:
            await self._socket.send_message(frame)
        except ConnectionClosed as closed:
            raise ended(closed.reason.code if closed.reason else None) from None
        except trio.Cancelled:
            self._broken = True  # half of a frame may be on the wire: nothing can follow it
            raise

    async def receive(self) -> bytes:
        """Raises Ended or PeerError."""
        try:
            message = await self._socket.get_message()
        except ConnectionClosed as closed:
            code = closed.reason.code if closed.reason else None
            if self._stream.flooded:
                raise PeerError(Code.LIMIT, "bytes without end and no message") from None
            if code == _TOO_BIG:
                raise PeerError(Code.SIZE, "a message larger than any frame") from None
            raise ended(code) from None
        self._stream.allowance = MOST_BYTES_WITHOUT_MESSAGE
        if isinstance(message, str):
            raise PeerError(Code.MALFORMED, "a text message")
        return message

    async def close(self, code: Code | None) -> None:
        """Never raises."""
        with trio.CancelScope(shield=True):
            with trio.move_on_after(CLOSE_SECONDS):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._discard, nursery.cancel_scope)
                    if not await self._say_goodbye(1_000 if code is None else CLOSE_BASE + code):
                        nursery.cancel_scope.cancel()
            await trio.aclose_forcefully(self._stream)

    async def _say_goodbye(self, code: int) -> bool:
        """Whether the peer should be given time to read it: once it has answered, or has left, it need not."""
        closed = self._socket.closed
        try:
            if self._stream.flooded:  # which the library takes for a broken stream
                await self._stream.send_all(_close_frame(code, masked=self._socket.is_client))
            elif closed is None and not self._broken:
                await self._socket.aclose(code)  # waits for theirs, if the library's reader still runs
                return False
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
            return False
        return self._stream.flooded or (closed is not None and closed.code == _TOO_BIG)

    async def _discard(self, done: trio.CancelScope) -> None:
        """Read what is still being sent, so that our closing does not reset the connection before they read why."""
        left = _MOST_BYTES_DISCARDED
        while left > 0:
            try:
                data = await self._stream.discard_some()
            except trio.BusyResourceError:  # the library's reader has not noticed yet, or waits for their close frame
                await trio.sleep(CLOSE_SECONDS / 20)
                continue
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                break
            if not data:
                break
            left -= len(data)
        done.cancel()


def _close_frame(code: int, *, masked: bool) -> bytes:
    """RFC 6455 §5.5.1; the mask is zero, which is one of the masks."""
    return (b"\x88\x82\0\0\0\0" if masked else b"\x88\x02") + code.to_bytes(2, "big")


async def accept(nursery: trio.Nursery, stream: trio.abc.Stream, opened_at: float) -> WebSocketFrames | None:
    """The server's end after its handshake; None: the request was for something else, and is answered.

    Raises whatever a peer can make the library raise; the caller contains it and closes `stream`.
    """
    metered = _Metered(stream)
    request: WebSocketRequest = await wrap_server_stream(
        nursery, metered, MESSAGES_UNREAD, MAX_FRAME_BYTES, RECEIVE_BUFFER_BYTES
    )
    if request.path != PATH:
        await request.reject(404)
        return None
    if SUBPROTOCOL not in request.proposed_subprotocols:
        await request.reject(400)
        return None
    socket = await request.accept(subprotocol=SUBPROTOCOL)
    metered.handshaking = False
    return WebSocketFrames(socket, metered, opened_at)


async def connect(nursery: trio.Nursery, stream: trio.abc.Stream, authority: str, opened_at: float) -> WebSocketFrames:
    """The client's end after its handshake. Raises Ended, or whatever a server can make the library raise."""
    metered = _Metered(stream)
    socket = await wrap_client_stream(
        nursery, cast("trio.SocketStream", metered), authority, PATH, subprotocols=[SUBPROTOCOL],
        message_queue_size=MESSAGES_UNREAD, max_message_size=MAX_FRAME_BYTES, receive_buffer_size=RECEIVE_BUFFER_BYTES,
    )  # fmt: skip
    metered.handshaking = False
    if socket.subprotocol != SUBPROTOCOL:
        raise Ended("what answers there does not speak Kassiber")
    return WebSocketFrames(socket, metered, opened_at)
