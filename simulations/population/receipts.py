"""When the envelopes leave that carry receipts, or nothing: at ticks, whatever waits (Spec 6 §5)."""

from typing import NamedTuple

import numpy as np

from protocol.delivery.items import TICKS
from simulations.arrays import Floats, Integers


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
    way = np.concatenate((direction, direction ^ 1))
    time = np.concatenate((written, delivered))
    order = np.lexsort((time, way))
    way, time = way[order], time[order]
    until = np.full(len(time), np.inf)
    until[:-1] = np.where(way[1:] == way[:-1], time[1:], np.inf)
    ticks = time[:, None] + mean * np.cumsum(rng.standard_exponential((len(time), TICKS)), axis=1)
    before = ticks < until[:, None]
    return Leaving(np.repeat(way, before.sum(axis=1)), ticks[before])
