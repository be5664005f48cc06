"""A timed pool mix (Spec 12 §6): what is put in leaves later, in random batches among others, at whole ticks.

While anything real is inside, the pool is filled up with dummies, so that a batch drawn from it leaves 16 behind.
Volatile: what is lost with the process is deposited again by whoever got no reply.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from protocol.entropy import Entropy

T = TypeVar("T")

LEAST_LEFT = 16
"""Stay behind at each tick."""
BATCHES = ((128, 64), (64, 32), (32, 16), (0, 8))
"""More inside than the first: so many leave at a tick."""


class Pool(Generic[T]):
    """What is inside, real and dummies. Bounded by whoever puts in."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._real: list[T] = []
        self._dummies: list[T] = []

    @property
    def real(self) -> int:
        """How many wait that are no dummies: with none, a tick does nothing."""
        return len(self._real)

    def put(self, item: T) -> None:
        """It leaves at some tick."""
        self._real.append(item)

    def tick(self, dummy: Callable[[], T]) -> list[T]:
        """What leaves now, in random order; nothing where nothing real waits. `dummy` makes one."""
        if not self._real:
            return []
        inside = len(self._real) + len(self._dummies)
        size = next(size for above, size in BATCHES if inside > above)
        self._dummies += [dummy() for _ in range(inside, LEAST_LEFT + size)]
        pool = [*self._real, *self._dummies]
        reals = len(self._real)
        chosen = self._draw(len(pool), size)
        leaving = [pool[place] for place in chosen]
        left = set(chosen)
        self._real = [item for place, item in enumerate(pool[:reals]) if place not in left]
        self._dummies = [item for place, item in enumerate(pool[reals:], reals) if place not in left]
        return leaving

    def discard(self, unwanted: Callable[[T], bool]) -> list[T]:
        """Take out what nobody waits for any more, and return it."""
        out = [item for item in self._real if unwanted(item)]
        self._real = [item for item in self._real if not unwanted(item)]
        self._dummies = [item for item in self._dummies if not unwanted(item)]
        return out

    def _draw(self, count: int, size: int) -> list[int]:
        """`size` different places of `count`, every set and order as likely as any other (Fisher-Yates)."""
        places = list(range(count))
        for at in range(size):
            other = at + int(self._entropy.uniform() * (count - at))
            places[at], places[other] = places[other], places[at]
        return places[:size]
