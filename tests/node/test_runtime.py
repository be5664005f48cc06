"""The loop over real sockets: save, then send, then tell."""

import socket as sockets
from functools import partial

import pytest
import trio

from node.entropy import SystemEntropy
from node.runtime import Running, open_core
from node.transport.contract import FrameStream, Use
from node.transport.memory import connect_in_memory
from protocol.effects import Announce, Dial, HangUp
from protocol.errors import CallerError, Code, DiskBrokenError, StoreError, WorldError
from protocol.events import Closed, Failed, Opened, Started, Unreachable
from protocol.keys import Group, ReceiveId, RelayKey, Request, Sequence, Subscription
from protocol.link.responder import ResponderLink
from protocol.timing import Timing
from protocol.wire.commands import Ack, Delivery, Drop, Subscribe
from tests.node.echo import KEY, RELAY, SUITE, Echo, Memory, Say, accepted, deposit, making
from tests.node.serving import TIMING, Client, Served, connect_by_socket, serving, wait_for


async def test_a_deposit_is_answered_after_its_commit() -> None:
    async with serving() as served, Client.connect(served.port) as client:
        before = served.store.commits
        await client.send(deposit(1), deposit(2))
        assert await client.receive() == [accepted(1), accepted(2)]
        assert served.store.commits > before
        assert len(served.machine.of(Opened)) == 1
    assert served.store.closed


async def test_many_clients_are_answered_at_once() -> None:
    async def converse(port: int) -> None:
        async with Client.connect(port) as client:
            for number in range(20):
                await client.send(deposit(number))
                assert await client.receive() == [accepted(number)]

    async with serving() as served, trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(converse, served.port)
    assert len(served.machine.of(Opened)) == 20


async def test_the_close_of_a_connection_reaches_the_machine() -> None:
    async with serving() as served:
        async with Client.connect(served.port):
            pass
        await wait_for(lambda: served.machine.of(Closed))
        assert served.machine.of(Closed)[0].connection == served.machine.of(Opened)[0].connection
        await wait_for(lambda: served.listener.connections == 0)
        assert served.running.connections == 0


async def test_a_bug_met_by_one_peers_event_costs_only_its_connection() -> None:
    async with serving() as served, Client.connect(served.port) as other:
        async with Client.connect(served.port) as client:
            await client.send(Ack(Subscription(0), Sequence(1)))
            assert await client.closing_code() == 4_000 + Code.INTERNAL
        await other.send(deposit(1))
        assert await other.receive() == [accepted(1)]


async def test_a_disconnect_tells_the_peer_its_code() -> None:
    async with serving() as served, Client.connect(served.port) as client:
        await client.send(Drop(Request(1), ReceiveId(bytes(16))))
        assert await client.closing_code() == 4_000 + Code.REPLACED


async def test_a_subscriber_gets_more_than_fits_a_frame_in_order() -> None:
    async with serving() as served, Client.connect(served.port) as client:
        await client.send(Subscribe(Request(1), Subscription(100), ReceiveId(bytes(16))))
        received: list[int] = []
        while len(received) < 100:
            received += [command.sequence for command in await client.receive() if isinstance(command, Delivery)]
        assert received == list(range(1, 101))


async def test_a_peer_that_does_not_read_what_it_asks_for_is_not_read_either() -> None:
    timing = Timing(handshake_seconds=2.0, write_seconds=30.0)
    async with serving(timing) as served, Client.connect(served.port) as client, trio.open_nursery() as nursery:
        sent = 0

        async def ask() -> None:
            nonlocal sent
            while True:
                await client.send(Subscribe(Request(sent), Subscription(8), ReceiveId(bytes(16))))
                sent += 1

        client.socket._reader_running = False  # the library stops reading once its own queue is full
        nursery.start_soon(ask)
        await trio.sleep(1.5)
        before = sent
        await trio.sleep(0.5)
        assert sent == before, "the relay still takes requests whose replies pile up"
        assert not served.machine.of(Closed)
        nursery.cancel_scope.cancel()
        await client.socket._stream.aclose()


