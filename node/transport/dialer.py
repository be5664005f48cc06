"""Outgoing connections: `ws://name:port` and `wss://name:port` (Spec 7 §1), past a proxy never where one is given.

A hostile server can make the libraries below raise almost anything; all of it comes out as a WorldError with a reason.
"""

import ssl
from functools import cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

import trio

from node.transport import websocket
from node.transport.contract import Use
from node.transport.proxy import Proxy, is_onion
from node.transport.socks5 import Credentials
from protocol.errors import WorldError
from protocol.wire.addresses import Host

_TRANSLATED = IPv6Network("64:ff9b::/96")
"""IPv4 addresses as networks without IPv4 reach them (RFC 6052)."""


class By(NamedTuple):
    """The way of one connection: a proxy, and what it keeps apart from others by."""

    proxy: Proxy
    credentials: Credentials


async def dial(host_text: str, use: Use, *, public_only: bool = False, by: By | None = None) -> None:
    """Connect, give the stream to `use`, which must not raise, and close it. The caller sets the deadline.

    `public_only`: for others, who must not reach by us what only we can; what a proxy makes of a name is its own
    affair. Raises CallerError (`host_text` is no host), WorldError (nobody there, or nobody who speaks Kassiber).
    """
    host = Host.parse(host_text)
    opened_at = trio.current_time()
    try:
        stream = await _open(host, public_only, by)
    except (OSError, trio.BrokenResourceError, ValueError) as error:
        raise _world_error(error) from None
    try:
        frames = await _shake_hands(stream, host, opened_at)
        try:
            await use(frames)
        finally:
            await frames.close(None)
    finally:
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(stream)


async def _shake_hands(stream: trio.abc.Stream, host: Host, opened_at: float) -> websocket.WebSocketFrames:
    try:
        return await websocket.connect(stream, host.authority, opened_at)
    except Exception as error:  # noqa: BLE001 - containment: whatever a server can make the engine raise
        raise _world_error(error) from None


async def _open(host: Host, public_only: bool, by: By | None) -> trio.abc.Stream:
    stream = await _reach(host, public_only) if by is None else await _reach_by(by, host, public_only)
    if host.scheme == "ws":
        return stream
    secured = trio.SSLStream(stream, _tls(), server_hostname=host.name.strip("[]"), https_compatible=True)
    try:
        await secured.do_handshake()
    except BaseException:
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(stream)
        raise
    return secured


async def _reach(host: Host, public_only: bool) -> trio.SocketStream:
    if is_onion(host.name):
        raise WorldError(
            "an onion address is reached by a proxy only: set proxy, as in proxy = 'socks5://127.0.0.1:9050'"
        )
    name = host.name.strip("[]")
    return await trio.open_tcp_stream(await _public_address(name, host.port) if public_only else name, host.port)


async def _reach_by(by: By, host: Host, public_only: bool) -> trio.SocketStream:
    if public_only and _is_inside(host.name.strip("[]")):
        raise WorldError("it has no public address")
    return await by.proxy.open(host, by.credentials)


def _is_inside(name: str) -> bool:
    try:
        return not _is_public(ip_address(name))
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


async def _public_address(name: str, port: int) -> str:
    """The first that is not private, loopback, link-local, multicast or reserved: looked up once, and used as it is."""
    for *_, address in await trio.socket.getaddrinfo(name, port, type=trio.socket.SOCK_STREAM):
        text = str(address[0])
        if _is_public(ip_address(text.partition("%")[0])):
            return text
    raise WorldError("it has no public address")


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    inside: IPv4Address | IPv6Address | None = address
    if isinstance(address, IPv6Address):
        translated = IPv4Address(address.packed[-4:]) if address in _TRANSLATED else None
        inside = address.ipv4_mapped or address.sixtofour or translated or address
    assert inside is not None
    return inside.is_global and not inside.is_multicast


@cache
def _tls() -> ssl.SSLContext:
    """Loading the system's certificates takes 20 ms, so once. What counts is the Noise key inside, not these."""
    return ssl.create_default_context()


def _world_error(error: Exception) -> WorldError:
    """For a person; nothing that a server sent is repeated."""
    cause = error.__cause__ or error
    if isinstance(cause, BaseExceptionGroup):  # one failure for each address that was tried
        cause = cause.exceptions[0]
    if isinstance(cause, WorldError):
        return cause
    if isinstance(cause, ssl.SSLCertVerificationError):
        return WorldError(f"its certificate is not valid: {cause.verify_message}")
    if isinstance(cause, OSError) and cause.strerror:
        return WorldError(cause.strerror.lower())
    return WorldError("what answers there is not a Kassiber relay")
