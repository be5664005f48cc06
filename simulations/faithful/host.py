"""Hosts whose life is a whole node: `node.runtime.open_core` over virtual streams, on the same disks as the engine's.

A process that dies does so by `Crash`, raised into the step that runs or comes next: out of its store, as nothing that
the node's own shell contains may survive it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import trio

from node.runtime import Running, open_core
from node.transport.contract import Use
from protocol.effects import Effect
from protocol.entropy import Entropy
from protocol.errors import KassiberError, WorldError
from protocol.events import Event, Now, Received
from protocol.keys import Group, RelayKey
from protocol.link.responder import ResponderLink
from protocol.machines.contract import Core
from protocol.operations import Operation
from protocol.wire.commands import Preset
from simulations.faithful.agenda import Agenda
from simulations.faithful.stream import VirtualFrames, virtual_pair
from simulations.host import STEP_SECONDS, Host, OrderedCore, PersonHost
from simulations.mischief import CheatingRelay
from simulations.network import Kind
from simulations.storage import Crash, CrashPoint, Disk


class Life:
    """From a boot to a death."""

    def __init__(self) -> None:
        self.running: Running | None = None
        self.ready = trio.Event()
        self.leave = trio.Event()
        """Set to stop as if asked to."""
        self.scope = trio.CancelScope()
        self.over = False
        """Nothing of it may touch its disk any more."""

    async def begun(self) -> Running:
        """Once its store is open."""
        await self.ready.wait()
        assert self.running is not None
        return self.running

    def kill(self) -> None:
        """Here and now."""
        self.over = True
        self.scope.cancel()


class MortalStore:
    """A disk's store (`node.core.DurableStore`) for as long as a life lasts."""

    def __init__(self, disk: Disk[Any], life: Life) -> None:
        self._disk = disk
        self._life = life

    def transaction(self) -> Any:
        return self._living().transaction()

    def read(self) -> Any:
        return self._living().read()

    def service_offset(self) -> float:
        return float(self._living().service_offset())

    def save_service(self, service: float) -> None:
        self._living().save_service(service)

    def fold_log(self) -> None:
        """A disk in memory has no log."""

    def _living(self) -> Any:
        if self._life.over:
            raise Crash
        return self._disk.store


class MortalCore(OrderedCore):
    """Dies where its disk's crash point says."""

    def __init__(self, machine: Any, disk: Disk[Any], life: Life) -> None:
        super().__init__(machine, MortalStore(disk, life))
        self._disk = disk
        self._life = life

    def step(self, batch: Sequence[Event], now: Now) -> list[Effect]:
        try:
            effects = super().step(batch, now)
            handled = any(type(event) is Received for event in batch)
            if (effects or handled) and self._disk.crash_point is CrashPoint.BEFORE_EFFECTS:
                raise Crash
        except Crash:
            self._life.over = True
            raise
        return effects