async def test_a_request_gets_the_machines_answer_or_its_error() -> None:
    async with serving() as served:
        assert await served.running.request(Say(result=42)) == 42  # type: ignore[arg-type]
        with pytest.raises(CallerError, match="not like this"):
            await served.running.request(Say(result=CallerError("not like this")))  # type: ignore[arg-type]


async def test_a_reader_of_changes_is_woken_by_an_announcement() -> None:
    async with serving() as served, trio.open_nursery() as nursery:
        seen: list[int] = []

        async def watch() -> None:
            seen.append(await served.running.changes.after(0))
            seen.append(await served.running.changes.after(7))

        nursery.start_soon(watch)
        await served.running.request(Say((Announce(7),)))  # type: ignore[arg-type]
        await wait_for(lambda: seen == [7])
        await served.running.request(Say((Announce(9),)))  # type: ignore[arg-type]
    assert seen == [7, 9]
    assert served.running.changes.latest == 9


@pytest.mark.parametrize("inline", [False, True])
async def test_time_passes_when_the_machine_asks_for_it(inline: bool) -> None:
    machine, store = Echo(), Memory()
    store.service = 1_000.0
    machine.next_wake = 1_000.05
    opening = open_core(
        making(machine, store), suite=SUITE, entropy=SystemEntropy(), timing=TIMING, inline=inline, wall=lambda: 0.0
    )
    async with opening:
        await wait_for(lambda: machine.wake_at)
    assert machine.events[0] == Started()
    assert 1_000.05 <= machine.wake_at[0] < 1_001
    assert store.service >= machine.wake_at[0], "the clock is saved at the end"
    assert store.closed


async def test_inline_steps_serve_sockets_too() -> None:
    machine, store = Echo(), Memory()
    opening = open_core(making(machine, store), suite=SUITE, entropy=SystemEntropy(), timing=TIMING, inline=True)
    async with opening as running:
        assert await running.request(Say(result="here")) == "here"  # type: ignore[arg-type]


async def test_a_store_that_is_busy_answers_and_goes_on() -> None:
    async with serving() as served:
        served.store.broken = StoreError("busy")
        with pytest.raises(CallerError, match="not stored"):
            await served.running.request(Say())  # type: ignore[arg-type]
        assert not served.machine.of(Failed) or served.machine.of(Failed)[0].full is False
        served.store.broken = None
        assert await served.running.request(Say(result=1)) == 1  # type: ignore[arg-type]


async def until_the_disk_breaks() -> None:
    store = Memory()
    async with serving(store=store) as served:
        store.broken = DiskBrokenError("the disk cannot be trusted")
        await served.running.request(Say())  # type: ignore[arg-type]


async def test_a_broken_disk_ends_the_program_with_its_reason() -> None:
    with pytest.raises(DiskBrokenError, match="cannot be trusted"):
        await until_the_disk_breaks()


async def test_who_asks_a_node_that_has_stopped_is_told() -> None:
    async with serving() as served:
        pass
    with pytest.raises(WorldError, match="stopping"):
        await served.running.request(Say())  # type: ignore[arg-type]


async def test_a_store_that_does_not_open_says_why() -> None:
    def make() -> object:
        raise CallerError("this database is newer")

    with pytest.raises(CallerError, match="newer"):
        async with open_core(make, suite=SUITE, entropy=SystemEntropy(), timing=TIMING):  # type: ignore[arg-type]
            pytest.fail("it opened")


async def test_an_exception_of_the_block_comes_out_as_it_is() -> None:
    with pytest.raises(KeyError, match="mine"):
        async with open_core(making(Echo(), Memory()), suite=SUITE, entropy=SystemEntropy(), timing=TIMING):
            raise KeyError("mine")


# What the machine dials


