"""A served echo machine on loopback, and clients of it, for tests."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, open_websocket

from node.connection import LiveConnection
from node.entropy import SystemEntropy
from node.runtime import Running, open_core
from node.transport.contract import FrameStream
from node.transport.dialer import dial
from node.transport.listener import Established, Listener, listen
from node.transport.websocket import PATH
from protocol import SUBPROTOCOL
from protocol.keys import Group, RelayKey
from protocol.link.initiator import InitiatorLink
from protocol.link.responder import ResponderLink
from protocol.timing import Timing
from protocol.wire.commands import Command
from tests.node.echo import KEY, RELAY, SUITE, Echo, Memory, making

TIMING = Timing(handshake_seconds=0.5, keep_alive_seconds=60.0, write_seconds=1.0)


class Served:
    """An echo machine, its store, and where it listens."""

    def __init__(self, machine: Echo, store: Memory, running: Running, listener: Listener, timing: Timing) -> None:
        self.machine = machine
        self.store = store
        self.running = running
        self.listener = listener
        self.timing = timing
        self.port = listener.ports[0]
        self.host = f"ws://127.0.0.1:{self.port}"
        self.endings: list[LiveConnection] = []

    async def answer(self, frames: FrameStream, established: Established) -> None:
        link = ResponderLink(SUITE, SystemEntropy(), self.timing, KEY, frames.opened_at)
        self.endings.append(await self.running.carry(frames, link, established=established))


@asynccontextmanager
async def serving(
    timing: Timing = TIMING, *, store: Memory | None = None, name: str = "127.0.0.1", **limits: Any
) -> AsyncIterator[Served]:
    """Until the block is left."""
    machine, kept = Echo(), store or Memory()
    entropy = SystemEntropy()
    opening = open_core(making(machine, kept), suite=SUITE, entropy=entropy, timing=timing)
    async with opening as running, trio.open_nursery() as nursery:
        served: Served

        async def answer(frames: FrameStream, established: Established) -> None:
            await served.answer(frames, established)

        listener = Listener(await listen(name, 0), answer, timing, **limits)
        served = Served(machine, kept, running, listener, timing)
        await nursery.start(listener.run)
        yield served
        nursery.cancel_scope.cancel()


class Client:
    """A node's end, frame by frame, without any machine."""

    def __init__(self, socket: WebSocketConnection, link: InitiatorLink) -> None:
        self.socket = socket
        self.link = link

    @classmethod
    @asynccontextmanager
    async def connect(cls, port: int, relay: RelayKey = RELAY) -> AsyncIterator[Self]:
        opening = open_websocket(
            "127.0.0.1", port, PATH, use_ssl=False, subprotocols=[SUBPROTOCOL], disconnect_timeout=2
        )
        async with opening as socket:
            client = cls(socket, InitiatorLink(SUITE, SystemEntropy(), Timing(), relay, trio.current_time()))
            await client.flush()
            assert await client.receive() == []
            assert client.link.established
            yield client

    async def send(self, *commands: Command) -> None:
        for command in commands:
            self.link.queue(command)
        await self.flush()

    async def flush(self) -> None:
        while (frame := self.link.transmit(trio.current_time())) is not None:
            await self.socket.send_message(frame)

    async def receive(self) -> list[Command]:
        """The commands of the next frame."""
        message = await self.socket.get_message()
        assert isinstance(message, bytes)
        return self.link.receive(message, trio.current_time())

    async def closing_code(self) -> int:
        """Reads to the end; the code that the relay closes with."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self.socket.get_message()
        assert self.socket.closed is not None
        return self.socket.closed.code


async def wait_for(condition: Any, seconds: float = 5.0) -> None:
    """Until `condition()` holds."""
    with trio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await trio.sleep(0.005)


async def connect_by_socket(relay: RelayKey, host: str, use: Any, group: Group) -> None:
    """`node.transport.contract.Connect` over real sockets."""
    await dial(host, use)
