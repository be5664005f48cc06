"""The core's own loop: events in, one committed step, effects out (`protocol.machines.contract.Core`).

One long-lived thread owns the machine and its store, so a slow disk never stalls a socket; while it commits, what
arrives gathers, and the next step takes all of it into one commit. `InlineCore` runs the same in trio's thread, for
simulation, where a virtual clock would run past a thread.
"""

import logging
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeAlias, TypeVar

import trio

from node.clock import ServiceClock
from node.inbox import Inbox
from protocol.effects import Effect
from protocol.errors import CallerError, DiskBrokenError, StoreError, WorldError
from protocol.events import Event, Received, Started, TimePassed
from protocol.keys import Connection
from protocol.limits import MAX_COMMANDS_PER_BATCH
from protocol.machines.contract import Core
from protocol.store import Store, Transaction

TX_co = TypeVar("TX_co", bound=Transaction, covariant=True)

log = logging.getLogger(__name__)

SAVE_CLOCK_SECONDS = 60.0
GATHER_CHECKPOINTS = 4
"""How often others may run before a batch is taken: with none, each frame costs a commit."""
GATHER_COMMANDS = MAX_COMMANDS_PER_BATCH // 2
"""Enough not to wait for more: under bulk load four passes would take longer than a step."""
SWITCH_SECONDS = 0.0003
"""How soon a computing core lets sockets be read. At Python's 5 ms a message in a busy relay took thrice as long."""


class DurableStore(Store[TX_co], Protocol[TX_co]):
    """A store that also keeps the service clock, and a log that is folded between steps."""

    def service_offset(self) -> float: ...
    def save_service(self, service: float) -> None: ...
    def fold_log(self) -> None: ...


Perform: TypeAlias = Callable[[Sequence[Effect], dict[Connection, int]], None]
"""What to do after a commit: the effects, and how many frames of each connection have been handled."""
MakeCore: TypeAlias = Callable[[], AbstractContextManager[Core[Any]]]
"""Opens the store and builds the machine, in the thread that will own both; leaving it closes the store.

The store is a `DurableStore`."""


class Stepper:
    """Machine, store, clock and inbox; used by one thread."""

    def __init__(self, core: Core[Any], monotonic: Callable[[], float], wall: Callable[[], float]) -> None:
        self._core = core
        self._store: DurableStore[Any] = core.store  # type: ignore[assignment]  # as MakeCore promises
        self._clock = ServiceClock(self._store.service_offset(), monotonic, wall)
        self._saved = self._clock.now().service
        self.inbox = Inbox()
        self.inbox.put(Started())

    def wait_seconds(self) -> float:
        """How long nothing needs to be done if no event comes."""
        if self.inbox:
            return 0.0
        service = self._clock.service()
        due = self._saved + SAVE_CLOCK_SECONDS
        wake = self._core.machine.next_wake
        if wake is not None:
            due = min(due, wake)
        return max(0.0, due - service)

    def step(self) -> tuple[Sequence[Effect], dict[Connection, int]]:
        """One batch, or nothing. Raises DiskBrokenError."""
        now = self._clock.now()
        batch = self.inbox.take()
        wake = self._core.machine.next_wake
        if wake is not None and wake <= now.service:
            batch.append(TimePassed())
        if now.service >= self._saved + SAVE_CLOCK_SECONDS:
            self.save_clock()
        if not batch:
            return (), {}
        handled: dict[Connection, int] = {}
        for event in batch:
            if type(event) is Received:
                handled[event.connection] = handled.get(event.connection, 0) + 1
        return self._core.step(batch, now), handled

    def fold_log(self) -> None:
        """After the effects are under way: nobody waits for this but who comes next. Raises DiskBrokenError."""
        self._store.fold_log()

    def save_clock(self) -> None:
        """Now; on a full disk, some time later: the clock then loses what it would have gained."""
        self._saved = self._clock.now().service
        try:
            self._store.save_service(self._saved)
        except DiskBrokenError:
            raise
        except StoreError as error:
            log.warning("the clock could not be saved: %s", error)


