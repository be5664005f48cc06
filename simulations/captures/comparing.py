"""The same measures of a capture and of simulated runs of the same people and texts, side by side."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import trio
from msgspec.structs import replace
from scipy import stats

from protocol.traffic.policies import NAMES
from protocol.wire.commands import Preset
from simulations import steady
from simulations.adversaries import size
from simulations.captures import town
from simulations.captures.town import Captured
from simulations.measures import Seen, first_frames, measure
from simulations.privacy.measuring import leakage, length_classes, megabytes, study_of
from simulations.privacy.plans import Extent
from simulations.recording import Sight
from simulations.statistics import LEAST_RUNS
from simulations.study import Study

CONFIDENCE = 0.95
"""That all rows of an honest comparison lie within."""
TOLERANCE = 0.01
"""Of the simulator's mean: where all its runs are at the end of a scale, they leave no interval."""
SETTLE_SECONDS = 600.0
"""Virtual: for what is under way after the last text."""
WORKLOAD_SEED = 1
_HOP_LATENCIES = 2.5
"""Of a text's way over two hops, each up to half as long again as the latency (`simulations.network`)."""


class Plan(NamedTuple):
    """What is captured and simulated of each preset."""

    presets: tuple[Preset, ...]
    """Beside *direct*, which says how long a text takes that waits for nothing."""
    used: Extent
    idle_hours: float
    speed: float
    """Virtual seconds a real one."""
    seeds: int = LEAST_RUNS


class Row(NamedTuple):
    """One figure of one preset."""

    figure: str
    capture: float
    simulated: tuple[float, ...]
    """With one seed each."""

    @property
    def mean(self) -> float:
        """Of the simulator."""
        return float(np.mean(self.simulated))

    def half_width(self, rows: int) -> float:
        """Within which of `mean` one further run lies, and does so in all of `rows` rows with `CONFIDENCE`."""
        runs = len(self.simulated)
        quantile = float(stats.t.ppf(1.0 - (1.0 - CONFIDENCE) / (2.0 * rows), runs - 1))
        return quantile * float(np.std(self.simulated, ddof=1)) * float(np.sqrt(1.0 + 1.0 / runs))

    def kept(self, rows: int) -> bool:
        """Whether the capture may be a run of the simulator's."""
        return bool(abs(self.capture - self.mean) <= max(self.half_width(rows), TOLERANCE * abs(self.mean)))


class Compared(NamedTuple):
    """Rows by preset, and what else is worth saying of the captures."""

    rows: dict[Preset, list[Row]]
    latency_seconds: float
    """One way between node and relay, virtual, as measured on the wires and then simulated."""
    step_seconds: float
    """From a wish to its commit, the same."""
    wire_bytes: float
    """Of TCP, a slot."""
    texts: int

    @property
    def figures(self) -> int:
        """Of rows."""
        return sum(map(len, self.rows.values()))

    @property
    def agree(self) -> bool:
        """Whether every capture may be a run of the simulator's."""
        return all(row.kept(self.figures) for rows in self.rows.values() for row in rows)


def compare(plan: Plan, say: Callable[[str], object] = lambda line: None) -> Compared:
    """Captures first, in real time; then the simulator, with the latency that they had."""
    studies = {preset: (_idle(preset, plan), _used(preset, plan)) for preset in (Preset.DIRECT, *plan.presets)}
    captured: dict[Study, Captured] = {}
    with tempfile.TemporaryDirectory(prefix="kassiber-") as name:
        place = Path(name)
        stage = trio.run(town.build, studies[Preset.DIRECT][1], WORKLOAD_SEED, place / "stage", plan.speed)
        for both in studies.values():
            for study in both:
                where = place / str(len(captured))
                captured[study] = trio.run(
                    town.carry_out, study, WORKLOAD_SEED, stage, where, plan.speed, _settle_seconds(study)
                )
                say(f"{study.policy.kind}, {study.workload.texts_per_day:g} texts a day: captured")
    steps = captured[studies[Preset.DIRECT][1]].step_seconds
    latency = _latency(captured[studies[Preset.DIRECT][1]].run, steps)
    rows: dict[Preset, list[Row]] = {}
    for preset, (idle, used) in studies.items():
        rows[preset] = [
            *_rows(idle, captured[idle], latency, steps, plan.seeds),
            *_rows(used, captured[used], latency, steps, plan.seeds),
        ]
        say(f"{NAMES[preset]}: simulated")
    every = [capture.wire_bytes for capture in captured.values()]
    return Compared(rows, latency, steps, float(np.mean(every)), len(captured[studies[Preset.DIRECT][1]].run.lengths))


def _idle(preset: Preset, plan: Plan) -> Study:
    return study_of(preset, plan.used._replace(hours=plan.idle_hours, texts_per_day=0.0))


def _used(preset: Preset, plan: Plan) -> Study:
    return study_of(preset, plan.used, ("timing",))


def _settle_seconds(study: Study) -> float:
    return SETTLE_SECONDS if study.workload.texts_per_day else 0.0


def _latency(run: Seen, step_seconds: float) -> float:
    """By which the simulator's texts take as long as these did, on links that wait for nothing."""
    return max(0.001, (float(np.median(run.delays)) - 3.0 * step_seconds) / _HOP_LATENCIES)


def _rows(study: Study, captured: Captured, latency: float, steps: float, seeds: int) -> Iterator[Row]:
    simulated: list[dict[str, float]] = []
    topology = replace(study.topology, latency_seconds=latency)
    for seed in range(seeds):
        run, _ = steady.carry_out(replace(study, topology=topology), seed, _settle_seconds(study), WORKLOAD_SEED, steps)
        simulated.append(_figures(study, run, run.watched.seen.times(True, Sight.DEPOSIT).rows))
    for figure, value in _figures(study, captured.run, captured.deposits).items():
        yield Row(figure, value, tuple(one[figure] for one in simulated))


def _figures(study: Study, run: Seen, deposits: int) -> dict[str, float]:
    """Of a capture and of a simulated run alike."""
    texts = len(run.lengths)
    if not texts:
        return {"MB a day and relay, nothing said": megabytes(run)}
    assert np.isfinite(run.delays).all(), f"{study.policy.kind}: a text did not come"
    found = {
        "MB a day and relay, with texts": megabytes(run),
        "envelopes beside a text, loops too, each way": float(deposits - size.envelopes(run.lengths).sum())
        / texts
        / 2.0,
        "bits of a text's length, to who watches wires": leakage(
            [length_classes(run.lengths)], [first_frames(run)], [0]
        ),
    }
    if study.policy.preset is not Preset.DIRECT:  # which waits for nothing: what it takes is the machine's own
        found["a text: p50, s"] = float(np.median(run.delays))
        found["a text: p99, s"] = float(np.quantile(run.delays, 0.99))
    for figure in measure(study, run, WORKLOAD_SEED):
        if name := _NAMES.get(figure.figure):
            found[name.format(figure.window_seconds / 60.0)] = figure.value
    return found


_NAMES = {
    "AUC": "who talks with whom, after {:g} min: AUC",
    "TPR at FPR 0.001": "the same: found, at one false alarm in 1,000, after {:g} min",
}
