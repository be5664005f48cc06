"""A relay is asked for its list over real sockets; whatever it answers, the asker ends, in time and with a reason."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
import trio

from node.entropy import SystemEntropy
from node.relay_inquiry import ask_for_list
from node.transport.contract import Ended, FrameStream
from node.transport.listener import Established, Listener, listen
from protocol.errors import CallerError, Code, PeerError, WorldError
from protocol.keys import RelayKey
from protocol.limits import MAX_RELAY_LIST_BYTES, RELAY_LIST_PART_BYTES
from protocol.link.responder import ResponderLink
from protocol.relays.parts import cut_part
from protocol.timing import Timing
from protocol.wire.addresses import Host
from protocol.wire.commands import Described, Done, Info, ToNode
from tests.node.echo import KEY, RELAY, SUITE

TIMING = Timing(dial_seconds=1.0, reply_seconds=1.0)
PART = bytes(RELAY_LIST_PART_BYTES)
Answers = Callable[[Info], Sequence[ToNode] | Code]


@asynccontextmanager
async def relay(answers: Answers) -> AsyncIterator[Host]:
    """One that answers like this; a code: it hangs up with it."""

    async def serve(frames: FrameStream, established: Established) -> None:
        link = ResponderLink(SUITE, SystemEntropy(), TIMING, KEY, frames.opened_at)
        try:
            while True:
                for command in link.receive(await frames.receive(), trio.current_time()):
                    assert isinstance(command, Info)
                    replies = answers(command)
                    if isinstance(replies, Code):
                        await frames.close(replies)
                        return
                    for reply in replies:
                        link.queue(reply)
                while (frame := link.transmit(trio.current_time())) is not None:
                    await frames.send(frame)
                established()
        except PeerError as error:
            await frames.close(error.code)
        except Ended:
            pass

    listener = Listener(await listen("127.0.0.1", 0), serve, TIMING)
    async with trio.open_nursery() as nursery:
        await nursery.start(listener.run)
        yield Host.parse(f"ws://127.0.0.1:{listener.ports[0]}")
        nursery.cancel_scope.cancel()


async def ask(host: Host, key: RelayKey = RELAY) -> bytes:
    with trio.fail_after(10):
        return await ask_for_list(host, key, SystemEntropy(), TIMING)


def offering(encoded: bytes) -> Answers:
    return lambda question: [Described(question.request, *cut_part(encoded, question.part))]


@pytest.mark.parametrize("length", [1, RELAY_LIST_PART_BYTES + 1, MAX_RELAY_LIST_BYTES])
async def test_a_list_comes_whole_whatever_its_length(length: int) -> None:
    encoded = (bytes(range(251)) * 300)[:length]
    async with relay(offering(encoded)) as host:
        assert await ask(host) == encoded


@pytest.mark.parametrize(
    ("answers", "error", "says"),
    [
        (offering(b""), CallerError, "offers no list"),
        (offering(bytes(MAX_RELAY_LIST_BYTES + 8_000)), CallerError, "too_large: a list of relays has at most 65,536"),
        (lambda question: [Described(question.request, 2, PART)] * 3, CallerError, "an answer to nothing"),
        (lambda question: [Described(question.request, 2 + question.part, PART)], CallerError, "do not fit together"),
        (lambda question: [Done(question.request)], CallerError, "something else"),
        (lambda _: Code.MALFORMED, WorldError, "Is it a relay of this version"),
        (lambda _: [], WorldError, "did not answer in time"),
    ],
    ids=["none", "huge", "more than asked", "growing", "something else", "an old relay", "silent"],
)
async def test_a_relay_that_lies_or_says_nothing_is_told_of(
    answers: Answers, error: type[Exception], says: str
) -> None:
    async with relay(answers) as host:
        with pytest.raises(error, match=says):
            await ask(host)


async def test_who_does_not_hold_the_key_of_the_address_is_not_asked() -> None:
    asked: list[Info] = []

    def answers(question: Info) -> Sequence[ToNode]:
        asked.append(question)
        return []

    other = RelayKey(SUITE.signing_key(bytes(range(32)))[32:])
    async with relay(answers) as host:
        with pytest.raises(CallerError, match="does not hold the key of its address"):
            await ask(host, other)
    with pytest.raises(CallerError, match="is not a key"):
        await ask(host, RelayKey(bytes(32)))
    with pytest.raises(WorldError, match=r"cannot be asked for its list: .*connection refused"):
        await ask(host)
    assert asked == []
