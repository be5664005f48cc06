"""Whatever answers, dialling ends with a connection or with a reason for a person."""

import base64
import datetime
import hashlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from trio_websocket import WebSocketRequest, serve_websocket

from node.transport import dialer
from node.transport.contract import FrameStream
from node.transport.dialer import dial
from node.transport.listener import Listener
from protocol import SUBPROTOCOL
from protocol.errors import CallerError, PeerError, WorldError
from protocol.limits import MAX_FRAME_BYTES
from tests.node.serving import TIMING

NOT_KASSIBER = "what answers there is not a Kassiber relay"


async def nothing(frames: FrameStream) -> None:
    """What is done with a connection that should not have come about."""
    pytest.fail("it connected")


@asynccontextmanager
async def answering(answer: bytes, *, close: bool = True) -> AsyncIterator[str]:
    """A server that reads a request and says `answer`, whatever was asked; `{accept}` stands for the right key."""

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            request = b""
            while b"\r\n\r\n" not in request:
                data = await stream.receive_some()
                if not data:
                    return
                request += data
            lines = dict(line.split(b": ", 1) for line in request.split(b"\r\n")[1:] if b": " in line)
            key = lines[b"Sec-WebSocket-Key"] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            accept = base64.b64encode(hashlib.sha1(key, usedforsecurity=False).digest())
            try:
                await stream.send_all(answer.replace(b"{accept}", accept))
                if not close:
                    await trio.sleep_forever()
            except trio.BrokenResourceError:
                pass

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield f"ws://127.0.0.1:{listener.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


ACCEPT = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: {accept}\r\n"
)
CHOSEN = b"Sec-WebSocket-Protocol: kassiber.1\r\n"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "the connection was closed during the handshake"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", NOT_KASSIBER + " (HTTP status 404)"),
        (b"HTTP/1.1 301 Moved\r\nLocation: http://x/\r\n\r\n", NOT_KASSIBER + " (HTTP status 301)"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", NOT_KASSIBER),
        (b"HTTP/1.1 404 N\xf6\r\n\r\n", NOT_KASSIBER),
        (b"HTTP/1.1 404 Not Found\r\nX: \xff\r\n\r\n", NOT_KASSIBER),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "the connection was closed during the handshake"),
        (b"\x15\x03\x03\x00\x02\x02\x46", NOT_KASSIBER),
        (ACCEPT + b"\r\n", NOT_KASSIBER),
        (ACCEPT + b"Sec-WebSocket-Protocol: other\r\n\r\n", NOT_KASSIBER),
        (ACCEPT + b"Sec-WebSocket-Protocol: \xff\xfe\r\n\r\n", NOT_KASSIBER),
        (ACCEPT.replace(b"{accept}", b"AAAA") + CHOSEN + b"\r\n", NOT_KASSIBER),
        (ACCEPT + b"Sec-WebSocket-Extensions: permessage-deflate\r\n" + CHOSEN + b"\r\n", NOT_KASSIBER),
        (b"HTTP/1.1 101 X\r\n" + b"A: " + b"a" * 100_000 + b"\r\n\r\n", ""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000, ""),
    ],
)  # fmt: skip
async def test_what_is_no_relay_is_named_so(answer: bytes, reason: str) -> None:
    async with answering(answer) as host:
        with trio.fail_after(5), pytest.raises(WorldError) as failed:
            await dial(host, nothing)
    assert reason in str(failed.value)


@given(st.binary(max_size=200), st.booleans())
@settings(max_examples=40)
def test_no_answer_makes_anything_but_a_reason(junk: bytes, accept: bool) -> None:
    async def attempt() -> None:
        answer = (ACCEPT + CHOSEN if accept else b"") + junk
        async with answering(answer) as host:
            with trio.fail_after(5):
                try:
                    await dial(host, read_one)
                except WorldError:
                    pass

    trio.run(attempt)


