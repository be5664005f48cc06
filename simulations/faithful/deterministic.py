"""Trio with a seeded scheduler and a virtual clock: the same program takes the same course in any process.

Trio shuffles the tasks that are ready; the names that make it do so by a seed are private, and used here alone.
"""

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio
import trio._core._run as scheduler
import trio.testing

T = TypeVar("T")

_SORTED, _SHUFFLER = "_ALLOW_DETERMINISTIC_SCHEDULING", "_r"


def run(program: Callable[[], Awaitable[T]], seed: int) -> T:
    """What `program` returns. Its time begins at 0, and passes only when every task waits for it."""
    names = vars(scheduler)
    before = {name: names[name] for name in (_SORTED, _SHUFFLER)}
    names[_SORTED], names[_SHUFFLER] = True, random.Random(seed)
    try:
        return trio.run(program, clock=trio.testing.MockClock(autojump_threshold=0.0))
    finally:
        names.update(before)
