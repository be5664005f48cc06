"""When the envelopes leave that carry receipts, or nothing: at ticks, whatever waits (Spec 6 §5)."""

from typing import NamedTuple

import numpy as np

from protocol.delivery.items import TICKS
from simulations.arrays import Floats, Integers

_NUMBER_BITS = 62
_LONGEST_MEANS = 100.0
"""No three ticks are further off."""


class Leaving(NamedTuple):
    """Automatic envelopes: in which direction, and when they are sealed."""

    direction: Integers
    time: Floats


def leave_for_good(sender: Integers, mean: float, gap: float, span: float, rng: np.random.Generator) -> Leaving:
    """Of links whose ticks do not end: in each direction, whoever the `sender` is, so many `mean` seconds apart, or
    those of all its contacts `gap` seconds. Nothing that is written or comes makes any difference."""
    contacts = np.bincount(sender)[sender]
    direction = np.repeat(np.arange(len(sender)), rng.poisson(span / np.maximum(mean, gap * contacts)))
    return Leaving(direction, span * rng.random(len(direction)))


def leave_at_ticks(
    direction: Integers, written: Floats, delivered: Floats, mean: float, rng: np.random.Generator
) -> Leaving:
    """Of texts: at either end three ticks follow the last that was written there or came, `mean` seconds apart.

    A node keeps the tick that it drew, and here three are drawn anew after each text. That is the same process: what
    remains of an exponential time is distributed as all of it was.
    """
    if not len(direction):
        return Leaving(direction, written)
    longest = max(float(delivered.max()), _LONGEST_MEANS * mean)
    # One number each, of a way and a time, which is far quicker to sort: the next way is longer off than any tick.
    time_bits = _NUMBER_BITS - int(direction.max() | 1).bit_length()
    scale = 2.0 ** (time_bits - 1) / longest
    events = np.concatenate(
        (
            (direction << time_bits) + (written * scale).astype(np.int64),
            ((direction ^ 1) << time_bits) + (delivered * scale).astype(np.int64),
        )
    )
    events.sort()
    until = np.diff(events, append=np.iinfo(np.int64).max)
    passed = np.zeros(len(events), dtype=np.int64)
    found = []
    for _ in range(TICKS):
        passed += (rng.standard_exponential(len(events)) * (mean * scale)).astype(np.int64)
        before = np.flatnonzero(passed < until)
        events, until, passed = events[before], until[before], passed[before]
        found.append(events + passed)
    ticks = np.concatenate(found)
    return Leaving(ticks >> time_bits, (ticks & ((1 << time_bits) - 1)) / scale)
