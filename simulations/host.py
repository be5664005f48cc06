"""A process in a virtual world: the real machine on the real store, stepped by the node's own stepper.

It boots, steps, performs effects, and dies as a process does: what is committed stays, everything else is gone.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any

from node.core import Stepper
from node.runtime import tick_seconds
from node.store.mailbox import MailboxStore
from node.store.relay import RelayStore
from protocol.crypto.suite import Suite
from protocol.effects import Announce, Answer, Dial, Disconnect, Effect, HangUp, Send, Wake
from protocol.entropy import Entropy
from protocol.events import Closed, Event, Now, Requested, Unreachable
from protocol.keys import Connection, Digest, Group, RelayKey
from protocol.link.initiator import InitiatorLink
from protocol.link.link import Link
from protocol.link.responder import ResponderLink
from protocol.machines.contract import Core
from protocol.machines.forwarding import Forwarding
from protocol.machines.personal import Personal
from protocol.machines.relay import Relay
from protocol.operations import Operation
from protocol.timing import Timing
from protocol.traffic.policies import rates
from protocol.wire.commands import Command, Preset, Refused
from simulations.engine import Engine
from simulations.entropy import CounterEntropy
from simulations.network import End, Kind, Network
from simulations.storage import Crash, CrashPoint, Disk

START = 1_800_000_000.0
"""Unix seconds at which virtual time begins."""
STEP_SECONDS = 2**-10
"""From the first event to the commit: what arrives within it shares the commit. No whole milliseconds, as scripts have:
a step that ends in the moment of a wish would leave open whether it still counts."""
NOT_THE_MACHINES = 2**31
"""Requests from here on were made beside a node's machine; it is not shown what is answered to them."""


class OrderedCore(Core[Any]):
    """Tells its machine of connections that ended in one step in the order in which they began.

    Nothing promises that order, and a node's tasks end in any; but what the machine then draws depends on it.
    """

    def step(self, batch: Sequence[Event], now: Now) -> list[Effect]:
        if len(batch) > 1:
            closed = [event for event in batch if type(event) is Closed]
            closed.sort(key=lambda event: event.connection)
            in_order = iter(closed)
            batch = [next(in_order) if type(event) is Closed else event for event in batch]
        return super().step(batch, now)


