"""Exact posteriors through a network of mixes in layers, whose every link a global observer sees.

Of chosen messages that enter, the probability of being each message that leaves. Mass is carried from layer to layer:
what leaves a mix is each message inside with the same probability, so it carries the mean of what is inside.
"""

from itertools import pairwise

import numpy as np

from simulations.adversaries.mixing import Anonymity, continuous_events, decayed_sums, summarise
from simulations.arrays import Floats, Integers


def follow(targets: Integers, mixes: Integers, came: Floats, left: Floats) -> Floats:
    """For each message that leaves the last layer (rows), the probability that it is each of the targets (columns).

    `mixes`: for each message (rows) and layer (columns) which mix it was sent through; `came`, `left`: seconds at
    which it came to that mix and left it. A message is named by its row only so that links join: what it carries
    depends on times and on mixes alone.
    """
    messages, layers = mixes.shape
    mass = np.zeros((messages, len(targets)))
    mass[targets, np.arange(len(targets))] = 1.0
    for layer in range(layers):
        _mix_layer(mass, mixes[:, layer], came[:, layer], left[:, layer])
    return mass


def measure(mass: Floats, targets: Integers) -> tuple[Anonymity, Floats]:
    """Of `follow`: the anonymity of the targets' receivers, and each target's surprisal in bits (see `mixing`)."""
    logs = np.log2(np.where(mass > 0.0, mass, 1.0))
    entropies = -(mass * logs).sum(axis=0)
    anonymity = summarise(entropies, -np.log2(mass.max(axis=0)))
    return anonymity, -logs[targets, np.arange(len(targets))]


def _mix_layer(mass: Floats, mixes: Integers, came: Floats, left: Floats) -> None:
    """Replace what each message carried into this layer by what it carries out of it."""
    order = np.argsort(mixes, kind="stable")
    edges = np.searchsorted(mixes[order], np.arange(int(mixes.max()) + 2))
    for first, end in pairwise(edges.tolist()):
        inside = order[first:end]
        if len(inside):
            mass[inside] = _mix(mass[inside], came[inside], left[inside])


def _mix(carried: Floats, came: Floats, left: Floats) -> Floats:
    """One mix. With s what is inside: who leaves takes s/n, and s(1 − 1/n) stays."""
    events, arrival, departure = continuous_events(came, left)
    inside = events.inside.astype(np.float64)
    factors = np.where(events.leaving > 0, 1.0 - 1.0 / inside, 1.0)
    values = np.zeros((len(factors), carried.shape[1]))
    values[arrival] = carried
    sums = decayed_sums(values, factors)
    return np.asarray(sums[departure - 1] / inside[departure, None])
