"""Somebody who calls a visible person in every wrong way, and says what came of it.

python -m tests.node.discovery.hostile_caller VICTIM
"""

import sys
from collections.abc import Awaitable, Callable

import trio

from node.discovery.interfaces import unpack
from node.discovery.visible_network import VisibleNetwork
from node.entropy import SystemEntropy
from node.transport import lan
from node.transport.contract import Ended, FrameStream
from protocol.crypto.suite import RealSuite
from protocol.discovery.people import Way
from protocol.discovery.visible import Caller
from protocol.errors import PeerError
from protocol.timing import Timing
from tests.node.discovery.between import say, way_to

SUITE = RealSuite()
FLOOD = 40


class Hostile:
    def __init__(self, way: Way) -> None:
        self._way = way

    async def dial(self, use: Callable[[FrameStream], Awaitable[None]]) -> None:
        address = unpack(self._way.endpoint.address).packed
        await lan.dial(address, self._way.endpoint.port, self._way.interface, use)

    def caller(self) -> Caller:
        return Caller(SUITE, SystemEntropy(), self._way.txt, "\x1b[2J Mallory")

    async def is_closed(self, frames: FrameStream) -> None:
        """The other end hangs up without another byte."""
        try:
            await frames.receive()
            say("answered")
        except Ended:
            pass

    async def junk(self) -> None:
        """A message 1 that is none."""

        async def use(frames: FrameStream) -> None:
            await frames.send(SystemEntropy().secret(4_096))
            await self.is_closed(frames)

        await self.dial(use)
        say("junk refused")

    async def wrong_order(self) -> None:
        """A session, and then `same` at once; then the commitment of another session."""

        async def use(frames: FrameStream) -> None:
            side = self.caller()
            await frames.send(side.hello())
            commitment = side.call(await frames.receive())
            await frames.send(commitment[:-1] + bytes((commitment[-1] ^ 1,)))
            await self.is_closed(frames)

        await self.dial(use)
        say("altered refused")

    async def flood(self) -> None:
        """Forty connections at once that say nothing: all but eight are closed at once, those after a while."""
        closed = 0

        async def use(frames: FrameStream) -> None:
            nonlocal closed
            await self.is_closed(frames)
            closed += 1

        async def one() -> None:
            try:
                await self.dial(use)
            except Ended:
                pass

        async with trio.open_nursery() as nursery:
            for _ in range(FLOOD):
                nursery.start_soon(one)
            await trio.sleep(2)
            say("flood closed at once", closed)
        say("flood over", closed)

    async def half_way(self) -> None:
        """As far as the code, then gone; and then again at once."""

        async def use(frames: FrameStream) -> None:
            side = self.caller()
            await frames.send(side.hello())
            await frames.send(side.call(await frames.receive()))
            await frames.send(side.open(await frames.receive()))
            say("code", side.code)
            await trio.sleep(1)

        await self.dial(use)
        try:
            await self.dial(use)
        except (Ended, PeerError):
            say("again refused")


async def main(victim: str) -> None:
    network = VisibleNetwork(SystemEntropy(), Timing(), "Mallory", _hang_up, lambda: None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(network.run, nursery)
        hostile = Hostile(await way_to(network, victim))
        say("ready")
        await hostile.junk()
        await hostile.wrong_order()
        await hostile.flood()
        await hostile.half_way()
        say("done")
        await trio.to_thread.run_sync(sys.stdin.read)
        nursery.cancel_scope.cancel()


async def _hang_up(frames: FrameStream) -> None:
    await frames.close(None)


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