async def dialling(served: Served, host: str, relay: RelayKey = RELAY, seconds: float = 2.0) -> list[object]:
    """The events of a second machine that dials once and hangs up when it has its answer."""
    machine = Echo()
    opening = open_core(
        making(machine, Memory()), suite=SUITE, entropy=SystemEntropy(), timing=TIMING, connect=connect_by_socket
    )
    async with opening as running:
        await running.request(Say((Dial(relay, host, seconds),)))  # type: ignore[arg-type]
        await wait_for(lambda: machine.of(Opened) or machine.of(Unreachable))
        await running.request(Say((HangUp(relay),)))  # type: ignore[arg-type]
        if machine.of(Opened):
            await wait_for(lambda: machine.of(Closed))
    return [event for event in machine.events if isinstance(event, Opened | Closed | Unreachable)]


async def test_a_dial_opens_and_a_hang_up_closes() -> None:
    async with serving() as served:
        opened, closed = await dialling(served, served.host)
        assert isinstance(opened, Opened)
        assert opened.relay == RELAY
        assert isinstance(closed, Closed)
        await wait_for(lambda: served.machine.of(Closed))
        assert served.machine.of(Opened)[0].handshake_hash == opened.handshake_hash
        assert served.machine.of(Opened)[0].relay is None


async def test_what_cannot_be_reached_says_why() -> None:
    other = RelayKey(SUITE.signing_key(b"\x09" * 32)[32:])
    with sockets.socket() as silent, sockets.socket() as unused:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        unused.bind(("127.0.0.1", 0))
        async with serving() as served:
            for host, relay, reason in (
                (f"ws://127.0.0.1:{unused.getsockname()[1]}", RELAY, "connection refused"),
                (f"ws://127.0.0.1:{silent.getsockname()[1]}", RELAY, "it did not answer in time"),
                (served.host, other, "what answers there does not hold the key of its address"),
                (served.host, RelayKey(b"\xff" * 32), "the key of its address is not a key"),
                ("http://127.0.0.1:1", RELAY, "'http://127.0.0.1:1' is not a host"),
                ("ws://does-not-exist.invalid:1", RELAY, ""),
            ):
                (event,) = await dialling(served, host, relay, seconds=0.5)
                assert isinstance(event, Unreachable), host
                assert event.relay == relay
                assert reason in event.reason, (host, event.reason)


async def test_a_machine_reaches_another_of_its_own_program_through_memory() -> None:
    here, there = Echo(), Echo()
    system = SystemEntropy()
    async with open_core(making(there, Memory()), suite=SUITE, entropy=system, timing=TIMING) as relay:

        async def answer(running: Running, frames: FrameStream) -> None:
            await running.carry(frames, ResponderLink(SUITE, system, TIMING, KEY, frames.opened_at))

        async def connect(key: RelayKey, host: str, use: Use, group: Group) -> None:
            assert key == RELAY
            await connect_in_memory(use, partial(answer, relay))

        opening = open_core(making(here, Memory()), suite=SUITE, entropy=system, timing=TIMING, connect=connect)
        async with opening as running:
            await running.request(Say((Dial(RELAY, "ws://nowhere:1", 1.0),)))  # type: ignore[arg-type]
            await wait_for(lambda: here.of(Opened) and there.of(Opened))
            assert here.of(Opened)[0].handshake_hash == there.of(Opened)[0].handshake_hash
            await running.request(Say((HangUp(RELAY),)))  # type: ignore[arg-type]
            await wait_for(lambda: here.of(Closed) and there.of(Closed))


class Broken:
    """A session as no code of ours should leave it."""


async def test_a_fault_of_ours_met_by_one_connection_is_told_to_its_peer_alone() -> None:
    async with serving() as served, Client.connect(served.port) as other:
        async with Client.connect(served.port) as client:
            newest = max(served.running._connections)
            served.running._connections[newest]._link._session = Broken()  # type: ignore[assignment]
            await client.send(deposit(1))
            assert await client.closing_code() == 4_000 + Code.INTERNAL
        await other.send(deposit(1))
        assert await other.receive() == [accepted(1)]
