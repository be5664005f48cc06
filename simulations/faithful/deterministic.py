"""Trio with a seeded scheduler and a virtual clock: the same program takes the same course in any process.

Trio shuffles the tasks that are ready; the names that make it do so by a seed are private, and used here alone.
"""

import random
from collections.abc import Awaitable, Callable, MutableSequence
from typing import Any, TypeVar

import trio
import trio._core._run as scheduler
import trio.testing

T = TypeVar("T")

_SORTED, _SHUFFLER = "_ALLOW_DETERMINISTIC_SCHEDULING", "_r"


class _InOrder(random.Random):
    def shuffle(self, x: MutableSequence[Any]) -> None:
        """As they were made: trio takes the last one first."""
        x.reverse()


def run(program: Callable[[], Awaitable[T]], schedule: str | None) -> T:
    """What `program` returns. Its time begins at 0, and passes only when every task waits for it.

    `schedule`: seeds the order of tasks that are ready at once; None: in the order in which they were made.
    """
    names = vars(scheduler)
    before = {name: names[name] for name in (_SORTED, _SHUFFLER)}
    names[_SORTED], names[_SHUFFLER] = True, _InOrder() if schedule is None else random.Random(schedule)
    try:
        return trio.run(program, clock=trio.testing.MockClock(autojump_threshold=0.0))
    finally:
        names.update(before)