class ThreadedCore:
    """For a node or relay."""

    def __init__(self, make: MakeCore, perform: Perform, wall: Callable[[], float]) -> None:
        self._make = make
        self._perform = perform
        self._wall = wall
        self._gathered: list[Event] = []
        self._commands = 0
        self._some = trio.Event()
        self._batches: SimpleQueue[list[Event] | None] = SimpleQueue()

    def put(self, event: Event) -> None:
        """From trio's thread."""
        self._gathered.append(event)
        if isinstance(event, Received):
            self._commands += len(event.commands)
        self._some.set()

    def stop(self) -> None:
        """After the step that runs now; events that still wait are dropped, as by a crash."""
        self._batches.put(None)

    async def run(self, ready: trio.Event) -> None:
        """Until `stop`, whatever is cancelled; `ready` once the store is open.

        Raises what opening the store raises, and DiskBrokenError.
        """
        token = trio.lowlevel.current_trio_token()
        sys.setswitchinterval(SWITCH_SECONDS)
        failure: CallerError | WorldError | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hand_over)
            try:
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(self._run, token, ready, limiter=trio.CapacityLimiter(1))
            except (CallerError, WorldError) as error:
                failure = error
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _hand_over(self) -> None:
        """Gives sockets that are ready a chance to be read first: what is not gathered costs a commit of its own."""
        while True:
            await self._some.wait()
            for _ in range(GATHER_CHECKPOINTS):
                await trio.lowlevel.checkpoint()
                if self._commands >= GATHER_COMMANDS:
                    break
            self._commands = 0
            self._some = trio.Event()
            self._batches.put(self._gathered)
            self._gathered = []

    def _run(self, token: trio.lowlevel.TrioToken, ready: trio.Event) -> None:
        with self._make() as core:
            stepper = Stepper(core, time.monotonic, self._wall)
            token.run_sync_soon(ready.set)
            while self._gather(stepper):
                effects, handled = stepper.step()
                if effects or handled:
                    token.run_sync_soon(self._perform, effects, handled)
                stepper.fold_log()
            stepper.save_clock()

    def _gather(self, stepper: Stepper) -> bool:
        """Wait for something to do and take all that is there; False: stop."""
        try:
            seconds = stepper.wait_seconds()
            batch = self._batches.get(timeout=seconds) if seconds else self._batches.get_nowait()
            while batch is not None:
                for event in batch:
                    stepper.inbox.put(event)
                batch = self._batches.get_nowait()
        except Empty:
            return True
        return False


class InlineCore:
    """For simulation: the same steps in trio's own thread and time; a step takes `step_seconds` of it."""

    def __init__(
        self, make: MakeCore, perform: Perform, wall: Callable[[], float], step_seconds: float = 0.0
    ) -> None:  # fmt: skip
        self._step_seconds = step_seconds
        self._make = make
        self._perform = perform
        self._wall = wall
        self._events: list[Event] = []
        self._arrived = trio.Event()
        self._stopping = False

    def put(self, event: Event) -> None:
        """From any task."""
        self._events.append(event)
        self._arrived.set()

    def stop(self) -> None:
        """After the step that runs now."""
        self._stopping = True
        self._arrived.set()

    async def run(self, ready: trio.Event) -> None:
        """Until `stop`."""
        with trio.CancelScope(shield=True), self._make() as core:
            stepper = Stepper(core, trio.current_time, self._wall)
            ready.set()
            while await self._gather(stepper):
                effects, handled = stepper.step()
                if effects or handled:
                    self._perform(effects, handled)
                stepper.fold_log()
            stepper.save_clock()

    async def _gather(self, stepper: Stepper) -> bool:
        """As `ThreadedCore._gather`."""
        with trio.move_on_after(stepper.wait_seconds()):
            await self._arrived.wait()
        if self._step_seconds and not self._stopping:
            await trio.sleep(self._step_seconds)
        else:
            for _ in range(GATHER_CHECKPOINTS):
                await trio.lowlevel.checkpoint()
        self._arrived = trio.Event()
        for event in self._events:
            stepper.inbox.put(event)
        self._events.clear()
        return not self._stopping
