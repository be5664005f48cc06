"""The loop of a node: events → machine → one commit → effects; save, then send, then tell.

`open_core` runs one machine, relay or personal. Connections come from a listener (`carry`) or from the machine's own
`Dial`s; requests from the local API.
"""

import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import trio
from msgspec import Struct

from node.connection import LiveConnection
from node.core import InlineCore, MakeCore, ThreadedCore
from node.traffic_meter import TrafficMeter
from node.transport.contract import Connect, Ended, FrameStream
from protocol.crypto.suite import Suite
from protocol.effects import Alarm, Announce, Answer, Dial, Disconnect, Effect, HangUp, Send, Wake
from protocol.entropy import Entropy
from protocol.errors import CallerError, Code, PeerError, WorldError
from protocol.events import Found, Gone, Requested, Unreachable
from protocol.keys import SHARED, Connection, Group, RelayKey
from protocol.link.initiator import InitiatorLink
from protocol.link.link import Link
from protocol.operations import Operation
from protocol.timing import Timing
from protocol.wire.commands import Preset

log = logging.getLogger(__name__)


class Changes:
    """How far the `changes` table goes; readers wait here and then read the store."""

    def __init__(self) -> None:
        self.latest = 0
        self._event = trio.Event()

    def announce(self, change: int) -> None:
        """Rows up to `change` are committed."""
        if change > self.latest:
            self.latest = change
            self._event.set()
            self._event = trio.Event()

    async def after(self, change: int) -> int:
        """Waits until there are rows past `change`; the latest number."""
        while self.latest <= change:
            await self._event.wait()
        return self.latest


class DialState(Struct, frozen=True):
    """How a dialled host stands: `connecting`, `connected` (a Noise session stands), `unreachable`."""

    state: Literal["connecting", "connected", "unreachable"]
    since: float
    """Unix seconds."""
    reason: str | None = None


_BEST = ("connected", "connecting", "unreachable")


