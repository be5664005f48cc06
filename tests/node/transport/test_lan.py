"""The door on a local network: a session for who has the secret, silence for everybody else."""

import os
from itertools import pairwise

import pytest
import trio
import trio.testing

from node.transport import lan
from node.transport.contract import Ended
from protocol.discovery.tags import hint
from protocol.errors import Code, PeerError
from protocol.keys import DhPublic, PairSecret

NONCE = bytes(range(16))
SECRETS = [PairSecret(bytes((number,)) * 32) for number in range(64)]
MESSAGE = bytes(range(256)) * 16


def hint_of(secret: PairSecret) -> bytes:
    return hint(secret, NONCE, DhPublic(MESSAGE[:32]))


async def answered(sent: bytes, *, cut: bool = False) -> tuple[float, bytes]:
    """How long a stranger that sends this was kept, and what it was told."""
    theirs, ours = trio.testing.memory_stream_pair()
    began = trio.current_time()

    async def door() -> None:
        assert await lan.welcome(ours, NONCE, SECRETS, began + 7.5) is None
        await ours.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(door)
        await theirs.send_all(sent)
        if cut:
            await theirs.aclose()
            return 0.0, b""
        told = bytearray()
        while data := await theirs.receive_some():
            told += data
    return trio.current_time() - began, bytes(told)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        hint_of(SECRETS[3]),
        hint_of(PairSecret(b"\xff" * 32)) + MESSAGE,
        hint_of(SECRETS[3]) + bytes(32) + MESSAGE[32:],
        os.urandom(8 + 4_096),
        os.urandom(100_000),
    ],
    ids=["silence", "http", "half", "stranger", "other key", "random", "much"],
)
async def test_who_has_no_secret_hears_nothing_and_cannot_tell_why(
    sent: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    seconds, told = await answered(sent)
    assert seconds == pytest.approx(7.5)
    assert told == b""


async def test_who_hangs_up_is_let_go(autojump_clock: trio.testing.MockClock) -> None:
    await answered(b"abc", cut=True)


@pytest.mark.parametrize("index", [0, 31, 63])
async def test_a_hint_names_its_secret_and_the_message_is_handed_on(index: int) -> None:
    theirs, ours = trio.testing.memory_stream_pair()
    await theirs.send_all(hint_of(SECRETS[index]) + MESSAGE)
    guest = await lan.welcome(ours, NONCE, SECRETS, trio.current_time() + 7.5)
    assert guest is not None
    frames, secret = guest
    assert secret == SECRETS[index]
    assert await frames.receive() == MESSAGE


async def test_a_message_that_does_not_authenticate_is_left_without_a_byte_too(
    autojump_clock: trio.testing.MockClock,
) -> None:
    theirs, ours = trio.testing.memory_stream_pair()
    await theirs.send_all(hint_of(SECRETS[0]) + MESSAGE)
    close_at = trio.current_time() + 7.5
    guest = await lan.welcome(ours, NONCE, SECRETS, close_at)
    assert guest is not None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(guest[0].close, Code.NOISE)
        assert await theirs.receive_some() == b""
    assert trio.current_time() == pytest.approx(close_at)


def pair() -> tuple[lan.LanFrames, lan.LanFrames]:
    """Of one stream in memory; the hint is eight zeros, and read already."""
    theirs, ours = trio.testing.memory_stream_pair()
    return lan.LanFrames(theirs, 0.0), lan.LanFrames(ours, 0.0)


async def test_frames_of_every_size_arrive_whole_and_in_order() -> None:
    one, other = pair()
    frames = [os.urandom(4_096 * slots) for slots in (1, 1, 2, 4, 8, 1)]
    async with trio.open_nursery() as nursery:

        async def send() -> None:
            for frame in frames:
                await one.send(frame)
            await one.close(None)

        nursery.start_soon(send)
        assert [await other.receive() for _ in frames] == frames
        with pytest.raises(Ended):
            await other.receive()


@pytest.mark.parametrize("slots", [0, 3, 5, 16, 255])
async def test_a_frame_of_no_size_is_refused(slots: int) -> None:
    theirs, ours = trio.testing.memory_stream_pair()
    await theirs.send_all(MESSAGE + bytes((slots,)))
    frames = lan.LanFrames(ours, 0.0)
    assert await frames.receive() == MESSAGE
    with pytest.raises(PeerError) as refused:
        await frames.receive()
    assert refused.value.code is Code.SIZE


async def test_a_cancelled_send_ends_the_stream() -> None:
    """Over a socket that nobody reads: half of a frame may be on the wire."""
    listener = await lan.listen(bytes((127, 0, 0, 1)), 0)
    port = listener.socket.getsockname()[1]

    async def use(frames: object) -> None:
        assert isinstance(frames, lan.LanFrames)
        with trio.move_on_after(0.5):
            while True:
                await frames.send(bytes(32_768))
        with pytest.raises(Ended):
            await frames.send(bytes(4_096))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(lan.dial, bytes((127, 0, 0, 1)), port, 0, use)
        stream = await listener.accept()
    await stream.aclose()
    await listener.aclose()


async def test_every_port_is_fresh() -> None:
    listeners = [await lan.listen(bytes((127, 0, 0, 1)), 0) for _ in range(4)]
    ports = [listener.socket.getsockname()[1] for listener in listeners]
    assert all(one != other for one, other in pairwise(ports))
    for listener in listeners:
        await listener.aclose()
