"""Which receipts ride on a text, and which leave by themselves, together or alone (Spec 6 §5)."""

from typing import NamedTuple

import numpy as np

from simulations.arrays import Flags, Floats, Integers


class Leaving(NamedTuple):
    """Envelopes that carry receipts and nothing else: in which direction, and when they are sealed."""

    direction: Integers
    time: Floats


def leave_alone(
    direction: Integers, written: Floats, delivered: Floats, span: float, mean: float, rng: np.random.Generator
) -> Leaving:
    """Of texts grouped by pair (direction // 2 ascends): each owes a receipt the other way once it is delivered.

    A receipt is due after an exponential delay. A text takes all that are owed in its own direction; otherwise all
    that are owed leave in one envelope when the first of them is due. Times are below 4 · `span`.
    """
    due = delivered + rng.standard_exponential(len(delivered)) * mean
    involved = _meeting(direction >> 1, written, due, 8.0 * span)
    quiet = np.flatnonzero(~involved)
    rest = np.flatnonzero(involved)
    together = _leave_together(direction[rest], written[rest], delivered[rest], due[rest], 8.0 * span)
    return Leaving(
        np.concatenate((direction.take(quiet) ^ 1, together.direction)),
        np.concatenate((due.take(quiet), together.time)),
    )


def _meeting(pair: Integers, written: Floats, due: Floats, apart: float) -> Flags:
    """Texts whose receipt may meet another text of the pair, or its receipt. The others' leave when they are due."""
    involved = np.zeros(len(pair), dtype=np.bool_)
    if len(pair) < 2:
        return involved
    base = pair * apart  # pairs lie so far apart that what is compared below is of one pair or far above
    began = base + written
    assert (base[1:] >= base[:-1]).all(), "texts must be grouped by pair"
    latest = np.maximum.accumulate(base + due)
    meets = began[1:] < latest[:-1]
    involved[1:] = meets
    involved[:-1] |= meets
    # Conversations that overlap, or that run past the end of time, are out of order: the whole pair is looked at.
    disorder = np.flatnonzero(began[1:] < began[:-1])
    if len(disorder):
        entangled = np.zeros(int(pair[-1]) + 1, dtype=np.bool_)
        entangled[pair[disorder]] = True
        involved |= entangled.take(pair)
    return involved


def _leave_together(direction: Integers, written: Floats, delivered: Floats, due: Floats, apart: float) -> Leaving:
    """The rule itself, on events sorted by the direction that a receipt or a text goes in, then by time."""
    way = np.concatenate((direction ^ 1, direction))
    time = np.concatenate((delivered, written))
    order = np.argsort(way * apart + time, kind="stable")  # what comes as a text is written rides on it
    is_receipt = order < len(direction)
    way, time = way[order], time[order]
    first_due = np.concatenate((due, np.full(len(due), -np.inf)))[order]  # after a text, nothing waits
    same = way[1:] == way[:-1]
    chosen = np.flatnonzero(same & (first_due[:-1] > time[1:]) & is_receipt[1:]) + 1
    own, came = first_due[chosen], time[chosen]
    while True:  # from left to right: where another still waits when one comes, both leave when the first is due
        waiting = first_due[chosen - 1]
        joined = np.where(waiting > came, np.minimum(own, waiting), own)
        if np.array_equal(joined, first_due[chosen]):
            break
        first_due[chosen] = joined
    alone = is_receipt.copy()
    alone[:-1] &= ~same | (first_due[:-1] <= time[1:])
    return Leaving(way[alone], first_due[alone])
