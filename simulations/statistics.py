"""What runs with different seeds say together: a mean, and how far from it the truth may lie."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

LEAST_RUNS = 10


class Interval(NamedTuple):
    """Mean ± half width, of so many runs."""

    mean: float
    half_width: float
    runs: int

    def holds(self, value: float, tolerance: float = 0.0) -> bool:
        """Whether `value`, give or take the tolerance, lies inside."""
        return abs(value - self.mean) <= self.half_width + tolerance

    def overlaps(self, other: "Interval") -> bool:
        """Whether the two may be the same."""
        return self.holds(other.mean, other.half_width)


def student_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Student's t interval of the mean of independent runs, at least ten of them: one run says nothing."""
    assert len(values) >= LEAST_RUNS, f"{len(values)} runs are too few for an interval"
    runs = np.asarray(values, dtype=np.float64)
    error = float(runs.std(ddof=1)) / np.sqrt(len(runs))
    quantile = float(stats.t.ppf(0.5 + confidence / 2.0, len(runs) - 1))
    return Interval(float(runs.mean()), quantile * float(error), len(runs))
