"""Frames on links: how many, how large, and the keep-alives in the silences between them."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from protocol.limits import SLOT_BYTES
from simulations.adversaries.size import frame_slots
from simulations.arrays import Floats, Integers

JITTER = 0.2
"""A keep-alive comes within so much of its mean (Spec 7 §4)."""
_STEPS_PER_MEAN = 300


class Frames(NamedTuple):
    """Frames of one direction, in no order: link, seconds, slots of 4,096 bytes."""

    link: Integers
    time: Floats
    slots: Integers


class LinkTotals(NamedTuple):
    """Of each link, one direction, over the time simulated. Keep-alives, which are one slot each, are among both."""

    frames: Floats
    slots: Floats
    keep_alives: Floats

    @property
    def payload_bytes(self) -> Floats:
        """Bytes of WebSocket payload."""
        return np.asarray(self.slots * SLOT_BYTES)


@lru_cache(maxsize=8)
def keep_alives(mean: float, longest: float) -> "KeepAlives":
    """The table of a mean and a longest silence, in seconds; made once."""
    return KeepAlives(mean, longest)


class KeepAlives:
    """How many empty frames fit a silence, on average: the renewal function of a uniform gap around `mean` seconds.

    A table of `steps_per_second`; silences past its end are cut to it.
    """

    def __init__(self, mean: float, longest: float) -> None:
        self.mean = mean
        self.steps_per_second = _STEPS_PER_MEAN / mean
        size = int(longest * self.steps_per_second) + 2
        low, high = round(_STEPS_PER_MEAN * (1 - JITTER)), round(_STEPS_PER_MEAN * (1 + JITTER))
        expected = np.zeros(size)
        sums = np.zeros(size + 1)  # of 1 + m
        # m(t) is the mean over gaps g ≤ t of 1 + m(t − g): known for one shortest gap after the other.
        for start in range(0, size, low):
            at = np.arange(start, min(start + low, size))
            below = sums[np.maximum(at - high, 0)]
            expected[at] = (sums[np.maximum(at - low + 1, 0)] - below) / (high - low + 1)
            sums[at + 1] = sums[start] + np.cumsum(1.0 + expected[at])
        self.expected = expected.astype(np.float32)

    def within(self, silences: Floats) -> Floats:
        """Mean number in each silence (seconds)."""
        steps = (silences * self.steps_per_second).astype(np.int64)
        return self.expected.take(steps, mode="clip").astype(np.float64)

    def draw(self, start: float, stop: float, rng: np.random.Generator) -> list[float]:
        """Seconds of one draw of them, in one silence."""
        times: list[float] = []
        while (start := start + self.mean * (1.0 - JITTER + 2.0 * JITTER * rng.random())) < stop:
            times.append(start)
        return times


def envelopes_to_slots(envelopes: Integers) -> Integers:
    """Slots of what leaves together: small commands alone fill one, and beside envelopes they lie in the reserve."""
    slots = np.ones(len(envelopes), dtype=np.int64)
    several = np.flatnonzero(envelopes > 1)
    slots[several] = frame_slots(envelopes[several])
    return slots


@lru_cache(maxsize=8)
def moments(links: int, span: float, table: KeepAlives) -> "Moments":
    """Made once for communities of one size."""
    return Moments(links, span, table)


class Moments:
    """Sends of `links` links in `span` seconds as numbers of 32 bits that sort by link, then by time.

    Time is a circle: what is past the end happens at the start. It is rounded to span · links / 2³² seconds, a fraction
    of the steps in which the table of keep-alives is kept.
    """

    def __init__(self, links: int, span: float, keep_alives: KeepAlives) -> None:
        self.links = links
        self.steps = (1 << 32) // links
        self._scale = self.steps / span
        self._span = span
        self._shift = max(0, int(np.log2(self._scale / keep_alives.steps_per_second)))
        seconds = (1 << self._shift) / self._scale
        middles = (np.arange(int(span / seconds) + 2) + 0.5) * np.float64(seconds)
        self._expected = keep_alives.within(middles).astype(np.float32)
        self._idle = float(keep_alives.within(np.array([span]))[0])

    def within_link(self, time: Floats) -> NDArray[np.uint32]:
        """The part of a number that is time."""
        turned = time
        while len(over := np.flatnonzero(turned >= self._span)):
            turned = turned.copy() if turned is time else turned
            turned[over] -= self._span
        return (turned * self._scale).astype(np.uint32)

    def of_link(self, link: Integers) -> NDArray[np.uint32]:
        """The part that is the link: the sum of the two is the number."""
        return np.asarray(link * self.steps, dtype=np.uint32)

    def count(self, numbers: NDArray[np.uint32]) -> tuple[Floats, Floats]:
        """Of each link: how many sends, and the mean number of keep-alives in its silences. Sorts in place."""
        numbers.sort()
        sends = np.zeros(self.links)
        idle = np.full(self.links, self._idle)
        if len(numbers):
            edges = np.searchsorted(numbers, self.of_link(np.arange(self.links)))
            sends[:] = np.diff(edges, append=len(numbers))
            filled = np.flatnonzero(sends)
            first, last = edges[filled], edges[filled] + sends[filled].astype(np.int64) - 1
            silences = np.diff(numbers, append=numbers[:1])
            silences[last] = self.steps - (numbers[last] - numbers[first])  # round the circle
            fitting = self._expected.take(silences >> self._shift, mode="clip")
            idle[filled] = np.add.reduceat(fitting, edges[filled])
        return sends, idle
