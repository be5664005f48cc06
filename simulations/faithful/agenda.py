"""What is due when, in trio's time: the engine's interface for worlds whose hosts are trio tasks."""

import heapq
from collections.abc import Awaitable, Callable
from typing import TypeVar, TypeVarTuple

import trio
import trio.testing

from simulations.checkers import Violation
from simulations.engine import Action, Engine

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


class Agenda(Engine):
    """Carries out actions at their time, in one task of a nursery that is also everybody else's.

    A checker that a task calls must not raise into that task: `guarded` keeps what it raised, and ends the wait.
    """

    def __init__(self, nursery: trio.Nursery) -> None:
        self._began = trio.current_time()
        super().__init__()
        self._nursery = nursery
        self._sooner = trio.Event()
        self._waiting: trio.CancelScope | None = None
        self._broken: list[Violation] = []

    @property
    def time(self) -> float:
        """Seconds since the world began."""
        return trio.current_time() - self._began

    @time.setter
    def time(self, value: float) -> None:
        """Trio's clock decides."""

    def at(self, time: float, action: Action) -> None:
        super().at(time, action)
        self._sooner.set()

    def after(self, seconds: float, action: Action) -> None:
        super().after(seconds, action)
        self._sooner.set()

    def start(self, task: Callable[[*Ts], Awaitable[object]], *arguments: *Ts) -> None:
        """Run beside everything else, until it ends or the world does."""
        self._nursery.start_soon(task, *arguments)

    def guarded(self, action: Callable[[*Ts], object], *arguments: *Ts) -> None:
        """Carry out an action that may find a promise broken."""
        try:
            action(*arguments)
        except Violation as error:
            self._broken.append(error)
            if self._waiting is not None:
                self._waiting.cancel()

    async def keep(self) -> None:
        """The task."""
        heap = self._heap
        while True:
            while heap and heap[0][0] <= self.time:
                _, _, action = heapq.heappop(heap)
                self.actions += 1
                self.guarded(action)
            self._sooner = trio.Event()
            with trio.CancelScope(deadline=self._began + heap[0][0] if heap else float("inf")):
                await self._sooner.wait()

    async def pass_until(self, time: float) -> None:
        """Let everything happen up to and including this time. Raises the first Violation."""
        with trio.CancelScope() as self._waiting:
            await trio.sleep_until(self._began + time)
            await trio.testing.wait_all_tasks_blocked()
        self._waiting = None
        if self._broken:
            raise self._broken[0]