class Host:
    """What relays and people's nodes have in common."""

    disk: Disk[Any]

    def __init__(self, engine: Engine, network: Network, index: int, name: str, suite: Suite, timing: Timing) -> None:
        self.engine = engine
        self.network = network
        self.index = index
        self.name = name
        self.suite = suite
        self.timing = timing
        self.step_seconds = STEP_SECONDS
        self.up = False
        self.lives = 0
        self.ends: dict[Connection, End] = {}
        self.wall_offset = 0.0
        """Seconds by which the system's clock is wrong."""
        self.rate = 1.0
        """Seconds of the steady clock a virtual second."""
        self.crashes: Counter[CrashPoint] = Counter()
        self.on_crash: Callable[[Host], None] = lambda host: None
        self._stepper: Stepper | None = None
        self._step_at = False
        self._timer = 0.0
        self._connections = count(1)
        self._booted = 0.0
        self._tick_seconds = tick_seconds(timing)

    # Life and death

    def boot(self) -> None:
        """Start on what the store holds."""
        assert not self.up
        self.up = True
        self.lives += 1
        engine, began, rate = self.engine, self.engine.time, self.rate
        self._booted = began
        self._timer = 0.0  # a former life's rings for nobody, and must not stand in this one's way
        core: Core[Any] = OrderedCore(self.machine(), self.disk.store)
        self._stepper = Stepper(core, lambda: (engine.time - began) * rate, self.wall)
        self._wake()

    def die(self, *, power: bool = False) -> None:
        """As by kill -9; by a power cut (`power`), where nobody tells the peers."""
        if not self.up:
            return
        self.up = False
        self._stepper = None
        self.disk.crash_point = None
        for end in list(self.ends.values()):
            end.end(None, silently=power)
        self.ends.clear()
        self.forget()

    def crash_at(self, point: CrashPoint) -> None:
        """Die in the next step that has something to do."""
        self.disk.crash_point = point

    def machine(self) -> Any:
        """A fresh one for each life."""
        raise AssertionError("a subclass says what it runs")

    def forget(self) -> None:
        """What was volatile beside the machine."""

    def save_clock(self) -> None:
        """As at a stop that was asked for."""
        if self._stepper is not None:
            self._stepper.save_clock()

    def wall(self) -> float:
        """Unix seconds as this host believes them."""
        return START + self.engine.time + self.wall_offset

    # Steps

    def put(self, event: Event) -> None:
        """For the next step."""
        if self._stepper is not None:
            self._stepper.inbox.put(event)
            self._wake()

    def _wake(self) -> None:
        if not self._step_at:
            self._step_at = True
            stepper = self._stepper
            self.engine.after(self.step_seconds, lambda: self._step(stepper))

    def _step(self, stepper: Stepper | None) -> None:
        self._step_at = False
        if stepper is None or stepper is not self._stepper:
            if self._stepper is not None:
                self._wake()
            return
        try:
            effects, handled = stepper.step()
            if (effects or handled) and self.disk.crash_point is CrashPoint.BEFORE_EFFECTS:
                raise Crash
        except Crash:
            point = self.disk.crash_point
            assert point is not None
            self.crashes[point] += 1
            self.die()
            self.on_crash(self)
            return
        self.perform(effects, handled)
        self.stepped()
        self._set_timer(stepper)

    def _set_timer(self, stepper: Stepper) -> None:
        if stepper is not self._stepper:
            return
        seconds = stepper.wait_seconds() / self.rate
        if seconds <= 0.0:
            self._wake()
            return
        due = self.engine.time + seconds
        if due < self._timer or self._timer <= self.engine.time:
            self._timer = due
            self.engine.at(due, lambda: self._ring(stepper, due))

    def _ring(self, stepper: Stepper, due: float) -> None:
        if stepper is self._stepper and due == self._timer:
            self._timer = 0.0
            self._wake()

    def stepped(self) -> None:
        """After a step's effects."""

    # Effects (as `node.runtime.Running` performs them)

    def perform(self, effects: Sequence[Effect], handled: dict[Connection, int]) -> None:
        touched: dict[Connection, End] = {}
        for effect in effects:
            if type(effect) is Send:
                end = self.ends.get(effect.connection)
                if end is not None:
                    for command in self.say(end, effect.command):
                        end.link.queue(command, effect.stream)
                    touched[effect.connection] = end
            elif type(effect) is not Wake:
                self.perform_other(effect)
        for end in touched.values():
            if not end.closed:
                end.flush()
        for number, frames in handled.items():
            end = self.ends.get(number)
            if end is not None:
                end.handled(frames)

    def perform_other(self, effect: Effect) -> None:
        match effect:
            case Disconnect():
                end = self.ends.get(effect.connection)
                if end is not None:
                    end.end(effect.code)
            case _:
                raise AssertionError(f"nobody performs {effect}")

    # Connections

    def next_tick(self, time: float) -> float:
        """When it next looks at its connections: now and then only, as `node.runtime.Running.keep_time` does."""
        ticks = math.floor((max(time, self.engine.time) - self._booted) / self._tick_seconds) + 1
        return self._booted + ticks * self._tick_seconds

    def queued_bytes(self) -> list[int]:
        """For each connection, of the commands that wait to be packed."""
        return [end.link.queued_bytes for end in self.ends.values()]

    def next_connection(self) -> Connection:
        return Connection(next(self._connections))

    def answer(self, now: float) -> Link[Any]:
        """The link of whoever is dialled."""
        raise AssertionError("only relays listen")

    def ended(self, end: End, code: object) -> None:
        """One of this host's ends is closed."""
        self.ends.pop(end.number, None)
        if end.opened:
            self.put(Closed(end.number))

    def hear(self, end: End, commands: list[Command]) -> Iterable[Command]:
        """What this host makes of what its links received, before its machine sees it."""
        return commands

    def say(self, end: End, command: Command) -> Iterable[Command]:
        """What this host sends in place of a command of its machine."""
        return (command,)


