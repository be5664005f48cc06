"""Trio's scheduler by a seed, and its clock that waits for nobody: private names, so that a new trio shows here."""

import time

import trio
import trio._core._run as scheduler

from simulations.faithful.deterministic import run


def order_of_tasks(schedule: str | None) -> list[int]:
    """In which order twelve tasks that are ready at once get to run, three times over."""
    seen: list[int] = []

    async def task(number: int) -> None:
        for _ in range(3):
            await trio.lowlevel.checkpoint()
            seen.append(number)

    async def program() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(12):
                nursery.start_soon(task, number)

    run(program, schedule)
    return seen


def test_a_seed_decides_the_order_of_tasks() -> None:
    assert order_of_tasks("1") == order_of_tasks("1")
    assert order_of_tasks("1") != order_of_tasks("2")
    assert order_of_tasks(None) == [*range(12)] * 3


def test_an_hour_passes_at_once_and_time_begins_at_zero() -> None:
    async def program() -> tuple[float, float]:
        began = trio.current_time()
        await trio.sleep(3_600.0)
        return began, trio.current_time()

    before = time.monotonic()
    assert run(program, None) == (0.0, 3_600.0)
    assert time.monotonic() - before < 5.0


def test_trio_is_afterwards_as_it_was() -> None:
    shuffler, flag = scheduler._r, scheduler._ALLOW_DETERMINISTIC_SCHEDULING
    order_of_tasks("3")
    assert (scheduler._r, scheduler._ALLOW_DETERMINISTIC_SCHEDULING) == (shuffler, flag)
