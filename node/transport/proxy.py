"""Connections by a SOCKS5 proxy, Tor among them: it resolves names, and keeps apart what has other credentials.

There is no way round it: what it does not do is not done (Spec 7 §7).
"""

import os
from typing import Final

import trio
from msgspec import Struct
from msgspec.structs import replace

from node.transport.socks5 import Credentials, Negotiation, ProxyError, connect, greet, isolating
from protocol.entropy import Entropy
from protocol.errors import CallerError
from protocol.keys import RelayKey
from protocol.timing import Timing
from protocol.wire.addresses import Host, parse_hosts

SCHEME: Final = "socks5://"
GREETING_SECONDS: Final = 5.0
"""A proxy is near: it takes no longer to be connected to and to greet. What it is asked for may take longer."""
PATIENCE: Final = 3.0
"""How much longer than otherwise a node waits for a session: circuits have to be built first."""


class ProxyPlace(Struct, frozen=True):
    """Where a proxy is."""

    name: str
    port: int

    def __str__(self) -> str:
        return f"{SCHEME}{self.name}:{self.port}"


def parse_proxy(text: str) -> ProxyPlace:
    """From `socks5://name:port`. Raises CallerError."""
    place = text.removeprefix("socks5h://") if text.startswith("socks5h://") else text.removeprefix(SCHEME)
    if place == text:
        raise CallerError(f'{text!r} should look like "socks5://127.0.0.1:9050".')
    if "@" in place:
        raise CallerError("A proxy is given without user name and password: Kassiber makes fresh ones of its own.")
    try:
        (host,) = parse_hosts("kassiber", place)
    except (CallerError, ValueError):
        raise CallerError(f'{text!r} should look like "socks5://127.0.0.1:9050".') from None
    if is_onion(host.name):
        raise CallerError(f"{text!r} is an onion address: only a proxy reaches those.")
    return ProxyPlace(host.name, host.port)


def is_onion(name: str) -> bool:
    """Such names have no address outside of Tor and are never to be looked up (RFC 7686)."""
    return name == "onion" or name.endswith(".onion")


def patient(timing: Timing) -> Timing:
    """With what it takes longer to get a session by a proxy."""
    return replace(
        timing,
        handshake_seconds=PATIENCE * timing.handshake_seconds,
        dial_seconds=PATIENCE * timing.dial_seconds,
        direct_dial_seconds=PATIENCE * timing.direct_dial_seconds,
    )


class Proxy:
    """The proxy of one process. `apart`: only one that keeps connections apart will do."""

    def __init__(self, place: ProxyPlace, entropy: Entropy, *, apart: bool = False) -> None:
        self.place = place
        self._apart = apart
        self._entropy = entropy
        self._secret = entropy.secret(32)

    def credentials(self, relay: RelayKey, group: int = 0) -> Credentials:
        """The same for one relay and group until this process ends: each attempt of its own would wear out circuits."""
        return isolating(self._secret, relay + group.to_bytes(8, "big", signed=True))

    def fresh_credentials(self) -> Credentials:
        """Of one connection that shares with no other."""
        return isolating(self._entropy.secret(32), b"")

    async def open(self, host: Host, credentials: Credentials) -> trio.SocketStream:
        """A stream that leads to `host`. The caller sets the deadline. Raises ProxyError."""
        stream = await self._greeted(credentials)
        await _carry_out(stream, connect(host.name.strip("[]"), host.port))
        return stream

    async def check(self) -> None:
        """Whether it is there, and takes what it is offered. Raises ProxyError."""
        stream = await self._greeted(self.fresh_credentials())
        await trio.aclose_forcefully(stream)

    async def _greeted(self, credentials: Credentials) -> trio.SocketStream:
        with trio.move_on_after(GREETING_SECONDS):
            stream = await self._reach()
            await _carry_out(stream, greet(credentials, apart=self._apart))
            return stream
        raise ProxyError(f"the proxy {self.place} does not answer")

    async def _reach(self) -> trio.SocketStream:
        try:
            return await trio.open_tcp_stream(self.place.name.strip("[]"), self.place.port)
        except OSError as error:
            cause = error.__cause__ or error
            if isinstance(cause, BaseExceptionGroup):
                cause = cause.exceptions[0]
            number = cause.errno if isinstance(cause, OSError) else None
            reason = os.strerror(number) if number is not None and number > 0 else str(cause)
            raise ProxyError(f"the proxy {self.place} cannot be reached ({reason.lower()})") from None


async def _carry_out(stream: trio.SocketStream, negotiation: Negotiation) -> None:
    """Where it comes to nothing the stream is closed."""
    try:
        turn = next(negotiation)
        while True:
            if turn.sent:
                await stream.send_all(turn.sent)
            turn = negotiation.send(await _exactly(stream, turn.wanted))
    except StopIteration:
        return
    except BaseException as error:
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(stream)
        if isinstance(error, trio.BrokenResourceError | trio.ClosedResourceError):
            raise ProxyError("the proxy broke the connection off") from None
        raise


async def _exactly(stream: trio.SocketStream, length: int) -> bytes:
    """No more than that: what comes after it belongs to the destination."""
    data = b""
    while len(data) < length:
        more = await stream.receive_some(length - len(data))
        if not more:
            raise ProxyError("the proxy broke the connection off")
        data += more
    return data
