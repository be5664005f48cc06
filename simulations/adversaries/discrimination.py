"""How well a score tells two hypotheses apart: ROC, and what it means as (ε, δ).

(ε, δ)-indistinguishability is differential privacy's and AnoA's (Backes et al., CSF 2013): whatever set of outcomes is
taken, its probability under one hypothesis is at most e^ε times that under the other, plus δ. Here outcomes are those
of one adversary's score against a threshold: another adversary may do better, none of these does worse.
"""

import numpy as np
from scipy import stats

from simulations.arrays import Flags, Floats, Integers


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


def delta_at_most(positive: Floats, negative: Floats, epsilon: float, confidence: float = 0.95) -> float:
    """An upper bound of this score's true δ at ε: it errs with a probability of 1 − `confidence` at most.

    `delta`, plus how far both empirical distributions may be from the true ones anywhere (Dvoretzky, Kiefer and
    Wolfowitz, with Massart's constant). The scores of a sample must be independent of one another.
    """
    error = (1.0 - confidence) / 2.0
    one, other = (float(np.sqrt(np.log(2.0 / error) / (2.0 * len(scores)))) for scores in (positive, negative))
    slack = max(one + np.exp(epsilon) * other, other + np.exp(epsilon) * one)
    return min(1.0, delta(positive, negative, epsilon) + float(slack))


def epsilon_at_least(
    positive: Floats, negative: Floats, most_delta: float, rng: np.random.Generator, confidence: float = 0.95
) -> float:
    """A lower bound of the true ε at this δ, as audits of differential privacy give it; 0 where nothing is shown.

    Where (ε, δ) holds, a rate of true accusations is at most e^ε times that of false ones, plus δ (Kairouz, Oh and
    Viswanath, ICML 2015). Both rates are bounded by Clopper and Pearson (Jagielski, Ullman and Oprea, NeurIPS 2020).
    The threshold, and which hypothesis is accused, are chosen with one half of the scores; the bound is of the other
    half. The scores of a sample must be independent of one another; n of each show at most about ln(n / 8).
    """
    chosen, bounded = zip(*(np.array_split(rng.permutation(one), 2) for one in (positive, negative)), strict=True)
    if min(len(chosen[0]), len(chosen[1])) < 1:
        return 0.0
    thresholds = np.unique(np.concatenate(chosen))
    best, most = _ACCUSATIONS[0], -np.inf
    threshold = thresholds[:1]
    for accusation in _ACCUSATIONS:
        shown = _shown(*_counts(chosen, thresholds, *accusation), most_delta, confidence)
        if shown.max() > most:
            best, most, threshold = accusation, shown.max(), thresholds[[int(shown.argmax())]]
    return max(0.0, float(_shown(*_counts(bounded, threshold, *best), most_delta, confidence)[0]))


_ACCUSATIONS = tuple((accused, above) for accused in (0, 1) for above in (True, False))
"""Of being one of the positive (0) or negative (1) ones: whoever is above a threshold, or whoever is not."""


def _counts(
    samples: tuple[Floats, ...], thresholds: Floats, accused: int, above: bool
) -> tuple[tuple[Integers, int], tuple[Integers, int]]:
    """True accusations at each threshold, and of how many; then the false ones."""
    counts = []
    for scores in (samples[accused], samples[1 - accused]):
        below = np.searchsorted(np.sort(scores), thresholds, side="right")
        counts.append((len(scores) - below if above else below, len(scores)))
    return counts[0], counts[1]


def _shown(true: tuple[Integers, int], false: tuple[Integers, int], most_delta: float, confidence: float) -> Floats:
    """The bound of ε at each threshold; −∞ where no true accusation is more frequent than δ."""
    error = (1.0 - confidence) / 2.0
    (hits, positives), (misses, negatives) = true, false
    least = np.where(hits > 0, stats.beta.ppf(error, np.maximum(hits, 1), positives - hits + 1), 0.0)
    most = np.where(misses < negatives, stats.beta.ppf(1.0 - error, misses + 1, np.maximum(negatives - misses, 1)), 1.0)
    excess = least - most_delta
    return np.asarray(np.where(excess > 0.0, np.log(np.maximum(excess, 1e-300) / most), -np.inf))


def draw_apart(true: Flags, false: Flags, rng: np.random.Generator) -> tuple[Flags, Flags]:
    """True pairs and false ones, at random and about as many of each, such that nobody is in two of all these pairs.

    Flags of [from, to], square. Scores of such pairs have nothing in common that the same traffic is counted in twice.
    """
    people = len(true)
    free = np.ones(people, dtype=np.bool_)
    drawn = (np.zeros_like(true), np.zeros_like(false))
    for pairs, chosen in zip((true, false), drawn, strict=True):
        left = people // 4
        for place in rng.permutation(np.flatnonzero(pairs)):
            if not left:
                break
            one, other = divmod(int(place), people)
            if free[one] and free[other] and one != other:
                free[[one, other]] = False
                chosen[one, other] = True
                left -= 1
    return drawn
