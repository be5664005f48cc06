"""What a link asks of whatever carries its frames. One contract test runs over every stream."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from protocol.errors import Code, WorldError
from protocol.keys import Group, RelayKey

CLOSE_BASE = 4_000
"""WebSocket close codes from here on are `Code`s (RFC 6455 §7.4.2)."""
CLOSE_SECONDS = 1.0
"""For how long a peer may take to say goodbye."""


class Ended(WorldError):
    """The other side or the network ended the connection. `code`: what the peer gave as its reason, if it gave one."""

    def __init__(self, reason: str, code: Code | None = None) -> None:
        super().__init__(reason)
        self.code = code


class FrameStream(Protocol):
    """Messages of bytes, whole and in order, both ways; one task sends, one receives."""

    @property
    def opened_at(self) -> float:
        """Trio's time at which the connection was made, before any handshake."""

    async def send(self, frame: bytes) -> None:
        """Returns once the frame is on its way. A cancelled send ends the stream. Raises Ended."""

    async def receive(self) -> bytes:
        """The next message. Raises Ended, or PeerError: MALFORMED (not bytes), SIZE, LIMIT (junk without end)."""

    async def close(self, code: Code | None) -> None:
        """Tell the peer why (None: all is well), wait for it `CLOSE_SECONDS` at most, and let go. Never raises."""


Use: TypeAlias = Callable[[FrameStream], Awaitable[None]]
"""What is done with a stream; when it returns the stream is closed. It must not raise."""
Connect: TypeAlias = Callable[[RelayKey, str, Use, Group], Awaitable[None]]
"""`connect(relay, host, use, group)`: connect to `ws://name:port` or `wss://name:port`, apart from other groups where
the way can keep them so. Raises WorldError, CallerError."""


def ended(code: int | None) -> Ended:
    """From a close code as it came over the wire."""
    if code is None or code in {1000, 1001, 1005, 1006}:
        return Ended("the connection was closed")
    try:
        meant = Code(code - CLOSE_BASE)
    except ValueError:
        return Ended(f"the connection was closed with code {code}")
    return Ended(f"the other side closed the connection: {meant.name.lower()}", meant)
