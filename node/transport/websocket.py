"""Frames as WebSocket binary messages on trio streams (Spec 7 §1; RFC 6455), with wsproto as the protocol's engine.

Why not trio-websocket, which wraps the same engine: its reader task, queue and nursery made an idle connection 48 KiB
(now 22; 30 are allowed) and a single deposit 40 % dearer; it waits for ever for a handshake that the peer broke off,
and leaves a socket open after an oversized message. Tests use it as the other side.
"""

from typing import Final

import trio
import trio.abc
from wsproto import ConnectionType, WSConnection
from wsproto.connection import Connection, ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import RemoteProtocolError

from node.transport.contract import CLOSE_BASE, CLOSE_SECONDS, Ended, ended
from protocol import SUBPROTOCOL
from protocol.errors import Code, PeerError
from protocol.limits import MAX_FRAME_BYTES

PATH: Final = "/kassiber"
RECEIVE_BYTES: Final = 65_536
HANDSHAKE_BYTES: Final = 16_384
"""At most, of a request or an answer to one."""
MOST_BYTES_WITHOUT_MESSAGE: Final = 2 * MAX_FRAME_BYTES + RECEIVE_BYTES
"""More than this and no message is pings, empty fragments and other junk."""

_MOST_BYTES_DISCARDED = 2**20


class WebSocketFrames:
    """One end (`node.transport.contract.FrameStream`)."""

    __slots__ = ("_junk", "_lock", "_parts", "_protocol", "_stream", "_usable", "opened_at")

    def __init__(self, protocol: Connection, stream: trio.abc.Stream, opened_at: float) -> None:
        self.opened_at = opened_at
        self._protocol = protocol
        self._stream = stream
        self._lock = trio.Lock()
        self._usable = True  # False once half of a frame may be on the wire, or the peer is gone
        self._parts = bytearray()
        self._junk = 0

    async def send(self, frame: bytes) -> None:
        """Raises Ended."""
        await self._write(BytesMessage(data=frame))

    async def receive(self) -> bytes:
        """Raises Ended, or PeerError: MALFORMED (breaks RFC 6455, or is no binary message), SIZE, LIMIT."""
        while (message := await self._next()) is None:
            await self._read()
        self._junk = 0
        return message

    async def _next(self) -> bytes | None:
        """A message that has been read already. Apart from `receive`, whose locals would outlive an idle hour."""
        for event in self._protocol.events():
            message = await self._take(event)
            if message is not None:
                return message
        return None

    async def _read(self) -> None:
        try:
            data = await self._stream.receive_some(RECEIVE_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            data = b""
        if not data:
            self._usable = False
            raise ended(None)
        self._junk += len(data)
        if self._junk > MOST_BYTES_WITHOUT_MESSAGE:
            raise PeerError(Code.LIMIT, "bytes without end and no message")
        self._protocol.receive_data(bytes(data))

    async def _take(self, event: Event) -> bytes | None:
        """A whole message, if this event completes one."""
        match event:
            case BytesMessage():
                if len(self._parts) + len(event.data) > MAX_FRAME_BYTES:
                    raise PeerError(Code.SIZE, "a message larger than any frame")
                if event.message_finished and not self._parts:
                    return bytes(event.data)
                self._parts += event.data
                if event.message_finished:
                    message, self._parts = bytes(self._parts), bytearray()
                    return message
            case TextMessage():
                raise PeerError(Code.MALFORMED, "a text message")
            case Ping():
                await self._write(event.response())
            case CloseConnection():
                if self._protocol.state is ConnectionState.OPEN:  # not theirs: what the engine would answer
                    raise PeerError(Code.MALFORMED, "not a WebSocket frame")
                if self._protocol.state is ConnectionState.REMOTE_CLOSING:
                    with trio.move_on_after(CLOSE_SECONDS):
                        await self._write(event.response())
                self._usable = False
                raise ended(event.code)
            case Pong():
                pass
        return None

    async def _write(self, event: Event) -> None:
        try:
            self._lock.acquire_nowait()
        except trio.WouldBlock:
            await self._lock.acquire()
        try:
            if not self._usable or (self._protocol.state is not ConnectionState.OPEN and type(event) is BytesMessage):
                raise ended(None)
            self._usable = False
            await self._stream.send_all(self._protocol.send(event))
            self._usable = True
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise ended(None) from None
        finally:
            self._lock.release()

    async def close(self, code: Code | None) -> None:
        """Never raises."""
        with trio.CancelScope(shield=True):
            with trio.move_on_after(CLOSE_SECONDS):
                try:
                    if self._usable and self._protocol.state is ConnectionState.OPEN:
                        await self._write(CloseConnection(code=1_000 if code is None else CLOSE_BASE + code))
                        await self._discard()
                except (Ended, trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
                    pass
            self._usable = False
            await trio.aclose_forcefully(self._stream)

    async def _discard(self) -> None:
        """Read what is still being sent, so that our closing does not reset the connection before they read why."""
        left = _MOST_BYTES_DISCARDED
        while left > 0 and (data := await self._stream.receive_some(RECEIVE_BYTES)):
            left -= len(data)
            if len(data) < 132 and data[0] == 0x88:  # their close frame, alone: the usual case
                return


async def accept(stream: trio.abc.Stream, opened_at: float) -> WebSocketFrames | None:
    """The server's end after its handshake; None: the request was for something else, and is answered.

    Raises Ended, or whatever a peer can make the engine raise; the caller contains it and closes `stream`.
    """
    engine = WSConnection(ConnectionType.SERVER)
    request = await _handshake(engine, stream)
    if not isinstance(request, Request):
        raise Ended("no WebSocket handshake")
    if request.target != PATH or SUBPROTOCOL not in request.subprotocols:
        await stream.send_all(engine.send(RejectConnection(status_code=404 if request.target != PATH else 400)))
        return None
    await stream.send_all(engine.send(AcceptConnection(subprotocol=SUBPROTOCOL)))
    assert engine.connection is not None
    return WebSocketFrames(engine.connection, stream, opened_at)


async def connect(stream: trio.abc.Stream, authority: str, opened_at: float) -> WebSocketFrames:
    """The client's end after its handshake. Raises Ended, or whatever a server can make the engine raise."""
    engine = WSConnection(ConnectionType.CLIENT)
    await stream.send_all(engine.send(Request(host=authority, target=PATH, subprotocols=[SUBPROTOCOL])))
    answer = await _handshake(engine, stream)
    if isinstance(answer, RejectConnection):
        raise Ended(f"what answers there is not a Kassiber relay (HTTP status {answer.status_code})")
    if not isinstance(answer, AcceptConnection) or answer.subprotocol != SUBPROTOCOL:
        raise Ended("what answers there is not a Kassiber relay")
    assert engine.connection is not None
    return WebSocketFrames(engine.connection, stream, opened_at)


async def _handshake(engine: WSConnection, stream: trio.abc.Stream) -> Event:
    """The first thing that the peer says."""
    left = HANDSHAKE_BYTES
    while left > 0:
        data = await stream.receive_some(left)
        if not data:
            raise Ended("the connection was closed during the handshake")
        left -= len(data)
        try:
            engine.receive_data(bytes(data))
        except RemoteProtocolError as error:
            if error.event_hint is not None:
                await stream.send_all(engine.send(error.event_hint))
            raise
        for event in engine.events():
            return event
    raise Ended("a handshake of too many bytes")
