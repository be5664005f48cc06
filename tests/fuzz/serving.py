"""The listener and the local API under any bytes, over real sockets. What they contain must stay there."""

import logging
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from node.api.access import Access
from node.api.server import Server
from node.settings import read_settings
from node.store.keys import read_slots
from node.transport.contract import Ended, FrameStream
from node.transport.listener import Listener, listen
from protocol.errors import PeerError
from protocol.link.responder import ResponderLink
from protocol.timing import Timing
from tests.fuzz.hostile import DICE, RELAY_KEY, SUITE
from tests.node.fake_node import FakeNode

_SECONDS = 5.0
# Some of what is no request at all is held until this ends.
_TIMING = Timing(handshake_seconds=0.02)
_TOKEN = "token"

UPGRADE = (
    b"GET /kassiber HTTP/1.1\r\nHost: relay\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Protocol: kassiber.1\r\n\r\n"
)
BINARY = b"\x82\xfe\x10\x00" + bytes(4 + 4_096)
PING, CLOSE, FRAGMENT = b"\x89\x80" + bytes(4), b"\x88\x82" + bytes(4) + b"\x03\xe8", b"\x02\x81" + bytes(5)


def request(method: str, target: str, body: str = "") -> bytes:
    """A request that the API admits."""
    headers = f"Host: n\r\nAuthorization: Bearer {_TOKEN}\r\nContent-Length: {len(body)}"
    return f"{method} {target} HTTP/1.1\r\n{headers}\r\n\r\n{body}".encode()


CONNECTIONS = [UPGRADE + BINARY, UPGRADE + PING + FRAGMENT + BINARY[:40], UPGRADE + CLOSE]
REQUESTS = [
    request("GET", "/v1/status"),
    request("GET", "/v1/messages?contact=1&limit=5") + request("GET", "/v1/changes?after=0"),
    request("POST", "/v1/messages", '{"contact": 1, "text": "hello"}'),
    request("POST", "/v1/invitations", '{"name": null}'),
    request("POST", "/v1/relays", '{"address": "kassiber://relay:1/r#A"}'),
]
SETTINGS = b'listen = "[::1]:4040"\npublic = "node.example:4040"\n[timing]\nkeep_alive_seconds = 5\n'


def listener(data: bytes) -> None:
    """These bytes on a connection that then half-closes: the listener goes on, and forgets the connection."""
    trio.run(_at_listener, data)


async def _at_listener(data: bytes) -> None:
    inside = Listener(await listen("127.0.0.1", 0), _read_frames, _TIMING)
    async with trio.open_nursery() as nursery:
        await nursery.start(inside.run)
        stream = await trio.open_tcp_stream("127.0.0.1", inside.ports[0])
        await _converse(stream, data)
        with trio.fail_after(_SECONDS):
            while inside.connections:  # noqa: ASYNC110 -- the listener tells nobody
                await trio.sleep(0.001)
        nursery.cancel_scope.cancel()


async def _read_frames(frames: FrameStream, established: Callable[[], object]) -> None:
    link = ResponderLink(SUITE, DICE, Timing(), RELAY_KEY, 0.0)
    try:
        while True:
            link.receive(await frames.receive(), 0.0)
    except (PeerError, Ended):
        return


def api(data: bytes) -> None:
    """These bytes on a connection to the local API that then half-closes: it has an answer to all of it."""
    trio.run(_at_api, data)


class _Failures(logging.Handler):
    """What was logged with a traceback."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[BaseException | None] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record.exc_info[1] if record.exc_info else None)


async def _at_api(data: bytes) -> None:
    ours, theirs = (trio.SocketStream(trio.socket.from_stdlib_socket(end)) for end in socket.socketpair())
    watch = _Failures()
    logging.getLogger("node.api").addHandler(watch)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Server(FakeNode(), Access(_TOKEN, None)).serve_connection, theirs)
            await _converse(ours, data)
    finally:
        logging.getLogger("node.api").removeHandler(watch)
    if watch.seen:
        raise AssertionError(f"the API contained a fault of its own: {watch.seen[0]!r}") from watch.seen[0]


async def _converse(stream: trio.SocketStream, data: bytes) -> None:
    """Say `data` and nothing more; listen until they close."""
    with trio.fail_after(_SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_ignoring_loss, _say, stream, data)
            await _ignoring_loss(_hear_out, stream)
            nursery.cancel_scope.cancel()
    await trio.aclose_forcefully(stream)


async def _ignoring_loss(action: Callable[..., Awaitable[None]], *values: object) -> None:
    try:
        await action(*values)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass


async def _say(stream: trio.SocketStream, data: bytes) -> None:
    await stream.send_all(data)
    await stream.send_eof()


async def _hear_out(stream: trio.SocketStream) -> None:
    async for _ in stream:
        pass


_kept = TemporaryDirectory(prefix="fuzz-")
_folder = Path(_kept.name)


def key_file(data: bytes) -> None:
    """These bytes as a profile's `keys.json`."""
    path = _folder / "keys.json"
    path.write_bytes(data)
    read_slots(path)


def settings_file(data: bytes) -> None:
    """These bytes as a profile's `settings.toml`."""
    path = _folder / "settings.toml"
    path.write_bytes(data)
    read_settings(path)
