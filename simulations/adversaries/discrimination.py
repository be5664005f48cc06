"""How well a score tells two hypotheses apart: ROC, and what it means as (ε, δ)."""

import numpy as np

from simulations.arrays import Floats


def auc(positive: Floats, negative: Floats) -> float:
    """The chance that a true pair scores above a false one, ties counted half (Mann and Whitney)."""
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left")
    ties = np.searchsorted(ordered, positive, side="right") - below
    return float((below + 0.5 * ties).mean() / len(negative))


def true_positive_rate(positive: Floats, negative: Floats, false_positive_rate: float = 1e-3) -> float:
    """Share of true pairs above the lowest threshold that no more than this share of false ones exceeds.

    Needs at least 1 / `false_positive_rate` false pairs: fewer cannot show so rare an error.
    """
    assert len(negative) * false_positive_rate >= 1.0, f"{len(negative)} false pairs say nothing of so rare an error"
    allowed = int(np.floor(false_positive_rate * len(negative)))
    threshold = np.sort(negative)[len(negative) - 1 - allowed]
    return float((positive > threshold).mean())


def advantage(positive: Floats, negative: Floats) -> float:
    """The largest difference of the two rates over all thresholds: δ at ε = 0 of an adversary who uses this score."""
    return delta(positive, negative, 0.0)


def delta(positive: Floats, negative: Floats, epsilon: float) -> float:
    """The smallest δ for which the score is (ε, δ)-indistinguishable, both ways, as far as thresholds tell.

    max over thresholds of P(above | true) − e^ε P(above | false), of the complements, and with the two exchanged.
    What the samples show is a lower bound of what is true: with n samples, to within about 1/√n.
    """
    thresholds = np.unique(np.concatenate((positive, negative)))
    above_true = 1.0 - np.searchsorted(np.sort(positive), thresholds, side="right") / len(positive)
    above_false = 1.0 - np.searchsorted(np.sort(negative), thresholds, side="right") / len(negative)
    factor = np.exp(epsilon)
    differences = (
        above_true - factor * above_false,
        above_false - factor * above_true,
        (1.0 - above_true) - factor * (1.0 - above_false),
        (1.0 - above_false) - factor * (1.0 - above_true),
    )
    return max(0.0, *(float(difference.max()) for difference in differences))


def epsilon(positive: Floats, negative: Floats, most_delta: float) -> float:
    """The smallest ε at which δ is no more than `most_delta`; infinite where some outcome betrays by itself."""
    low, high = 0.0, 50.0
    if delta(positive, negative, high) > most_delta:
        return float("inf")
    for _ in range(60):
        middle = (low + high) / 2.0
        if delta(positive, negative, middle) > most_delta:
            low = middle
        else:
            high = middle
    return high
