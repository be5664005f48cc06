"""Whatever one peer sends, it alone is closed, with a code where it can be told one, and nobody else notices."""

import base64
import os
import socket as sockets
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from node.entropy import SystemEntropy
from node.transport.websocket import MOST_BYTES_WITHOUT_MESSAGE, PATH
from protocol.crypto import noise
from protocol.errors import Code
from protocol.keys import DhPrivate, KemSeed, ReceiveId, Request, Subscription
from protocol.limits import MAX_FRAME_BYTES, SLOT_BYTES
from protocol.link import offers
from protocol.link.initiator import InitiatorLink
from protocol.timing import Timing
from protocol.wire.codec import encode
from protocol.wire.commands import Done, Subscribe
from protocol.wire.frames import encode_frame
from tests.node.echo import RELAY, SUITE, accepted, deposit
from tests.node.serving import TIMING, Client, Served, serving, wait_for

UPGRADE = (
    f"GET {PATH} HTTP/1.1\r\nHost: relay\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: kassiber.1\r\n\r\n"
)


def upgrade() -> bytes:
    return UPGRADE.format(key=base64.b64encode(os.urandom(16)).decode()).encode()


class Raw:
    """A TCP client that says what it likes."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._received = bytearray()

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def flood(self, data: bytes, times: int) -> None:
        """As much of it as the other side takes before it hangs up."""
        try:
            for _ in range(times):
                await self.stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async def rest(self, seconds: float = 5.0) -> bytes:
        """All that comes until the other side hangs up, or says that it will."""
        with trio.fail_after(seconds):
            try:
                while self._received[-4:-2] != b"\x88\x02" and (data := await self.stream.receive_some(65_536)):
                    self._received += data
            except trio.BrokenResourceError:
                pass
        return bytes(self._received)

    async def head(self) -> bytes:
        """The answer to a handshake."""
        while b"\r\n\r\n" not in self._received:
            data = await self.stream.receive_some(65_536)
            assert data, "closed before it answered"
            self._received += data
        head, _, rest = bytes(self._received).partition(b"\r\n\r\n")
        self._received = bytearray(rest)
        return head

    async def frame(self) -> bytes:
        """The next message of the relay's."""
        while len(self._received) < 4 + SLOT_BYTES:
            self._received += await self.stream.receive_some(65_536)
        assert self._received[:4] == b"\x82\x7e" + SLOT_BYTES.to_bytes(2, "big")
        message = bytes(self._received[4 : 4 + SLOT_BYTES])
        del self._received[: 4 + SLOT_BYTES]
        return message

    async def closing_code(self) -> int | None:
        """That of the last close frame before the end."""
        rest = await self.rest()
        return int.from_bytes(rest[-2:], "big") if rest[-4:-2] == b"\x88\x02" else None


def ws(opcode: int, payload: bytes, *, fin: bool = True, mask: bool = True) -> bytes:
    """A frame (RFC 6455 §5.2)."""
    first = bytes([(0x80 if fin else 0) | opcode])
    bit = 0x80 if mask else 0
    if len(payload) < 126:
        length = bytes([bit | len(payload)])
    elif len(payload) < 65_536:
        length = bytes([bit | 126]) + struct.pack("!H", len(payload))
    else:
        length = bytes([bit | 127]) + struct.pack("!Q", len(payload))
    return first + length + (b"\0\0\0\0" if mask else b"") + payload


@asynccontextmanager
async def raw(served: Served) -> AsyncIterator[Raw]:
    async with await trio.open_tcp_stream("127.0.0.1", served.port) as stream:
        yield Raw(stream)


@asynccontextmanager
async def upgraded(served: Served) -> AsyncIterator[Raw]:
    """Past the WebSocket handshake."""
    async with raw(served) as client:
        await client.send(upgrade())
        assert (await client.head()).startswith(b"HTTP/1.1 101")
        yield client


@asynccontextmanager
async def in_session(served: Served) -> AsyncIterator[tuple[Raw, InitiatorLink]]:
    """Past the Noise handshake."""
    async with upgraded(served) as client:
        link = InitiatorLink(SUITE, SystemEntropy(), Timing(), RELAY, 0.0)
        first = link.transmit(0.0)
        assert first is not None
        await client.send(ws(2, first))
        link.receive(await client.frame(), 0.0)
        yield client, link


