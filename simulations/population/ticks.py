"""Poisson processes for thousands of links at the price of one: each link sees it from a place of its own.

One realisation on a circle as long as the time simulated, turned by a random angle for each link. Every link's own
process is exactly Poisson (but for its number of points, which all share); two links' are independent for any purpose
shorter than a turn. A tick "while something waits" is the next point after the waiting began: the exponential
distribution forgets when it was drawn.
"""

import numpy as np

from simulations.arrays import Floats, Integers

_CELLS_PER_POINT = 4
_LAPS = 4
"""A turned link begins in the first, ends in the second, and what it has not sent by then leaves in the third."""


class Ticks:
    """Of `links` links over `span` seconds, `rate` points a second; ticks are numbered round the circle."""

    def __init__(self, links: int, span: float, rate: float, rng: np.random.Generator) -> None:
        count = max(2, int(rng.poisson(span * rate)))
        self.span = span
        self.count = count
        self._points = np.sort(rng.random(count)) * span
        self._offsets = rng.random(links) * span
        self._cell = span / (count * _CELLS_PER_POINT)
        self._laps = np.concatenate([self._points + lap * span for lap in range(_LAPS)])
        # Of each cell, how many points come before it: the first candidate for what falls into the cell.
        cells = np.bincount((self._laps / self._cell).astype(np.int64), minlength=_LAPS * count * _CELLS_PER_POINT + 2)
        self._first = np.cumsum(cells) - cells

    def after(self, link: Integers, time: Floats) -> Integers:
        """The number of each link's first tick after a time (below twice the span)."""
        turned = time + self._offsets.take(link)
        number = self._first.take((turned / self._cell).astype(np.int64))
        late = np.flatnonzero(self._laps.take(number) <= turned)
        while len(late):
            number[late] += 1
            late = late[self._laps.take(number[late]) <= turned[late]]
        return number

    def when(self, link: Integers, number: Integers) -> Floats:
        """Seconds of a tick, which may lie past the span. Beyond the last lap, where overload leads, ticks are even."""
        last = len(self._laps) - 1
        beyond = np.flatnonzero(number > last)
        time = self._laps.take(number, mode="clip") - self._offsets.take(link)
        time[beyond] += (number[beyond] - last) * (self.span / self.count)
        return time


def serve(ticks: Ticks, link: Integers, time: Floats, slots: Integers) -> Integers:
    """Numbers of the ticks at which each leaves: first in, first out; a tick takes one slot, and each needs `slots`.

    With next[j] the first tick after j came and S[j] all slots before j: last[i] = S[i+1] − 1 + max(next[j] − S[j]).
    """
    order = by_link_and_time(link, time, 2.0 * ticks.span)
    sorted_link = link.take(order)
    following = ticks.after(sorted_link, time.take(order))
    taken = np.cumsum(slots.take(order))
    before = taken - slots.take(order)
    # A link's numbers lie far above those of the link before it, so that the running maximum never mixes them.
    apart = sorted_link * (8 * ticks.count + int(taken[-1] if len(taken) else 0))
    number = np.empty_like(order)
    number[order] = taken - 1 + np.maximum.accumulate(following + apart - before) - apart
    return number


def by_link_and_time(link: Integers, time: Floats, span: float) -> Integers:
    """Indexes in the order of link, then of time (0 ≤ time < span, in steps of span · 2^−30 or so): one plain sort."""
    count = len(link)
    index_bits = max(1, count.bit_length())
    time_bits = 63 - index_bits - int(link.max() if count else 0).bit_length()
    keys = (link << time_bits) + (time * ((1 << time_bits) / span)).astype(np.int64)
    keys = (keys << index_bits) + np.arange(count)
    keys.sort()
    return np.asarray(keys & ((1 << index_bits) - 1), dtype=np.int64)
