"""Outgoing connections: `ws://name:port` and `wss://name:port` (Spec 7 §1).

A hostile server can make the libraries below raise almost anything; all of it comes out as a WorldError with a reason.
"""

import ssl
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address

import trio

from node.transport import websocket
from node.transport.contract import Use
from protocol.errors import WorldError
from protocol.wire.addresses import Host


async def dial(host_text: str, use: Use, *, public_only: bool = False) -> None:
    """Connect, give the stream to `use`, which must not raise, and close it. The caller sets the deadline.

    `public_only`: for others, who must not reach by us what only we can. Raises CallerError (`host_text` is no host),
    WorldError (nobody there, or nobody who speaks Kassiber).
    """
    host = Host.parse(host_text)
    opened_at = trio.current_time()
    try:
        stream = await _open(host, public_only)
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


async def _open(host: Host, public_only: bool) -> trio.abc.Stream:
    name = host.name.strip("[]")
    stream = await trio.open_tcp_stream(await _public_address(name, host.port) if public_only else name, host.port)
    if host.scheme == "ws":
        return stream
    secured = trio.SSLStream(stream, _tls(), server_hostname=name, https_compatible=True)
    try:
        await secured.do_handshake()
    except BaseException:
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(stream)
        raise
    return secured


async def _public_address(name: str, port: int) -> str:
    """The first that is not private, loopback, link-local, multicast or reserved: looked up once, and used as it is."""
    for *_, address in await trio.socket.getaddrinfo(name, port, type=trio.socket.SOCK_STREAM):
        text = str(address[0])
        if _is_public(ip_address(text.partition("%")[0])):
            return text
    raise WorldError("it has no public address")


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    inside = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None) or address
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
