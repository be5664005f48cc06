"""One direction of one connection: when a frame leaves, and how many slots it may have (Spec 10 §3 to §5).

Volatile and synchronous. Time and uniform draws come from outside; what waits is the link's, which asks `due` whenever
its transport can take a frame and says `taken` when the transport has it. Nothing here grows with what waits.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import ClassVar, NamedTuple

from protocol.limits import FRAME_SLOTS, MAX_COMMANDS_PER_FRAME
from protocol.timing import Timing
from protocol.traffic.policies import LATE_SECONDS, TICK_SECONDS, Rates, Stream, rates
from protocol.wire.commands import Preset
from protocol.wire.frames import ARRAY_HEADER_BYTES, capacity


class Turn(NamedTuple):
    """A frame is to leave now."""

    stream: Stream
    most_slots: int
    """It has the fewest slots, of 1, 2, 4 and 8, that hold what is packed, and never more than these."""


_TURNS = {stream: Turn(stream, 1) for stream in Stream}
_WHOLE = Turn(Stream.PAYLOAD, FRAME_SLOTS[-1])


class Shaper(ABC):
    """Asked at any time, and at `next_wake` at the latest. Times are seconds of a clock that does not go back."""

    __slots__ = ("_uniform", "next_wake")

    paced: ClassVar[bool] = True
    """Whether frames leave at times of its own: those want to be met to the millisecond."""
    next_wake: float
    """When `due` is wanted even if nothing happens."""

    def __init__(self, uniform: Callable[[], float]) -> None:
        self._uniform = uniform

    @abstractmethod
    def due(self, now: float, waiting: bool) -> Turn | None:
        """Whether a frame is to leave now; `waiting`: there are commands for it. The transport can take one."""

    @abstractmethod
    def taken(self, now: float) -> None:
        """The transport took the last frame only now: what was due in the meantime is skipped, never caught up."""

    def _exponential(self, mean: float) -> float:
        return -mean * math.log(1.0 - self._uniform())


class _Quiet(Shaper):
    """Sends nothing when there is nothing to say, but for a keep-alive."""

    __slots__ = ("_interval", "_keep_alive_at", "_keep_alive_seconds")

    def __init__(self, uniform: Callable[[], float], keep_alive_seconds: float, now: float) -> None:
        super().__init__(uniform)
        self._keep_alive_seconds = keep_alive_seconds
        self._interval = self._draw_interval()
        self._keep_alive_at = self.next_wake = now + self._interval

    def _draw_interval(self) -> float:
        """Within 20 % of what is set, so that connections that opened together do not stay in step."""
        return self._keep_alive_seconds * (0.8 + 0.4 * self._uniform())

    def _send(self, now: float) -> Turn:
        self._keep_alive_at = self.next_wake = now + self._interval
        return _WHOLE

    def _keep_alive(self, now: float) -> Turn | None:
        if now < self._keep_alive_at:
            return None
        self._interval = self._draw_interval()
        return self._send(now)


class DirectShaper(_Quiet):
    """What waits leaves at once."""

    __slots__ = ()

    paced = False

    def due(self, now: float, waiting: bool) -> Turn | None:
        """At once while something waits."""
        return self._send(now) if waiting else self._keep_alive(now)

    def taken(self, now: float) -> None:
        """Nothing is ever missed."""


class BatchedShaper(_Quiet):
    """What waits leaves together, an exponential time after the first of it came to wait."""

    __slots__ = ("_mean", "_tick")

    def __init__(self, uniform: Callable[[], float], keep_alive_seconds: float, mean: float, now: float) -> None:
        super().__init__(uniform, keep_alive_seconds, now)
        self._mean = mean
        self._tick = math.inf

    def due(self, now: float, waiting: bool) -> Turn | None:
        """At the tick, which is drawn when it is first asked with something waiting."""
        if not waiting:
            return self._keep_alive(now)
        if self._tick == math.inf:
            self._draw_tick(now)
        if now < self._tick:
            return None
        self._tick = math.inf
        return self._send(now)

    def taken(self, now: float) -> None:
        """A tick that found the transport full is drawn anew."""
        if self._tick <= now:
            self._draw_tick(now)

    def _draw_tick(self, now: float) -> None:
        self._tick = self.next_wake = now + self._exponential(self._mean)


class ConstantShaper(Shaper):
    """One slot at each point of three Poisson processes, whatever waits.

    Drawn as one process of their total rate, each point of which belongs to one of them by lot: the same thing. When
    and what for depends on the draws alone.
    """

    __slots__ = ("_rates", "_stream")

    def __init__(self, uniform: Callable[[], float], rates: Rates, now: float) -> None:
        super().__init__(uniform)
        self._rates = rates
        self._advance(now)

    def due(self, now: float, waiting: bool) -> Turn | None:
        """At a tick. One that is met more than `LATE_SECONDS` late is skipped; of several, only the last counts."""
        del waiting
        turn = None
        while self.next_wake <= now:
            turn = _TURNS[self._stream] if now - self.next_wake <= LATE_SECONDS else None
            self._advance(self.next_wake)
        return turn

    def taken(self, now: float) -> None:
        """Skips the ticks that found the transport full."""
        while self.next_wake <= now:
            self._advance(self.next_wake)

    def _advance(self, since: float) -> None:
        self.next_wake = since + self._exponential(1.0 / self._rates.total)
        lot = self._uniform() * self._rates.total
        if lot < self._rates.payload:
            self._stream = Stream.PAYLOAD
        elif lot < self._rates.payload + self._rates.loop:
            self._stream = Stream.LOOP
        else:
            self._stream = Stream.DROP


def make_shaper(preset: Preset, uniform: Callable[[], float], timing: Timing, now: float, *, to_relay: bool) -> Shaper:
    """For one direction of a connection that begins now. `uniform` gives numbers in [0, 1)."""
    constant = rates(preset, to_relay=to_relay)
    if constant is not None:
        return ConstantShaper(uniform, constant.times(timing.pace), now)
    if preset is Preset.DIRECT:
        return DirectShaper(uniform, timing.keep_alive_seconds, now)
    return BatchedShaper(uniform, timing.keep_alive_seconds, TICK_SECONDS / timing.pace, now)


def room(most_slots: int) -> int:
    """Bytes of encoded commands that a frame of at most so many slots is given."""
    return capacity(most_slots) - ARRAY_HEADER_BYTES


def fit(lengths: Iterable[int], room: int) -> int:
    """How many of the commands that wait leave, of their lengths: the first ones, in order, as many as fit (bytes)."""
    count = 0
    for length in lengths:
        room -= length
        if room < 0 or count == MAX_COMMANDS_PER_FRAME:
            break
        count += 1
    return count
