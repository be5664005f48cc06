"""Incoming connections: each contained, all of them counted (Spec 7 §5).

Whatever one peer sends, no other notices. A newcomer is turned away only when everybody inside has a session: before
that, the connection that has been without one for longest makes room.
"""

import ipaddress
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias

import structlog
import trio
import trio.abc

from node.transport import websocket
from node.transport.contract import FrameStream
from protocol.errors import CallerError
from protocol.limits import MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS
from protocol.timing import Timing

log = structlog.get_logger(__name__)

Established: TypeAlias = Callable[[], object]
Handler: TypeAlias = Callable[[FrameStream, Established], Awaitable[None]]
"""Carries one connection to its end; calls `Established` once it has a session. It must not raise."""

BACKLOG = 1_024
"""Connections that the system holds until they are accepted."""


async def listen(name: str, port: int) -> list[trio.SocketListener]:
    """Sockets bound to a name or address ("0.0.0.0", "::1", …); port 0: any. Raises CallerError that says why not."""
    try:
        return await trio.open_tcp_listeners(port, host=name, backlog=BACKLOG)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "this is not an address of this machine"
        raise CallerError(f"Cannot listen on {name} port {port}: {reason}.") from error


class _Guest:
    """One connection, as the door sees it."""

    __slots__ = ("_stream", "address", "scope")

    def __init__(self, stream: trio.SocketStream) -> None:
        self.address = _address(stream)
        self.scope = trio.CancelScope()
        self._stream = stream

    def leave(self) -> None:
        """At once, without a word: who makes room takes no second of anybody's."""
        self.scope.cancel()
        self._stream.socket.close()


class Listener:
    """Listening sockets and the connections that came through them."""

    def __init__(
        self,
        sockets: Sequence[trio.SocketListener],
        handler: Handler,
        timing: Timing,
        *,
        most: int = MAX_CONNECTIONS,
        most_per_address: int = MAX_CONNECTIONS_PER_ADDRESS,
    ) -> None:
        self._sockets = sockets
        self._handler = handler
        self._timing = timing
        self._most = most
        self._most_per_address = most_per_address
        self._inside: Counter[str] = Counter()
        self.connections = 0
        """How many are inside, with a session or without."""
        self._strangers: dict[_Guest, None] = {}

    @property
    def ports(self) -> list[int]:
        """One for each socket, in order."""
        return [socket.socket.getsockname()[1] for socket in self._sockets]

    async def run(self, *, task_status: trio.TaskStatus[list[trio.SocketListener]] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; then every connection is closed."""
        await trio.serve_listeners(self._serve, list(self._sockets), task_status=task_status)

    async def _serve(self, stream: trio.SocketStream) -> None:
        opened_at = trio.current_time()
        guest = _Guest(stream)
        try:
            if not self._admit(guest):
                return
            guest.scope.deadline = opened_at + self._timing.handshake_seconds
            try:
                await self._contain(stream, guest, opened_at)
            finally:
                self._strangers.pop(guest, None)
                self.connections -= 1
                self._inside[guest.address] -= 1
                if not self._inside[guest.address]:
                    del self._inside[guest.address]
        finally:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)

    async def _contain(self, stream: trio.SocketStream, guest: _Guest, opened_at: float) -> None:
        """Only a cancellation leaves. What a handler's nursery raises comes in groups, hence `except*`."""
        try:
            with guest.scope:
                frames = await websocket.accept(stream, opened_at)
                guest.scope.deadline = math.inf
                if frames is not None:
                    try:
                        await self._handler(frames, partial(self._strangers.pop, guest, None))
                    finally:
                        await frames.close(None)
        except* Exception as group:  # noqa: BLE001 - containment: one peer's bytes must not reach another's connection
            log.debug("a connection failed", kinds=sorted(_kinds(group)))

    def _admit(self, guest: _Guest) -> bool:
        """Count a newcomer in, if need be in the place of a stranger."""
        if self._inside[guest.address] >= self._most_per_address:
            evicted = next((other for other in self._strangers if other.address == guest.address), None)
        elif self.connections >= self._most:
            evicted = next(iter(self._strangers), None)
        else:
            evicted = guest
        if evicted is None:
            log.debug("a connection was turned away: all places are taken")
            return False
        if evicted is not guest:
            del self._strangers[evicted]
            evicted.leave()
        self._inside[guest.address] += 1
        self.connections += 1
        self._strangers[guest] = None
        return True


def _address(stream: trio.SocketStream) -> str:
    """Whom a connection counts for: an IPv4 address or an IPv6 network of 64 bits. In memory while it is open."""
    try:
        peer = stream.socket.getpeername()[0]
        address = ipaddress.ip_address(peer.partition("%")[0])
    except (OSError, ValueError):
        return ""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _kinds(group: BaseExceptionGroup[BaseException]) -> set[str]:
    """Types only: their texts may quote what a peer sent."""
    kinds: set[str] = set()
    for error in group.exceptions:
        kinds |= _kinds(error) if isinstance(error, BaseExceptionGroup) else {type(error).__name__}
    return kinds