class _Dialled:
    """What came of a dial: nothing yet, or one end of a connection."""

    __slots__ = ("end",)

    def __init__(self) -> None:
        self.end: End | None = None


class Dialler(Host):
    """A host whose machine dials relays: a person's, or a relay's that forwards."""

    entropy: Entropy

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.preset = Preset.DIRECT
        """Of the links that it dials from now on."""
        self.relays: Callable[[RelayKey], RelayHost | None] = lambda key: None
        """Who holds a key."""
        self._dials: dict[tuple[RelayKey, Group], _Dialled] = {}
        """The newest of each relay and group."""
        self._links = count(1)
        self._links_seed = b""

    def forget(self) -> None:
        self._dials.clear()

    def perform_other(self, effect: Effect) -> None:
        match effect:
            case Dial():
                self._hang_up(effect.relay, effect.group)
                self._dial(effect)
            case HangUp():
                self._hang_up(effect.relay, effect.group)
            case _:
                super().perform_other(effect)

    def _dial(self, dial: Dial) -> None:
        """The first packet takes as long as a frame; nobody there is told as soon as it can be."""
        relay = self.relays(dial.relay)
        stepper = self._stepper
        if relay is None:
            self.put(Unreachable(dial.relay, "no such host", dial.group))
            return
        there, back = self.network.path(self.index, relay.index), self.network.path(relay.index, self.index)
        deadline = self.engine.time + dial.timeout_seconds
        link = InitiatorLink(
            self.suite, self._entropy_of_link(), self.timing, dial.relay, self.engine.time, self.preset
        )
        name = dial.relay, dial.group
        dialled = self._dials[name] = _Dialled()

        def connect() -> None:
            if stepper is not self._stepper or self._dials.get(name) is not dialled or there.cut or back.cut:
                return
            end = self.network.dial(self, relay, dial.relay, link, dial.group)
            if end is None:
                del self._dials[name]
                self.engine.note(self.index, relay.index, 0, Kind.REFUSED)
                self.put(Unreachable(dial.relay, "connection refused", dial.group))
                return
            self.ends[end.number] = end
            dialled.end = end
            end.flush()

        self.engine.at(deadline, lambda: self._no_answer(stepper, dial, dialled))
        self.engine.after(there.delay(self.engine.time) + back.delay(self.engine.time), connect)

    def _entropy_of_link(self) -> Entropy:
        """A stream of its own for a link with ticks: what the machine draws must not move them."""
        return self.entropy if self.preset is Preset.DIRECT else self._next_stream()

    def _next_stream(self) -> Entropy:
        self._links_seed = self._links_seed or self.entropy.secret(16)
        return CounterEntropy(f"{self._links_seed.hex()} link {next(self._links)}")

    def _no_answer(self, stepper: Stepper | None, dial: Dial, dialled: "_Dialled") -> None:
        name = dial.relay, dial.group
        if stepper is not self._stepper or self._dials.get(name) is not dialled:
            return
        if dialled.end is None:
            del self._dials[name]
            self.put(Unreachable(dial.relay, "it did not answer in time", dial.group))
        elif not dialled.end.opened:
            dialled.end.end(None)

    def _hang_up(self, relay: RelayKey, group: Group) -> None:
        dialled = self._dials.pop((relay, group), None)
        if dialled is not None and dialled.end is not None:
            dialled.end.end(None)

    def ended(self, end: End, code: object) -> None:
        super().ended(end, code)
        dialled = self._dials.get((end.relay, end.group)) if end.relay is not None else None
        if dialled is not None and dialled.end is end:
            assert end.relay is not None
            del self._dials[end.relay, end.group]
            if not end.opened:
                self.put(Unreachable(end.relay, "the connection was closed", end.group))