async def read_one(frames: FrameStream) -> None:
    """As a connection's reader would."""
    try:
        await frames.receive()
    except (WorldError, PeerError):
        pass


async def test_a_server_that_never_answers_is_left_when_the_caller_says() -> None:
    async with answering(b"HTTP/1.1 101", close=False) as host:
        with trio.move_on_after(0.3) as scope:
            await dial(host, nothing)
    assert scope.cancelled_caught


@pytest.mark.parametrize("host", ["ws://name", "http://127.0.0.1:1", "127.0.0.1:1", "ws://127.0.0.1:0", ""])
async def test_what_is_no_host_is_the_callers_mistake(host: str) -> None:
    with pytest.raises(CallerError):
        await dial(host, nothing)


async def test_another_implementation_of_websockets_is_understood_both_ways() -> None:
    """trio-websocket as the server; as the client it is in every other test."""
    sizes = (1, 4_096, MAX_FRAME_BYTES)

    async def echo(request: WebSocketRequest) -> None:
        socket = await request.accept(subprotocol=SUBPROTOCOL)
        for _ in sizes:
            await socket.ping()
            await socket.send_message(await socket.get_message())
        await socket.aclose(4_022)

    async def use(frames: FrameStream) -> None:
        for size in sizes:
            await frames.send(b"\xa5" * size)
            assert await frames.receive() == b"\xa5" * size
        with pytest.raises(WorldError, match="silent"):
            await frames.receive()
        done.append(True)

    done: list[bool] = []
    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(serve_websocket, echo, "127.0.0.1", 0, None))
        with trio.fail_after(5):
            await dial(f"ws://127.0.0.1:{server.port}", use)
        nursery.cancel_scope.cancel()
    assert done == [True]


# TLS


def certificate(directory: Path, name: str) -> Path:
    """A certificate that signs itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@asynccontextmanager
async def behind_tls(path: Path) -> AsyncIterator[str]:
    """Something that speaks TLS in front of a listener of ours, as a reverse proxy does."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)

    async def echo(frames: FrameStream, established: object) -> None:
        await frames.send(await frames.receive())

    inner = Listener(await trio.open_tcp_listeners(0, host="127.0.0.1"), echo, TIMING)

    async def forward(outside: trio.SSLStream[trio.SocketStream]) -> None:
        inside = await trio.open_tcp_stream("127.0.0.1", inner.ports[0])

        async def copy(source: trio.abc.Stream, sink: trio.abc.Stream) -> None:
            try:
                while data := await source.receive_some(65_536):
                    await sink.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
            nursery.cancel_scope.cancel()

        async with outside, inside, trio.open_nursery() as nursery:
            nursery.start_soon(copy, outside, inside)
            await copy(inside, outside)

    async def contained(outside: trio.SSLStream[trio.SocketStream]) -> None:
        try:
            await forward(outside)
        except* (trio.BrokenResourceError, ssl.SSLError):
            pass

    async with trio.open_nursery() as nursery:
        await nursery.start(inner.run)
        (listener,) = await trio.open_ssl_over_tcp_listeners(0, context, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, contained, [listener])
        transport = listener.transport_listener
        assert isinstance(transport, trio.SocketListener)
        yield f"wss://localhost:{transport.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def test_tls_with_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    dialer._tls.cache_clear()
    async with behind_tls(certificate(tmp_path, "localhost")) as host:
        with trio.fail_after(5), pytest.raises(WorldError, match="certificate is not valid"):
            await dial(host, nothing)


async def test_frames_pass_through_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = certificate(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    dialer._tls.cache_clear()
    seen: list[bytes] = []

    async def use(frames: FrameStream) -> None:
        await frames.send(b"frame" * 1_000)
        seen.append(await frames.receive())

    try:
        async with behind_tls(path) as host:
            with trio.fail_after(5):
                await dial(host, use)
    finally:
        dialer._tls.cache_clear()
    assert seen == [b"frame" * 1_000]