@asynccontextmanager
async def with_a_witness() -> AsyncIterator[Served]:
    """Somebody else is connected before and is served as ever after."""
    async with serving() as served, Client.connect(served.port) as witness:
        yield served
        with trio.fail_after(2):
            await witness.send(deposit(1))
            assert await witness.receive() == [accepted(1)]
        await wait_for(lambda: served.running.connections == 1)
        await wait_for(lambda: served.listener.connections == 1)


HEADERS = ["Host", "Upgrade", "Connection", "Sec-WebSocket-Version", "Sec-WebSocket-Key", "Sec-WebSocket-Protocol",
           "Sec-WebSocket-Extensions", "Origin", "Cookie", "User-Agent", "X-Other"]  # fmt: skip


async def test_no_header_with_bytes_beyond_ascii_disturbs_anybody() -> None:
    requests = [
        line + upgrade() for line in (b"GET /\xff HTTP/1.1\r\n", b"\xff\xfe\xfd", b"GET / HTTP/1.1\r\n\xe4: x\r\n\r\n")
    ]
    for header in HEADERS:
        kept = [line for line in upgrade().split(b"\r\n") if not line.startswith(header.encode() + b":")]
        bad = (b"\xff", b"\xc3\xa4", b"\x80abc", b"a\xfeb")
        requests += [b"\r\n".join([kept[0], header.encode() + b": " + value, *kept[1:]]) for value in bad]

    async with with_a_witness() as served, trio.open_nursery() as nursery:

        async def send(request: bytes) -> None:
            async with raw(served) as client:
                await client.send(request)
                await client.rest()

        for request in requests:
            nursery.start_soon(send, request)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (upgrade().replace(PATH.encode(), b"/other"), b"404"),
        (upgrade().replace(b"kassiber.1", b"kassiber.9"), b"400"),
        (upgrade().replace(b"Sec-WebSocket-Protocol: kassiber.1\r\n", b""), b"400"),
        (upgrade().replace(b"Version: 13", b"Version: 12"), b"426"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b""),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", b""),
        (b"", b""),
    ],
)
async def test_what_is_no_kassiber_handshake_is_answered_and_closed(request_bytes: bytes, status: bytes) -> None:
    async with with_a_witness() as served, raw(served) as client:
        await client.flood(request_bytes, 1)
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 " + status) or not status


async def test_a_peer_that_says_nothing_or_trickles_is_closed_in_time() -> None:
    async with with_a_witness() as served, trio.open_nursery() as nursery:

        async def trickle() -> None:
            async with raw(served) as client:
                for byte in upgrade():
                    await client.flood(bytes([byte]), 1)
                    await trio.sleep(0.02)

        async def silent() -> None:
            begun = trio.current_time()
            async with raw(served) as client:
                assert await client.rest() == b""
            assert TIMING.handshake_seconds * 0.9 < trio.current_time() - begun < TIMING.handshake_seconds + 1

        async def silent_after_the_upgrade() -> None:
            async with upgraded(served) as client:
                assert await client.closing_code() == 4_000 + Code.SILENT

        for peer in (trickle, silent, silent_after_the_upgrade):
            nursery.start_soon(peer)


async def test_a_peer_that_is_silent_in_a_session_is_closed() -> None:
    timing = Timing(handshake_seconds=1.0, keep_alive_seconds=0.2)
    async with serving(timing) as served, in_session(served) as (client, _):
        begun = trio.current_time()
        assert await client.closing_code() == 4_000 + Code.SILENT
        assert 0.4 < trio.current_time() - begun < 3.0


