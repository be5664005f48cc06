"""A machine between two people who want to meet: visible as the one, it calls the other, and says both codes.

    python -m tests.node.discovery.between AS TO

is visible as AS, and when it is called as that, it calls TO under the caller's name.
"""

import sys

import trio

from node.discovery.visible_network import VisibleNetwork
from node.entropy import SystemEntropy
from node.transport.contract import Ended, FrameStream
from protocol.crypto.suite import RealSuite
from protocol.discovery.people import Way
from protocol.discovery.visible import Called, Caller
from protocol.errors import PeerError
from protocol.timing import Timing

SUITE = RealSuite()


def say(*words: object) -> None:
    print(*words, flush=True)


async def way_to(network: VisibleNetwork, name: str) -> Way:
    """Once somebody is visible under this name."""
    while True:
        for person in network.people():
            if person.name == name:
                return [*person.ways.values()][-1]
        await trio.sleep(0.1)


class Between:
    def __init__(self, own: str, other: str) -> None:
        self._other = other
        self._network = VisibleNetwork(SystemEntropy(), Timing(), own, self.called, lambda: None)

    async def called(self, frames: FrameStream) -> None:
        """Someone has fallen for it. Hold their answer back until the other has given everything that it can."""
        side = Called(SUITE, SystemEntropy(), self._network.txt)
        try:
            await frames.send(side.welcome(await frames.receive()))
            name = side.read_call(await frames.receive())
            way = await way_to(self._network, self._other)

            async def use(theirs: FrameStream) -> None:
                caller = Caller(SUITE, SystemEntropy(), way.txt, name)
                await theirs.send(caller.hello())
                await theirs.send(caller.call(await theirs.receive()))
                opening = caller.open(await theirs.receive())
                await frames.send(side.answer())
                side.read_opening(await frames.receive())
                await theirs.send(opening)
                say("codes", side.code, caller.code)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._until_end, "caller", frames)
                    nursery.start_soon(self._until_end, "called", theirs)

            await self._network.call(way, use)
        except (Ended, PeerError) as error:
            say("failed", error)

    async def _until_end(self, who: str, frames: FrameStream) -> None:
        """Whatever else they send is not passed on: there is nobody to pass it to under the other's session."""
        try:
            while True:
                await frames.receive()
                say("frame", who)
        except (Ended, PeerError):
            say("ended", who)

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._network.run, nursery)
            await way_to(self._network, self._other)
            say("ready")
            await trio.to_thread.run_sync(sys.stdin.read)
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(Between(*sys.argv[1:]).run)
