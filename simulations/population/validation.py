"""`python -m simulations.population.validation`: the model held against the real nodes and relays.

The same people write the same texts in both, with a seed each; nothing fails. A figure of the model is *kept* where its
mean lies within the 95 % interval of the machines' mean, or within a stated share of it.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from msgspec.structs import replace

from simulations.statistics import LEAST_RUNS, Interval, student_interval
from simulations.study import Adversary, Study, Topology, Workload
from simulations.sweeping import Job, carry_out_all

PEOPLE = 1_000
HOURS = 3.0
TOLERANCE = 0.01
"""Of the machines' mean."""
_PAGE = """# The population model, held against the machines

Written by `python -m simulations.population.validation`: {people:,} people with {contacts} contacts each on {relays}
relays write {texts:g} texts a day each, for {hours:g} hours, in bursts of conversation; {runs} seeds. *Machines*: the
real nodes and relays on dict stores with the toy suite, every frame counted. *Model*: `simulations/population/`, with
the same people, texts, latencies and steps. Means over seeds with Student's 95 % interval; *difference*: of the two
with the same seed, model less machines. *Kept*: the model's mean lies in the machines' interval, or within
{tolerance:g} % of their mean.

| figure | machines | model | difference | |
| --- | --- | --- | --- | --- |
"""


class Held(NamedTuple):
    """One figure."""

    figure: str
    machines: Interval
    model: Interval
    difference: Interval
    """Model less machines, seed by seed."""

    @property
    def kept(self) -> bool:
        """Whether the model says what the machines do."""
        return self.machines.holds(self.model.mean, TOLERANCE * abs(self.machines.mean))


def scenario(people: int = PEOPLE, hours: float = HOURS, texts_per_day: float = 40.0) -> Study:
    """What both carry out."""
    return Study(
        "population model", Topology(people=people), Workload(texts_per_day=texts_per_day, hours=hours),
        adversary=Adversary(measures=("cost", "size")),
    )  # fmt: skip


def hold(study: Study, seeds: int, processes: int = 1, done: Callable[[], object] = lambda: None) -> list[Held]:
    """Every figure that the study asks for, over seeds from 0. At least ten."""
    jobs = [
        Job(_with_engine(study, engine), "", seed) for seed in range(seeds) for engine in ("machines", "population")
    ]
    values: dict[tuple[object, object], list[float]] = {}
    for row in carry_out_all(jobs, processes, done=done):
        value = row["value"]
        assert isinstance(value, float | int)
        values.setdefault((row["figure"], row["engine"]), []).append(float(value))
    figures = dict.fromkeys(str(figure) for figure, _ in values)
    return [_held(figure, values[figure, "machines"], values[figure, "population"]) for figure in figures]


def render(study: Study, found: Sequence[Held]) -> Iterator[str]:
    """The lines of a page."""
    yield _PAGE.format(
        people=study.topology.people, contacts=study.topology.contacts, relays=study.topology.relays,
        texts=study.workload.texts_per_day, hours=study.workload.hours, runs=found[0].machines.runs,
        tolerance=100.0 * TOLERANCE,
    ).rstrip("\n")  # fmt: skip
    for held in found:
        three = " | ".join(f"{one.mean:.5g} ± {one.half_width:.2g}" for one in held[1:])
        yield f"| {held.figure} | {three} | {'kept' if held.kept else '**missed**'} |"


def _with_engine(study: Study, engine: Literal["machines", "population"]) -> Study:
    return replace(study, run=replace(study.run, engine=engine))


def _held(figure: str, machines: list[float], model: list[float]) -> Held:
    differences = [one - other for one, other in zip(model, machines, strict=True)]
    return Held(figure, *(student_interval(values) for values in (machines, model, differences)))


def main(arguments: Sequence[str]) -> int:
    """The exit status: 1 where the model says something else than the machines."""
    parser = argparse.ArgumentParser(prog="python -m simulations.population.validation", description=__doc__)
    parser.add_argument("--people", type=int, default=PEOPLE, help=f"default {PEOPLE:,}")
    parser.add_argument("--hours", type=float, default=HOURS, help=f"virtual; default {HOURS:g}")
    parser.add_argument("--seeds", type=int, default=LEAST_RUNS, help=f"default and least: {LEAST_RUNS}")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="at once; default: one a core")
    parser.add_argument("--output", type=Path, help="write the page here instead of printing it")
    chosen = parser.parse_args(arguments)
    study = scenario(chosen.people, chosen.hours)
    seeds = max(LEAST_RUNS, chosen.seeds)
    began, runs = time.perf_counter(), iter(range(1, 2 * seeds + 1))

    def done() -> None:
        print(f"{next(runs)} of {2 * seeds} runs, {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)

    found = hold(study, seeds, chosen.processes, done)
    text = "\n".join([*render(study, found), ""])
    if chosen.output is None:
        print(text, end="")
    else:
        chosen.output.write_text(text, "utf-8")
    return 0 if all(held.kept for held in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