async def test_an_idle_session_is_kept_alive_by_both() -> None:
    timing = Timing(handshake_seconds=1.0, keep_alive_seconds=0.2)
    async with serving(timing) as served, Client.connect(served.port) as client:
        for _ in range(8):
            assert await client.receive() == []
            assert client.link._session is not None
            await client.socket.send_message(client.link._session.sending.encrypt(encode_frame([])))
        await client.send(deposit(1))
        assert await client.receive() == [accepted(1)]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (ws(1, b"text"), Code.MALFORMED),
        (ws(1, b"\xff\xfe"), Code.MALFORMED),
        (ws(3, b""), Code.MALFORMED),
        (ws(2, bytes(SLOT_BYTES), mask=False), Code.MALFORMED),
        (b"\xf2" + ws(2, bytes(SLOT_BYTES))[1:], Code.MALFORMED),
        (ws(0, b"continues nothing"), Code.MALFORMED),
        (ws(9, bytes(126)), Code.MALFORMED),
        (ws(2, b""), Code.SIZE),
        (ws(2, bytes(100)), Code.SIZE),
        (ws(2, bytes(2 * SLOT_BYTES)), Code.SIZE),
        (ws(2, bytes(MAX_FRAME_BYTES + 1)), Code.SIZE),
        (ws(2, bytes(100_000)), Code.SIZE),
        (b"\x82\xff" + struct.pack("!Q", 2**62) + b"\0\0\0\0" + bytes(200_000), Code.SIZE),
        (ws(2, bytes(SLOT_BYTES)), Code.NOISE),
        (ws(2, os.urandom(SLOT_BYTES)), Code.NOISE),
        (ws(2, bytes(20_000), fin=False) + ws(0, bytes(20_000)), Code.SIZE),
    ],
)
async def test_a_message_that_breaks_a_rule_is_answered_with_its_code(sent: bytes, code: Code) -> None:
    async with with_a_witness() as served, upgraded(served) as client:
        await client.flood(sent, 1)
        assert await client.closing_code() == 4_000 + code


@pytest.mark.parametrize(
    ("plaintext", "code"),
    [
        (encode_frame([Done(Request(1))]), Code.MALFORMED),
        (encode_frame([[99, 1]]), Code.MALFORMED),
        (b"\x00\x03\xdc\x00\x00" + bytes(4_075), Code.NON_CANONICAL),
        (b"\x00\x01\x90" + bytes(4_076) + b"\x01", Code.PADDING),
        (b"\x0f\xee" + b"\x91" * 4_078, Code.MALFORMED),
        (encode_frame([deposit(1)])[:100].ljust(4_080, b"\0"), Code.MALFORMED),
    ],
)
async def test_a_frame_that_breaks_a_rule_is_answered_with_its_code(plaintext: bytes, code: Code) -> None:
    async with with_a_witness() as served, in_session(served) as (client, link):
        assert link._session is not None
        await client.send(ws(2, link._session.sending.encrypt(plaintext)))
        assert await client.closing_code() == 4_000 + code


async def test_an_offer_of_other_versions_only_is_answered_with_its_code() -> None:
    async with with_a_witness() as served, upgraded(served) as client:
        encoded = encode([2, 3])
        payload = (len(encoded).to_bytes(2, "big") + encoded).ljust(offers.OFFER_BYTES, b"\0")
        static = SUITE.relay_dh_public(RELAY)
        first = noise.Initiator(SUITE, static, DhPrivate(os.urandom(32)), KemSeed(os.urandom(64))).write(payload)
        await client.send(ws(2, first))
        assert await client.closing_code() == 4_000 + Code.VERSION


async def test_a_fragmented_message_is_put_together() -> None:
    async with serving() as served, in_session(served) as (client, link):
        link.queue(deposit(1))
        frame = link.transmit(0.0)
        assert frame is not None
        await client.send(ws(2, frame[:1], fin=False) + ws(9, b"ping") + ws(0, frame[1:1_000], fin=False))
        await client.send(ws(0, b"", fin=False) + ws(0, frame[1_000:]))
        assert await client.stream.receive_some(6) == b"\x8a\x04ping"
        assert link.receive(await client.frame(), 0.0) == [accepted(1)]


@pytest.mark.parametrize("junk", [ws(9, b"p" * 100), ws(10, b""), ws(0, b"", fin=False)])
async def test_junk_without_end_is_answered_with_its_code(junk: bytes) -> None:
    async with with_a_witness() as served, in_session(served) as (client, _):
        if junk[0] == 0:
            await client.send(ws(2, b"", fin=False))
        async with trio.open_nursery() as nursery:
            times = 2 * MOST_BYTES_WITHOUT_MESSAGE // (len(junk) * 1_000)
            nursery.start_soon(client.flood, junk * 1_000, times + 1)
            rest = await client.rest()
        assert b"\x88\x02" + (4_000 + Code.LIMIT).to_bytes(2, "big") in rest


