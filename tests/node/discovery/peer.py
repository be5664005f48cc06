"""A node's part of a local network and nothing else: says who is met and found, until its input ends.

    python -m tests.node.discovery.peer SECRET CONTACT=SECRET …

tags with the first secret, looks for the others; every line that it prints is one thing that happened.
"""

import sys
from typing import Any

import trio

from node.discovery.local_network import Host, LocalNetwork, dial
from node.entropy import SystemEntropy
from node.transport.contract import Ended, FrameStream
from protocol.crypto.suite import RealSuite
from protocol.discovery.sightings import Dial
from protocol.discovery.tags import session_key
from protocol.errors import PeerError, WorldError
from protocol.keys import PairSecret, RelayKey
from protocol.link.initiator import InitiatorLink
from protocol.link.link import Link
from protocol.link.responder import ResponderLink
from protocol.timing import Timing

SUITE = RealSuite()
KEY = SUITE.signing_key(bytes(32))
TIMING = Timing(
    announcement_least_seconds=3.0, announcement_most_seconds=5.0, announcement_gap_least_seconds=1.5,
    announcement_gap_most_seconds=2.5, lan_dial_most_seconds=0.5,
)  # fmt: skip
"""A gap is longer than a responder may hold an answer back, about a second; the real one is 5 s at least."""


def say(*words: object) -> None:
    print(*words, flush=True)


async def carry(frames: FrameStream, link: Link[Any], name: str) -> None:
    """The handshake, then whatever comes."""
    try:
        while True:
            while (message := link.transmit(trio.current_time())) is not None:
                await frames.send(message)
            link.receive(await frames.receive(), trio.current_time())
            if link.established and name:
                say("session", name, link.handshake_hash.hex())
                name = ""
    except (Ended, PeerError) as error:
        say("ended", type(error).__name__)
    finally:
        await frames.close(None)


async def main(own: PairSecret, contacts: dict[int, tuple[PairSecret, ...]]) -> None:
    scopes: dict[int, trio.CancelScope] = {}

    async def met(frames: FrameStream, secret: PairSecret) -> None:
        psk = session_key(SUITE, secret)
        await carry(frames, ResponderLink(SUITE, SystemEntropy(), TIMING, KEY, frames.opened_at, psk=psk), "met")

    async def found(wish: Dial) -> None:
        async def use(frames: FrameStream) -> None:
            psk = session_key(SUITE, wish.secret)
            link = InitiatorLink(SUITE, SystemEntropy(), TIMING, RelayKey(KEY[32:]), frames.opened_at, psk=psk)
            await carry(frames, link, f"found-{wish.contact}")

        with trio.CancelScope() as scopes[wish.contact]:
            try:
                await dial(wish, use)
            except WorldError as error:
                say("failed", error)

    def lost(contact: int) -> None:
        say("lost", contact)
        if contact in scopes:
            scopes[contact].cancel()

    network = LocalNetwork(SystemEntropy(), TIMING, Host(lambda: [own], met, found, lost))
    network.know(contacts)
    say("started")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(network.run)
        await trio.to_thread.run_sync(sys.stdin.read)
        nursery.cancel_scope.cancel()
    say("stopped")


if __name__ == "__main__":
    known: dict[int, tuple[PairSecret, ...]] = {}
    for word in sys.argv[2:]:
        number, _, one = word.partition("=")
        known[int(number)] = (PairSecret(bytes.fromhex(one)),)
    trio.run(main, PairSecret(bytes.fromhex(sys.argv[1])), known)
