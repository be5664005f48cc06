"""Exact posteriors of mixes, from the times at which messages came and left and from nothing else.

A mix of which every message inside is equally likely to leave next (pool mixes; exponential delays) is described by how
many come and how many leave at each of its events. What one who leaves may be, is then known exactly: each message that
came is still inside with a probability that all departures since have multiplied (Serjantov and Danezis 2002; Danezis
2004, "The Traffic Analysis of Continuous-Time Mixes").
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from simulations.arrays import Floats, Integers

_MOST_DECAY = 500.0
"""Nats by which a running product may shrink before sums are started anew: exp(-500) is far from underflow."""


class Anonymity(NamedTuple):
    """Bits of a set of posteriors. `min_entropy` is of the likeliest guess, averaged as the chance that it is right."""

    mean: float
    p5: float
    least: float
    min_entropy: float


class MixEvents(NamedTuple):
    """A mix's events in the order of time: `arriving` messages come, then `leaving` of those inside leave."""

    arriving: Integers
    leaving: Integers

    @property
    def inside(self) -> Integers:
        """How many are inside when those who leave are drawn."""
        arrived = np.cumsum(self.arriving)
        left = np.cumsum(self.leaving)
        return arrived - np.concatenate(([0], left[:-1]))


def summarise(entropies: Floats, likeliest: Floats) -> Anonymity:
    """`likeliest`: of each posterior its largest probability, in bits of surprisal."""
    guess = float(-np.log2(np.mean(np.exp2(-likeliest))))
    return Anonymity(float(entropies.mean()), float(np.percentile(entropies, 5)), float(entropies.min()), guess)


def decayed_sums(values: Floats, factors: Floats) -> Floats:
    """s[k] = factors[k] · s[k−1] + values[k] along the first axis, s[−1] = 0; every factor in [0, 1].

    Values of one sign lose no precision. Vectorised in runs between factors of 0 and before products underflow.
    """
    sums = np.empty_like(values)
    shape = (-1,) + (1,) * (values.ndim - 1)
    empties = factors == 0.0
    decay = np.concatenate(([0.0], np.cumsum(np.log(np.where(empties, 1.0, factors)))))
    edges = np.unique(np.concatenate(([0], np.flatnonzero(empties), [len(values)])))
    carry = np.zeros(values.shape[1:])
    for first, end in pairwise(edges.tolist()):
        start = first
        while start < end:
            stop = int(np.searchsorted(-decay, _MOST_DECAY - decay[start + 1], side="right")) - 1
            stop = min(max(stop, start + 1), end)
            product = np.exp(decay[start + 1 : stop + 1] - decay[start + 1]).reshape(shape)
            part = values[start:stop] / product
            part[0] += factors[start] * carry
            np.cumsum(part, axis=0, out=part)
            part *= product
            sums[start:stop] = part
            carry = part[-1]
            start = stop
    return sums


def entropies(events: MixEvents) -> Floats:
    """Bits of the posterior over who came, of one that leaves at each event (NaN where none leaves)."""
    inside, leaving = events.inside.astype(np.float64), events.leaving.astype(np.float64)
    kept = _kept(events)
    # With every message's probability of being inside p: s = Σ p log2 p. Those who come add 1 · log2 1 = 0.
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.where(kept > 0.0, inside * kept * np.log2(kept), 0.0)
    after = decayed_sums(change, kept)
    before = np.concatenate(([0.0], after[:-1]))
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = np.log2(inside) - before / inside
    return np.where(leaving > 0.0, bits, np.nan)


def surprisals(events: MixEvents, came: Integers, left: Integers) -> Floats:
    """Bits: −log2 of what the posterior gives to the truth. `came`, `left`: at which events a message did.

    Its mean over all messages is the mean entropy if, and only if, the posterior is the right one.
    """
    passed = _passed(events)
    return np.asarray(np.log2(events.inside[left].astype(np.float64)) - (passed[left] - passed[came]))


def likeliest(events: MixEvents) -> Floats:
    """Bits: −log2 of the largest probability of each event's posterior: that of the one who came last."""
    passed = _passed(events)
    index = np.arange(len(events.leaving))
    last = np.maximum.accumulate(np.where(events.arriving > 0, index, 0))
    with np.errstate(divide="ignore"):
        return np.asarray(np.log2(events.inside.astype(np.float64)) - (passed[index] - passed[last]))


def _passed(events: MixEvents) -> Floats:
    """log2 of the product of `_kept` before each event. Nothing is both before and after one that empties the mix."""
    kept = _kept(events)
    logs = np.log2(np.where(kept > 0.0, kept, 1.0))
    return np.concatenate(([0.0], np.cumsum(logs)))


def _kept(events: MixEvents) -> Floats:
    """Which share of those inside stays, at each event."""
    inside = events.inside.astype(np.float64)
    return np.where(inside > 0.0, 1.0 - events.leaving / np.maximum(inside, 1.0), 1.0)


def continuous_events(came: Floats, left: Floats) -> tuple[MixEvents, Integers, Integers]:
    """Events of a mix from each message's two times; and at which events each message came and left."""
    count = len(came)
    order = np.argsort(np.concatenate((came, left)), kind="stable")
    leaving = (order >= count).astype(np.int64)
    place = np.empty(2 * count, dtype=np.int64)
    place[order] = np.arange(2 * count)
    return MixEvents(1 - leaving, leaving), place[:count], place[count:]


def round_events(came: Integers, left: Integers) -> MixEvents:
    """Events of a mix that works in rounds, from the round in which each message came and left."""
    rounds = int(left.max()) + 1
    return MixEvents(np.bincount(came, minlength=rounds), np.bincount(left, minlength=rounds))