async def test_a_flood_of_frames_is_read_no_faster_than_it_is_handled() -> None:
    async with with_a_witness() as served, in_session(served) as (client, link):
        for number in range(400):
            link.queue(deposit(number))
            frame = link.transmit(0.0)
            assert frame is not None
            await client.send(ws(2, frame))
        replies = 0
        while replies < 400:
            replies += len(link.receive(await client.frame(), 0.0))
        assert replies == 400


async def test_a_half_close_ends_the_connection() -> None:
    async with with_a_witness() as served:
        for stage in (raw, upgraded):
            async with stage(served) as client:
                await client.stream.send_eof()
                await client.rest()
        async with in_session(served) as (client, _):
            await client.stream.send_eof()
            await client.rest()


async def test_a_reset_ends_the_connection() -> None:
    async with with_a_witness() as served:
        for _ in range(5):
            async with in_session(served) as (client, link):
                link.queue(deposit(1))
                frame = link.transmit(0.0)
                assert frame is not None
                await client.send(ws(2, frame))
                client.stream.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))


async def test_a_peer_that_does_not_read_is_hung_up_on() -> None:
    timing = Timing(handshake_seconds=1.0, write_seconds=0.5)
    async with serving(timing) as served, in_session(served) as (client, link):
        client.stream.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4_096)
        for number in range(60):
            link.queue(Subscribe(Request(number), Subscription(100), ReceiveId(bytes(16))))
            frame = link.transmit(0.0)
            assert frame is not None
            await client.flood(ws(2, frame), 1)
        await wait_for(lambda: served.running.connections == 0)
        assert served.endings


@given(st.binary(max_size=300))
@settings(max_examples=30)
def test_no_bytes_in_place_of_a_handshake_or_a_frame_disturb_anybody(junk: bytes) -> None:
    async def attack() -> None:
        async with with_a_witness() as served:
            for stage in (raw, upgraded):
                async with stage(served) as client:
                    await client.flood(junk, 1)
                    await client.stream.send_eof()
                    await client.rest()

    trio.run(attack)


async def test_tcp_is_told_not_to_hold_back_small_frames() -> None:
    seen: list[int] = []
    async with serving() as served:

        async def look(frames: object, established: object) -> None:
            stream = frames._stream  # type: ignore[attr-defined]
            seen.append(stream.socket.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY))

        served.listener._handler = look
        async with upgraded(served) as client:
            await client.rest()
    assert seen == [1]


# Too many


async def test_strangers_make_room_for_newcomers_and_nobody_with_a_session_does() -> None:
    async with serving(most=20, most_per_address=10) as served, trio.open_nursery() as nursery:
        friends = 0

        async def stay() -> None:
            nonlocal friends
            async with Client.connect(served.port) as client:
                friends += 1
                await client.send(deposit(1))
                assert await client.receive() == [accepted(1)]
                await trio.sleep_forever()

        for _ in range(9):
            nursery.start_soon(stay)
        await wait_for(lambda: friends == 9)
        strangers = [await trio.open_tcp_stream("127.0.0.1", served.port) for _ in range(30)]
        nursery.start_soon(stay)
        await wait_for(lambda: friends == 10)
        assert served.listener.connections <= 10
        late = await trio.open_tcp_stream("127.0.0.1", served.port)
        assert await late.receive_some(1) == b"", "every place is taken by somebody with a session"
        for stream in strangers:
            await stream.aclose()
        nursery.cancel_scope.cancel()
    assert served.listener.connections == 0


async def test_addresses_share_no_cap() -> None:
    async with serving(most=20, most_per_address=3) as served:
        here = [await trio.open_tcp_stream("127.0.0.1", served.port) for _ in range(3)]
        there = [
            await trio.open_tcp_stream("127.0.0.1", served.port, local_address=f"127.0.0.{n}") for n in range(2, 9)
        ]
        await wait_for(lambda: served.listener.connections == 10)
        for stream in (*here, *there):
            await stream.aclose()