class RelayHost(Dialler):
    """A relay."""

    def __init__(
        self, engine: Engine, network: Network, index: int, name: str, suite: Suite, timing: Timing,
        entropy: Entropy, disk: Disk[RelayStore], quota: int,
    ) -> None:  # fmt: skip
        super().__init__(engine, network, index, name, suite, timing)
        self.disk = disk
        self.quota = quota
        """Envelopes a queue."""
        self.signing = suite.signing_key(name.encode().ljust(32, b"."))
        self.key = RelayKey(self.signing[32:])
        self.host = f"ws://{name}:1"
        self.entropy = entropy
        self.forward = False
        """Whether it carries for others, from its next life on."""

    def machine(self) -> Relay:
        forwarding = Forwarding(self.suite, self.entropy, self.timing, self.signing) if self.forward else None
        return Relay(self.suite, self.timing, self.key, self.quota, forwarding=forwarding)

    def answer(self, now: float) -> Link[Any]:
        return ResponderLink(self.suite, self._entropy_of_link(), self.timing, self.signing, now)

    def _entropy_of_link(self) -> Entropy:
        """Where it forwards, what its pool draws must not move the ticks of its links either."""
        return self._next_stream() if self.forward else super()._entropy_of_link()


class PersonHost(Dialler):
    """A person's node, and what its local API's clients are told."""

    def __init__(
        self, engine: Engine, network: Network, index: int, name: str, suite: Suite, timing: Timing,
        entropy: Entropy, disk: Disk[MailboxStore], relays: Callable[[RelayKey], RelayHost | None],
    ) -> None:  # fmt: skip
        super().__init__(engine, network, index, name, suite, timing)
        self.disk = disk
        self.entropy = entropy
        self.announced: Callable[[PersonHost], None] = lambda person: None
        """Called after a step that made changes, once their effects are performed."""
        self.forbidden: dict[int, str] = {}
        """Requests beside the machine's that every relay must refuse, and what they ask for."""
        self.got_away_with: list[str] = []
        """Those that were not refused."""
        self.broken_off: list[tuple[RelayKey, Digest]] = []
        """Where it left what in a frame that nobody could read to its end."""
        self.relays = relays
        self.forward = False
        """Whether it reaches contacts' relays by its own only, from its next life on."""
        self.groups = 0
        """Into how many contacts are spread that share no session, from its next life on."""
        self._answers: dict[int, Callable[[Any], None]] = {}
        self._requests = count(1)
        self._beside = count(NOT_THE_MACHINES)
        self._changed = False

    def machine(self) -> Personal:
        constant = rates(self.preset, to_relay=True) is not None
        return Personal(
            self.suite, self.entropy, self.timing, forward=self.forward, groups=self.groups, constant=constant
        )

    def ask(self, operation: Operation, answered: Callable[[Any], None]) -> None:
        """An API client's wish; `answered` is not called if the node dies first."""
        request = next(self._requests)
        self._answers[request] = answered
        self.put(Requested(request, operation))

    def request_beside(self) -> int:
        """A number for a command that is not the machine's."""
        return next(self._beside)

    def hear(self, end: End, commands: list[Command]) -> Iterable[Command]:
        if any(getattr(command, "request", 0) >= NOT_THE_MACHINES for command in commands):
            for command in commands:
                what = self.forbidden.pop(getattr(command, "request", 0), None)
                if what is not None and not isinstance(command, Refused):
                    self.got_away_with.append(what)
            return [command for command in commands if getattr(command, "request", 0) < NOT_THE_MACHINES]
        return commands

    def forget(self) -> None:
        super().forget()
        self._answers.clear()

    def stepped(self) -> None:
        if self._changed:
            self._changed = False
            self.announced(self)

    def perform_other(self, effect: Effect) -> None:
        match effect:
            case Answer():
                self._answers.pop(effect.request)(effect.result)
            case Announce():
                self._changed = True
            case _:
                super().perform_other(effect)