class Running:
    """One machine at work."""

    def __init__(
        self, make: MakeCore, nursery: trio.Nursery, suite: Suite, entropy: Entropy, timing: Timing,
        connect: Connect | None, inline: bool, wall: Callable[[], float], step_seconds: float,
        preset: Callable[[RelayKey], Preset], psk_of: Callable[[RelayKey], bytes | None], within: RelayKey | None,
    ) -> None:  # fmt: skip
        self.failure: CallerError | WorldError | None = None
        self.changes = Changes()
        self._nursery = nursery
        self._suite = suite
        self._entropy = entropy
        self._timing = timing
        self._connect = connect
        self._preset = preset
        self._psk_of = psk_of
        self._core: InlineCore | ThreadedCore
        if inline:
            self._core = InlineCore(make, self._perform, wall, step_seconds)
        else:
            self._core = ThreadedCore(make, self._perform, wall)
        self._connections: dict[Connection, LiveConnection] = {}
        self.dialled: dict[tuple[RelayKey, Group], DialState] = {}
        """For display only; the machine keeps its own account."""
        self._wall = wall
        self._dials: dict[tuple[RelayKey, Group], trio.CancelScope] = {}
        self._answers: dict[int, trio.MemorySendChannel[Any]] = {}
        self._numbered = 0
        self._stopped = False
        self.meter = TrafficMeter(trio.current_time())
        """Of the links that were dialled."""
        self._within = within

    async def request(self, operation: Operation) -> Any:
        """The machine's answer. Raises the exception that it answered with."""
        if self._stopped:
            raise WorldError("The node is stopping.")
        self._numbered += 1
        number = self._numbered
        answers, answer = trio.open_memory_channel[Any](1)
        self._answers[number] = answers
        try:
            self._core.put(Requested(number, operation))
            result = await answer.receive()
        except trio.EndOfChannel:
            raise WorldError("The node is stopping.") from None
        finally:
            self._answers.pop(number, None)
        if isinstance(result, BaseException):
            raise result
        return result

    async def carry(
        self, frames: FrameStream, link: Link[Any], relay: RelayKey | None = None,
        established: Callable[[], object] = lambda: None, group: Group = SHARED,
    ) -> LiveConnection:  # fmt: skip
        """One connection from its first handshake message to its end, closed then. Does not raise.

        `established` is called once the Noise session stands. What is returned says how it ended.
        """
        self._numbered += 1
        connection = LiveConnection(
            Connection(self._numbered), frames, link, relay, self._core.put, established, self._timing.write_seconds,
            group,
            self._count if relay is not None and relay != self._within else None,
        )  # fmt: skip
        self._connections[connection.number] = connection
        try:
            await connection.run()
        finally:
            del self._connections[connection.number]
        return connection

    def state_of(self, relay: RelayKey) -> DialState | None:
        """How a host stands: of several groups, as the one for which it stands best; of those, the last that was told.

        One for which nothing is to be done any more would else be shown as unreachable while all others are connected.
        """
        states = [state for (known, _), state in self.dialled.items() if known == relay]
        return min(reversed(states), key=lambda state: _BEST.index(state.state), default=None)

    def _count(self, size: int, real: bool) -> None:
        self.meter.note(size, real, trio.current_time())

    def found(self, relay: RelayKey, host: str) -> None:
        """Have the machine dial a host that is near."""
        self._core.put(Found(relay, host))

    def gone(self, relay: RelayKey) -> None:
        """Have the machine go on without a host that was near, now that its connection has ended."""
        self._core.put(Gone(relay))

    def hang_up(self, relay: RelayKey) -> None:
        """End what was dialled for a host, or is being dialled."""
        self._hang_up(relay, SHARED)

    def beside(self, task: Callable[..., Awaitable[object]], *arguments: object) -> None:
        """Run this too, until the machine stops."""
        self._nursery.start_soon(task, *arguments)

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._connections)

    def queued_bytes(self) -> list[int]:
        """For each connection, of the commands that wait to be packed."""
        return [connection.queued_bytes for connection in self._connections.values()]

    async def keep_time(self) -> None:
        """One timer for all connections: keep-alives, silence, stalled writes, handshakes that do not come."""
        period = tick_seconds(self._timing)
        while True:
            await trio.sleep(period)
            now = trio.current_time()
            for connection in list(self._connections.values()):
                connection.tick(now)

    async def run_core(self, ready: trio.Event) -> None:
        """The core's loop; a failure of it, one that nothing can go on after, ends up in `failure`."""
        try:
            await self._core.run(ready)
        except (CallerError, WorldError) as error:
            self.failure = error
            self._nursery.cancel_scope.cancel()
        finally:
            self._stopped = True
            for answers in self._answers.values():
                answers.close()

    def stop(self) -> None:
        """Once the step that runs now is committed."""
        self._stopped = True
        self._core.stop()
        self._nursery.cancel_scope.cancel()

    def _perform(self, effects: Sequence[Effect], handled: dict[Connection, int]) -> None:
        """In trio's thread, after the commit. Never waits."""
        touched: dict[Connection, LiveConnection] = {}
        for effect in effects:
            if isinstance(effect, Send):
                connection = self._connections.get(effect.connection)
                if connection is not None:
                    connection.queue(effect.command, effect.stream)
                    touched[effect.connection] = connection
            else:
                self._perform_other(effect)
        for connection in touched.values():
            connection.flush()
        for number, frames in handled.items():
            connection = self._connections.get(number)
            if connection is not None:
                connection.handled(frames)

    def _perform_other(self, effect: Effect) -> None:
        match effect:
            case Answer(request, result):
                if (answers := self._answers.get(request)) is not None:
                    answers.send_nowait(result)
            case Announce(change):
                self.changes.announce(change)
            case Disconnect(number, code):
                if (connection := self._connections.get(number)) is not None:
                    connection.end(PeerError(code))
            case Dial() if not self._stopped:
                self._hang_up(effect.relay, effect.group)
                scope = trio.CancelScope(deadline=trio.current_time() + effect.timeout_seconds)
                self._dials[effect.relay, effect.group] = scope
                self._nursery.start_soon(self._dial, effect, scope, self._link_to(effect.relay))
            case HangUp(relay, group):
                self._hang_up(relay, group)
                self.dialled.pop((relay, group), None)
            case Alarm(host):
                log.warning("What %s is given does not come back: it may be dropping messages", host)
            case _:
                assert isinstance(effect, Wake | Dial), "the core has seen to the one, and a stopping node dials nobody"

    def _hang_up(self, relay: RelayKey, group: Group) -> None:
        scope = self._dials.pop((relay, group), None)
        if scope is not None:
            scope.cancel()

    def _link_to(self, relay: RelayKey) -> InitiatorLink | None:
        """None: that is no key. Made before any task runs, so that links draw in the order of the machine's dials."""
        try:
            now, preset, psk = trio.current_time(), self._preset(relay), self._psk_of(relay)
            return InitiatorLink(self._suite, self._entropy, self._timing, relay, now, preset, psk)
        except PeerError:
            return None

    async def _dial(self, dial: Dial, scope: trio.CancelScope, link: InitiatorLink | None) -> None:
        """Connect and carry; `Unreachable` unless there was a session or somebody here hung up."""
        carried: LiveConnection | None = None
        reason = "it did not answer in time"

        async def use(frames: FrameStream) -> None:
            nonlocal carried
            assert link is not None
            carried = await self.carry(frames, link, dial.relay, established, dial.group)

        def established() -> None:
            scope.deadline = math.inf
            self._note(dial, "connected")

        self._note(dial, "connecting")

        with scope:
            try:
                assert self._connect is not None, "a machine that dials is given a way to"
                if link is None:
                    reason = "the key of its address is not a key"
                else:
                    await self._connect(dial.relay, dial.host, use, dial.group)
                    reason = _why(carried.failure if carried is not None else None)
            except (CallerError, WorldError) as error:
                reason = str(error)
        if self._dials.get((dial.relay, dial.group)) is scope:
            del self._dials[dial.relay, dial.group]
            self._note(dial, "unreachable", reason)
            if carried is None or not carried.opened:
                self._core.put(Unreachable(dial.relay, reason, dial.group))

    def _note(
        self, dial: Dial, state: Literal["connecting", "connected", "unreachable"], reason: str | None = None
    ) -> None:
        before = self.dialled.pop((dial.relay, dial.group), None)
        if state == "connecting" and before is not None and before.state == "unreachable":
            self.dialled[dial.relay, dial.group] = before
            return
        since = before.since if before is not None and before.state == state else self._wall()
        self.dialled[dial.relay, dial.group] = DialState(state, since, reason)


