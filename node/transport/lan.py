"""Frames on a local network: TCP without WebSocket, and without a word to who has no hint (Spec 9 §5)."""

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv6Address, ip_address

import trio
import trio.abc

from node.transport.contract import Ended, Use, ended
from protocol.discovery.tags import HINT_BYTES, hinted
from protocol.errors import Code, PeerError, WorldError
from protocol.keys import DhPublic, PairSecret
from protocol.limits import FRAME_SLOTS, SLOT_BYTES

_RECEIVE_BYTES = 65_536
_EPHEMERAL_BYTES = 32


class LanFrames:
    """One end (`node.transport.contract.FrameStream`). Frames go behind their number of slots."""

    __slots__ = ("_buffer", "_close_at", "_hint", "_lock", "_received", "_sent", "_stream", "_usable", "opened_at")

    def __init__(
        self, stream: trio.abc.Stream, opened_at: float, hint_for: Callable[[DhPublic], bytes] | None = None,
        read: bytes = b"", close_at: float = 0.0,
    ) -> None:  # fmt: skip
        """`hint_for`: of the end that dials, what goes before message 1. `read`: what has been read already.

        `close_at`: until then an end that has sent nothing waits before it hangs up.
        """
        self.opened_at = opened_at
        self._stream = stream
        self._hint = hint_for
        self._buffer = bytearray(read)
        self._close_at = close_at
        self._sent = 0
        self._usable = True  # False once half of a frame may be on the wire
        self._received = 0
        self._lock = trio.Lock()

    async def send(self, frame: bytes) -> None:
        """Raises Ended."""
        if self._sent:
            lead = bytes((len(frame) // SLOT_BYTES,))
        else:
            lead = self._hint(DhPublic(frame[:_EPHEMERAL_BYTES])) if self._hint is not None else b""
        try:
            async with self._lock:
                if not self._usable:
                    raise ended(None)
                self._sent += 1
                self._usable = False
                await self._stream.send_all(lead + frame)
                self._usable = True
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise ended(None) from None

    async def receive(self) -> bytes:
        """Raises Ended, or PeerError SIZE."""
        slots = 1
        if self._received:
            slots = (await self._exactly(1))[0]
            if slots not in FRAME_SLOTS:
                raise PeerError(Code.SIZE, f"a frame of {slots} slots")
        frame = await self._exactly(slots * SLOT_BYTES)
        self._received += 1
        return frame

    async def close(self, code: Code | None) -> None:  # noqa: ARG002 - there is no word for it here
        """Never raises."""
        try:
            if not self._sent:
                await trio.sleep_until(self._close_at)
        finally:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(self._stream)

    async def _exactly(self, length: int) -> bytes:
        await read_until(self._stream, self._buffer, length)
        taken = bytes(self._buffer[:length])
        del self._buffer[:length]
        return taken


async def read_until(stream: trio.abc.Stream, buffer: bytearray, length: int) -> None:
    """Fill `buffer` up to `length` bytes at least. Raises Ended."""
    while len(buffer) < length:
        try:
            data = await stream.receive_some(_RECEIVE_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            data = b""
        if not data:
            raise ended(None)
        buffer += data


async def dial(
    address: bytes, port: int, interface: int, use: Use, hint_for: Callable[[DhPublic], bytes] | None = None
) -> None:
    """Connect to an announced address (4 or 16 bytes), give the stream to `use`, and close it.

    `hint_for`: as for `LanFrames`. The caller sets the deadline. Raises WorldError.
    """
    opened_at = trio.current_time()
    try:
        stream = await _connect(address, port, interface)
    except OSError as error:
        raise WorldError((error.strerror or "it cannot be reached").lower()) from None
    frames = LanFrames(stream, opened_at, hint_for)
    try:
        await use(frames)
    finally:
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(stream)


def watch(connection: trio.socket.SocketType) -> None:
    """Have the system notice within seconds that the other end is unplugged: nobody says so on a local network."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", 4), ("TCP_KEEPALIVE", 4), ("TCP_KEEPINTVL", 2), ("TCP_KEEPCNT", 2),
        ("TCP_USER_TIMEOUT", 6_000),
    ):  # fmt: skip
        option = getattr(socket, name, None)
        if option is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


async def _connect(address: bytes, port: int, interface: int) -> trio.SocketStream:
    ip = ip_address(address)
    family = socket.AF_INET6 if isinstance(ip, IPv6Address) else socket.AF_INET
    connection = trio.socket.socket(family, socket.SOCK_STREAM)
    try:
        await connection.connect((str(ip), port, 0, interface) if isinstance(ip, IPv6Address) else (str(ip), port))
        watch(connection)
    except BaseException:
        connection.close()
        raise
    return trio.SocketStream(connection)


async def listen(address: bytes, interface: int) -> trio.SocketListener:
    """A fresh port of one address (4 or 16 bytes). Raises OSError."""
    ip = ip_address(address)
    family = socket.AF_INET6 if isinstance(ip, IPv6Address) else socket.AF_INET
    listening = trio.socket.socket(family, socket.SOCK_STREAM)
    try:
        await listening.bind((str(ip), 0, 0, interface) if isinstance(ip, IPv6Address) else (str(ip), 0))
        listening.listen(32)
    except BaseException:
        listening.close()
        raise
    return trio.SocketListener(listening)


async def welcome(
    stream: trio.abc.Stream, nonce: bytes, secrets: Sequence[PairSecret], close_at: float
) -> tuple[LanFrames, PairSecret] | None:
    """Read hint and message 1 of whoever connected; None: it is nobody, and was kept waiting until `close_at`."""
    opened_at = trio.current_time()
    buffer = bytearray()
    with trio.move_on_at(close_at):
        try:
            await read_until(stream, buffer, HINT_BYTES + SLOT_BYTES)
        except Ended:
            return None
        ephemeral = DhPublic(bytes(buffer[HINT_BYTES : HINT_BYTES + _EPHEMERAL_BYTES]))
        index = hinted(secrets, nonce, ephemeral, bytes(buffer[:HINT_BYTES]))
        if index is not None:
            return LanFrames(stream, opened_at, read=bytes(buffer[HINT_BYTES:]), close_at=close_at), secrets[index]
        await trio.sleep_forever()
    return None