class WholeHost(Host):
    """What whole relays and people's nodes have in common; before `PersonHost` or `RelayHost` among the bases."""

    _life: Life | None = None
    _politely = False

    def boot(self) -> None:
        assert not self.up
        self.up, self.lives = True, self.lives + 1
        self._life = Life()
        self.agenda.start(self._live, self._life)

    def die(self, *, power: bool = False) -> None:
        if not self.up:
            return
        assert self._life is not None
        life, self._life, self.up = self._life, None, False
        self.disk.crash_point = None
        if self._politely:
            self._politely = False
            life.leave.set()
        else:
            life.kill()
        for end in list(self.ends.values()):
            end.end(None, silently=power)
        self.forget()

    def save_clock(self) -> None:
        self._politely = True  # whoever saves its clock stops next, and then does so by itself

    @property
    def agenda(self) -> Agenda:
        """The engine of worlds like this one."""
        assert isinstance(self.engine, Agenda)
        return self.engine

    def queued_bytes(self) -> list[int]:
        return [] if self._life is None or self._life.running is None else self._life.running.queued_bytes()

    async def connect(self, relay: RelayKey, host: str, use: Use, group: Group) -> None:
        """Carries out a `Dial` (`node.transport.contract.Connect`)."""
        raise WorldError("a relay dials nobody")

    def preset_of(self, relay: RelayKey) -> Preset:
        """What links to this relay follow."""
        del relay
        return Preset.DIRECT

    async def live(self, running: Running) -> None:
        """Beside a running node, until it ends."""

    async def _live(self, life: Life) -> None:
        try:
            with life.scope:
                async with (
                    open_core(
                        lambda: self._make(life), suite=self.suite, entropy=self.entropy_of_links(), timing=self.timing,
                        connect=self.connect, inline=True, wall=self.wall, step_seconds=STEP_SECONDS,
                        preset=self.preset_of,
                    ) as life.running,
                    trio.open_nursery() as nursery,
                ):  # fmt: skip
                    life.ready.set()
                    nursery.start_soon(self.live, life.running)
                    await life.leave.wait()
                    nursery.cancel_scope.cancel()
        except* Crash:
            if self._life is life:
                self._crashed()
        life.over = True

    def entropy_of_links(self) -> Entropy:
        """Of those that this host dials."""
        raise AssertionError("a subclass has entropy")

    @contextmanager
    def _make(self, life: Life) -> Iterator[Core[Any]]:
        yield MortalCore(self.machine(), self.disk, life)

    def _crashed(self) -> None:
        point = self.disk.crash_point
        assert point is not None, "nobody asked for a crash"
        self.crashes[point] += 1
        self.die()
        self.agenda.guarded(self.on_crash, self)


class WholeRelay(WholeHost, CheatingRelay):
    """A relay as `node.relay` runs it. It does not cheat."""

    def entropy_of_links(self) -> Entropy:
        return self.entropy

    def take(self, frames: VirtualFrames) -> None:
        """Somebody has connected."""
        assert self._life is not None
        self.agenda.start(self._carry, self._life, frames)

    async def _carry(self, life: Life, frames: VirtualFrames) -> None:
        running = await life.begun()
        link = ResponderLink(self.suite, self.entropy, self.timing, self.signing, frames.opened_at)
        await running.carry(frames, link)


class WholePerson(WholeHost, PersonHost):
    """A person's node as `node.node` runs it, but for the local API."""

    def entropy_of_links(self) -> Entropy:
        return self.entropy

    def preset_of(self, relay: RelayKey) -> Preset:
        return self.preset

    def ask(self, operation: Operation, answered: Callable[[Any], None]) -> None:
        if self._life is not None:
            self.agenda.start(self._ask, self._life, operation, answered)

    async def _ask(self, life: Life, operation: Operation, answered: Callable[[Any], None]) -> None:
        running = await life.begun()
        result: Any
        try:
            result = await running.request(operation)
        except KassiberError as error:
            result = error
        if life is self._life and not life.over:
            self.agenda.guarded(answered, result)

    async def live(self, running: Running) -> None:
        change = running.changes.latest
        while True:
            change = await running.changes.after(change)
            self.agenda.guarded(self.announced, self)

    async def connect(self, relay: RelayKey, host: str, use: Use, group: Group) -> None:
        found = self.relays(relay)
        if found is None:
            raise WorldError("no such host")
        assert isinstance(found, WholeRelay)
        now = self.engine.time
        there, back = self.network.path(self.index, found.index), self.network.path(found.index, self.index)
        await trio.sleep(there.delay(now) + back.delay(now))
        if there.cut or back.cut:
            await trio.sleep_forever()
        if not found.up:
            self.engine.note(self.index, found.index, 0, Kind.REFUSED)
            raise WorldError("connection refused")
        ours, theirs = virtual_pair(self.network, self, found, relay)
        found.take(theirs)
        await use(ours)
