"""A local network for the tests: its addresses, clock and dice."""

import random

from protocol.discovery.sightings import Network
from protocol.discovery.tags import Endpoint
from protocol.events import Now
from protocol.keys import PairSecret

ETHERNET, WIRELESS = 2, 3
"""Interfaces."""
EPOCH = 2_970_000


class Dice:
    """Seeded, both streams."""

    def __init__(self, seed: int) -> None:
        self._secrets = random.Random(seed)
        self._numbers = random.Random(-1 - seed)

    def secret(self, length: int) -> bytes:
        return self._secrets.randbytes(length)

    def uniform(self) -> float:
        return self._numbers.random()


def ipv4(last: int, third: int = 2) -> bytes:
    """192.0.third.last, mapped."""
    return bytes(10) + b"\xff\xff" + bytes((192, 0, third, last))


NETWORKS = {ETHERNET: (Network(ipv4(0), 96 + 24),), WIRELESS: (Network(ipv4(0, 3), 96 + 24),)}


def at(seconds: float) -> Now:
    """So long after the beginning of an epoch; the service clock began then."""
    return Now(seconds, EPOCH * 600 + seconds)


def secret(number: int) -> PairSecret:
    """Somebody's."""
    return PairSecret(number.to_bytes(32, "big"))


HERE = Endpoint(ipv4(7), 40_001)
