"""One line of the page of results: what was published, what came out here, and whether that is the same."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from simulations.statistics import Interval, student_interval


class Row(NamedTuple):
    """`closed_form`: of the figure, computed; nil where there is none. `tolerance`: in the figure's own unit."""

    anchor: str
    source: str
    expected: float
    ours: Interval
    tolerance: float
    closed_form: float | None = None
    least: bool = False
    """Whether `expected` is the least that must come out: a stronger adversary is not a miss."""

    @property
    def kept(self) -> bool:
        """Whether the expected figure lies within the tolerance of our interval."""
        if self.least and self.ours.mean >= self.expected:
            return True
        return self.ours.holds(self.expected, self.tolerance)


Run = Callable[[np.random.Generator], float]


def repeat(run: Run, runs: int) -> Interval:
    """`run` with as many independent generators as asked for, all from the seed 1."""
    seeds = np.random.SeedSequence(1).spawn(runs)
    return student_interval([run(np.random.default_rng(seed)) for seed in seeds])


def exact(value: float) -> Interval:
    """A figure that no chance is in."""
    return Interval(value, 0.0, 1)


def render(rows: Sequence[Row]) -> Iterator[str]:
    """A Markdown table."""
    yield "| anchor | source | expected | ours (95 %) | runs | closed form | tolerance | |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for row in rows:
        ours = f"{row.ours.mean:.4g}" if row.ours.runs == 1 else f"{row.ours.mean:.4f} ± {row.ours.half_width:.4f}"
        closed = "" if row.closed_form is None else f"{row.closed_form:.4f}"
        expected = f"{'≥ ' if row.least else ''}{row.expected:g}"
        verdict = "kept" if row.kept else "**missed**"
        yield (
            f"| {row.anchor} | {row.source} | {expected} | {ours} | {row.ours.runs} | {closed} | ± {row.tolerance:g} "
            f"| {verdict} |"
        )


def all_kept(rows: Iterable[Row]) -> bool:
    """Whether every figure was found again."""
    return all(row.kept for row in rows)
