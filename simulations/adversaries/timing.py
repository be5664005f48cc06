"""Timing correlation: does what leaves one end's link come out at another's? From the two links alone.

Both links are counted in bins. What went in is spread by the delay that the policy is known to add (the adversary knows
the system; anyone can measure it with two clients of one's own), and compared with what came out by Pearson's
correlation. The truth is needed only to score the scores.
"""

from typing import NamedTuple

import numpy as np

from simulations.adversaries.discrimination import auc, true_positive_rate
from simulations.arrays import Flags, Floats, Numbers
from simulations.observation import Observations

WINDOWS_SECONDS = (900.0, 3_600.0, 21_600.0)
"""For how long the adversary watches: 15 minutes, 1 hour, 6 hours."""


class Correlation(NamedTuple):
    """How well true pairs were told from false ones."""

    auc: float
    true_positive_rate: float
    """At a false positive rate of 10⁻³."""
    true_pairs: int
    false_pairs: int


def count_frames(
    seen: Observations, links: Numbers, toward_relay: bool, start: float, stop: float, bin_seconds: float
) -> Floats:
    """Frames of each link (rows) in each bin (columns) of one direction; `links` ascend."""
    width = int(np.ceil((stop - start) / bin_seconds))
    rows = seen.between(start, stop).times(toward_relay)
    place = np.minimum(np.searchsorted(links, rows.link), len(links) - 1)
    known = links[place] == rows.link
    columns = ((rows.time[known] - start) / bin_seconds).astype(np.int64)
    counts = np.bincount(place[known] * width + np.minimum(columns, width - 1), minlength=len(links) * width)
    return counts.reshape(len(links), width).astype(np.float64)


def kernel(delays_seconds: Floats, bin_seconds: float, rng: np.random.Generator) -> Floats:
    """The chance that what went in during one bin comes out so many bins later, from a sample of delays."""
    later = ((delays_seconds + rng.uniform(0.0, bin_seconds, len(delays_seconds))) / bin_seconds).astype(np.int64)
    shares = np.bincount(later) / len(later)
    enough = int(np.searchsorted(np.cumsum(shares), 0.999)) + 1
    return np.asarray(shares[:enough], dtype=np.float64)


def correlate(up: Floats, down: Floats, delays: Floats) -> Floats:
    """A score for every pair of a link into which something goes (rows) and one out of which it comes (columns).

    `up`, `down`: counts from `count_frames`, of equal bins; `delays`: `kernel`. A link that never changes says
    nothing: its score is 0.
    """
    expected = np.zeros_like(up)
    width = up.shape[1]
    for later, share in enumerate(delays[:width]):
        expected[:, later:] += share * up[:, : width - later]
    return np.asarray(_standardise(expected) @ _standardise(down).T)


def judge(scores: Floats, true: Flags, usable: Flags) -> Correlation:
    """Score the scores: `true` says which pairs talk, `usable` which count at all (nobody is a pair with oneself)."""
    positive, negative = scores[true & usable], scores[~true & usable]
    return Correlation(auc(positive, negative), true_positive_rate(positive, negative), len(positive), len(negative))


def _standardise(counts: Floats) -> Floats:
    """Rows of mean 0 and length 1; rows that never change are 0."""
    centred = counts - counts.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > 1e-9))
