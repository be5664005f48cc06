"""One contract, every stream: a WebSocket over loopback, memory, and the paths of a virtual network."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeAlias

import pytest
import trio
import trio.testing

from node.transport.contract import Ended, FrameStream
from node.transport.dialer import dial
from node.transport.listener import Established, Listener, listen
from node.transport.memory import connect_in_memory
from protocol.errors import Code
from protocol.keys import RelayKey
from protocol.limits import MAX_FRAME_BYTES
from protocol.timing import Timing
from simulations.faithful.agenda import Agenda
from simulations.faithful.stream import virtual_pair
from simulations.host import Host
from simulations.network import Network
from simulations.toy import ToySuite

Pair: TypeAlias = tuple[FrameStream, FrameStream]
Pairs: TypeAlias = Callable[[], AbstractAsyncContextManager[Pair]]


class Meeting:
    """Both ends of a connection, brought together in one task."""

    def __init__(self) -> None:
        self.over = trio.Event()
        self.dialled: FrameStream | None = None
        self.answered: FrameStream | None = None
        self._both = trio.Event()

    async def dial(self, frames: FrameStream) -> None:
        self.dialled = frames
        await self._stay()

    async def answer(self, frames: FrameStream, established: Established = lambda: None) -> None:
        established()
        self.answered = frames
        await self._stay()

    async def _stay(self) -> None:
        if self.dialled is not None and self.answered is not None:
            self._both.set()
        await self.over.wait()

    async def pair(self) -> Pair:
        await self._both.wait()
        assert self.dialled is not None
        assert self.answered is not None
        return self.dialled, self.answered


@asynccontextmanager
async def over_websocket() -> AsyncIterator[Pair]:
    meeting = Meeting()
    async with trio.open_nursery() as nursery:
        listener = Listener(await listen("127.0.0.1", 0), meeting.answer, Timing())
        await nursery.start(listener.run)
        nursery.start_soon(dial, f"ws://127.0.0.1:{listener.ports[0]}", meeting.dial)
        with trio.fail_after(5):
            pair = await meeting.pair()
        yield pair
        meeting.over.set()
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def in_memory() -> AsyncIterator[Pair]:
    meeting = Meeting()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connect_in_memory, meeting.dial, meeting.answer)
        yield await meeting.pair()
        meeting.over.set()


@asynccontextmanager
async def over_virtual_paths() -> AsyncIterator[Pair]:
    async with trio.open_nursery() as nursery:
        agenda = Agenda(nursery)
        nursery.start_soon(agenda.keep)
        network = Network(agenda, 0.002, 0.5, lambda source, destination: lambda: 0.5)
        here, there = (Host(agenda, network, index, "", ToySuite(), Timing()) for index in (0, 1))
        yield virtual_pair(network, here, there, RelayKey(bytes(32)))
        nursery.cancel_scope.cancel()


every_stream = pytest.mark.parametrize("pairs", [over_websocket, in_memory, over_virtual_paths])


@every_stream
async def test_messages_arrive_whole_and_in_order_both_ways(pairs: Pairs) -> None:
    messages = [bytes([n % 256]) * size for n, size in enumerate([1, 4_096, MAX_FRAME_BYTES] * 20)]
    async with pairs() as (here, there):
        for writer, reader in ((here, there), (there, here)):
            received: list[bytes] = []

            async def read(reader: FrameStream = reader, received: list[bytes] = received) -> None:
                received += [await reader.receive() for _ in messages]

            async with trio.open_nursery() as nursery:
                nursery.start_soon(read)
                for message in messages:
                    await writer.send(message)
            assert received == messages


@every_stream
async def test_what_was_sent_before_the_close_is_read_before_the_end(pairs: Pairs) -> None:
    async with pairs() as (here, there), trio.open_nursery() as nursery:
        await here.send(b"last")
        nursery.start_soon(here.close, None)
        assert await there.receive() == b"last"
        with pytest.raises(Ended) as end:
            await there.receive()
        assert end.value.code is None


@every_stream
async def test_the_other_end_learns_the_code(pairs: Pairs) -> None:
    for way in (0, 1):
        async with pairs() as pair, trio.open_nursery() as nursery:
            nursery.start_soon(pair[way].close, Code.CUSTODY)
            with pytest.raises(Ended) as end:
                await pair[1 - way].receive()
            assert end.value.code is Code.CUSTODY


@every_stream
async def test_nothing_is_sent_into_a_closed_stream(pairs: Pairs) -> None:
    async with pairs() as (here, there):
        await there.close(None)
        with pytest.raises(Ended):
            await here.receive()
        with pytest.raises(Ended):
            await here.send(b"into nothing")
        await here.close(None)
        await here.close(Code.SILENT)


@every_stream
async def test_a_reader_that_waits_learns_of_the_close_of_its_own_end(pairs: Pairs) -> None:
    async with pairs() as (here, _), trio.open_nursery() as nursery:
        ends: list[Ended] = []

        async def read() -> None:
            with pytest.raises(Ended) as end:
                await here.receive()
            ends.append(end.value)

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked(0.05)
        await here.close(None)
    assert len(ends) == 1


@every_stream
async def test_a_sender_waits_for_who_does_not_read_and_a_cancelled_send_ends_the_stream(pairs: Pairs) -> None:
    async with pairs() as (here, there):
        with trio.move_on_after(0.5) as scope:
            while True:
                await here.send(bytes(MAX_FRAME_BYTES))
        assert scope.cancelled_caught
        before = trio.current_time()
        await here.close(None)
        assert trio.current_time() - before < 1.5
        with pytest.raises(Ended):
            await read_all(there)


async def read_all(stream: FrameStream) -> None:
    """To the end."""
    while True:
        assert len(await stream.receive()) == MAX_FRAME_BYTES