def tick_seconds(timing: Timing) -> float:
    """How often a node looks at its connections."""
    return min(1.0, timing.handshake_seconds / 4, timing.write_seconds / 4, timing.keep_alive_seconds / 10)


def _why(failure: PeerError | Ended | None) -> str:
    """What a person can make of a connection that never had a session."""
    if failure is not None and failure.code in {Code.NOISE, Code.SIZE}:
        return "what answers there does not hold the key of its address"
    if failure is not None and failure.code is Code.VERSION:
        return "it speaks another version of the protocol"
    return str(failure) if failure is not None else "the connection was closed"


@asynccontextmanager
async def open_core(
    make: MakeCore,
    *,
    suite: Suite,
    entropy: Entropy,
    timing: Timing,
    connect: Connect | None = None,
    inline: bool = False,
    wall: Callable[[], float] = time.time,
    step_seconds: float = 0.0,
    preset: Callable[[RelayKey], Preset] = lambda _: Preset.DIRECT,
    psk_of: Callable[[RelayKey], bytes | None] = lambda _: None,
    within: RelayKey | None = None,
) -> AsyncIterator[Running]:
    """A machine at work, from `Started` until the block is left; then its step is finished and its store closed.

    `connect` carries out the machine's `Dial`s, and links to a relay follow its `preset`. `step_seconds`: what a step
    takes where it is `inline`. `psk_of`: the secret on which a session with a host rests that is dialled now, where it
    is not the host's key. `within`: a relay in this process, to which nothing leaves the machine: `meter` leaves it
    out. Raises what opening the store raises; DiskBrokenError when the store broke, after
    cancelling the block.
    """
    ready = trio.Event()
    body: Exception | None = None
    async with trio.open_nursery() as nursery:
        running = Running(
            make, nursery, suite, entropy, timing, connect, inline, wall, step_seconds, preset, psk_of, within
        )
        nursery.start_soon(running.run_core, ready)
        nursery.start_soon(running.keep_time)
        try:
            await ready.wait()
            yield running
        except Exception as error:  # noqa: BLE001 - raised again below, without the nursery's wrapping
            body = error
        finally:
            running.stop()
    if running.failure is not None:
        raise running.failure
    if body is not None:
        raise body
