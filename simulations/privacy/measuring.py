"""Each figure of a preset, from the real nodes and relays; what takes weeks, from the model that is held against them.

Everybody follows the preset that is measured. Runs of ten seeds or more; a quantile is of all texts of all seeds, and
its interval is the jackknife's, which leaves out one seed at a time.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import cast

import numpy as np
from scipy import stats

from node.privacy import Estimate
from protocol.limits import SLOT_BYTES
from protocol.traffic.policies import NAMES
from protocol.wire.commands import Preset
from simulations import modelled, steady
from simulations.adversaries import size
from simulations.arrays import Floats, Integers
from simulations.measures import Seen, first_frames, measure
from simulations.privacy.figures import AFTER_TEXTS
from simulations.privacy.plans import Extent, Plan
from simulations.statistics import student_interval
from simulations.study import Adversary, Kind, Measure, Observer, Policy, Run, Study, Topology, Workload

WIRE_BYTES = 4_300
"""Of a slot of 4,096 bytes, with WebSocket, TCP and IP around it, and acknowledgements (Spec 10 §2)."""
_SETTLE_SECONDS = 600.0
"""After the last text, for it to come."""
_SETTLE_MEANS = 7.0
"""The same in means of receipts, where those are counted: three ticks are over."""


def measure_preset(preset: Preset, plan: Plan) -> dict[str, Estimate]:
    """By the names of `figures.NAMES`."""
    found: dict[str, Estimate] = {}
    for part in (_idle, measure_used, _alone, measure_busy, _weeks, _month):
        found |= part(preset, plan)
    return found


def study_of(
    preset: Preset, extent: Extent, measures: Sequence[Measure] = ("cost",),
    observers: Sequence[Observer] = ("global",), lively: bool = True, model: bool = False,
) -> Study:  # fmt: skip
    """Everybody follows the preset. `lively`: in conversations; else each text by itself."""
    return Study(
        "privacy",
        Topology(people=extent.people, contacts=extent.contacts),
        Workload("lively" if lively else "poisson", extent.texts_per_day, extent.hours),
        policy=Policy(cast(Kind, NAMES[preset])),
        adversary=Adversary(tuple(observers), tuple(measures)),
        run=Run("population" if model else "machines"),
    )


def _machines(study: Study, seeds: int, to_last_receipt: bool = False) -> Iterator[Seen]:
    settle = _SETTLE_MEANS * study.policy.receipt_seconds if to_last_receipt else _SETTLE_SECONDS
    for seed in range(seeds):
        run, _ = steady.carry_out(study, seed, settle)
        assert np.isfinite(run.delays).all(), f"{study.policy.kind}, seed {seed}: a text did not come"
        yield run


def _idle(preset: Preset, plan: Plan) -> dict[str, Estimate]:
    study = study_of(preset, plan.idle._replace(texts_per_day=0.0))
    return {"idle_megabytes": mean([megabytes(run) for run in _machines(study, plan.seeds)])}


def measure_used(preset: Preset, plan: Plan) -> dict[str, Estimate]:
    runs = list(_machines(study_of(preset, plan.used), plan.seeds, plan.counts))
    secrets = [length_classes(run.lengths) for run in runs]
    seen = [first_frames(run) for run in runs]
    return {
        "used_megabytes": mean([megabytes(run) for run in runs]),
        **_delays("text", runs),
        **(_beside("text", runs) if plan.counts else {}),
        "size_bits": jackknife(lambda kept: leakage(secrets, seen, kept), plan.seeds),
    }


def _alone(preset: Preset, plan: Plan) -> dict[str, Estimate]:
    runs = list(_machines(study_of(preset, plan.alone, lively=False), plan.seeds, plan.counts))
    return _delays("alone", runs) | (_beside("alone", runs) if plan.counts else {})


def measure_busy(preset: Preset, plan: Plan) -> dict[str, Estimate]:
    study = study_of(preset, plan.busy, ("timing",))
    rows: dict[str, list[float]] = {}
    for seed, run in enumerate(_machines(study, max(plan.seeds, plan.busy_seeds))):
        for figure in measure(study, run, seed):
            name = "auc" if figure.figure == "AUC" else "tpr"
            rows.setdefault(f"timing_{name}_{figure.window_seconds:.0f}", []).append(figure.value)
    return {name: mean(values) for name, values in rows.items()}


def _weeks(preset: Preset, plan: Plan) -> dict[str, Estimate]:
    """The receipt attack, on one relay's notes and on all relays' together."""
    if not plan.weeks.people:
        return {}
    study = study_of(preset, plan.weeks, ("receipts",), ("relay", "colluding relays"), model=True)
    rows: dict[str, list[float]] = {}
    names = {
        ("relay", f"found after {AFTER_TEXTS} texts"): "receipts_relay",
        ("colluding relays", f"found after {AFTER_TEXTS} texts"): "receipts_colluding",
        ("colluding relays", "found by guessing"): "receipts_guess",
    }
    for seed in range(plan.seeds):
        for figure in measure(study, modelled.carry_out(study, seed), seed):
            name = names.get((figure.observer, figure.figure))
            if name is not None:
                rows.setdefault(name, []).append(figure.value)
    return {name: mean(values) for name, values in rows.items()}


def _month(preset: Preset, plan: Plan) -> dict[str, Estimate]:
    """Whom somebody writes to, by all wires."""
    if not plan.month.people:
        return {}
    study = study_of(preset, plan.month, ("disclosure",), model=True)
    rows: dict[str, list[float]] = {}
    for seed in range(plan.seeds):
        for figure in measure(study, modelled.carry_out(study, seed), seed):
            rows.setdefault(_DISCLOSURE[figure.figure], []).append(figure.value)
    return {name: mean(values) for name, values in rows.items()}


_DISCLOSURE = {
    "recall@m, statistical": "disclosure", "recall@m, intersection": "intersection",
    "recall@m, by guessing": "disclosure_guess",
}  # fmt: skip


def megabytes(run: Seen) -> float:
    """A day and link, both directions."""
    frames = run.watched.seen.global_observer().between(0.0, run.span_seconds)
    links = run.watched.people * run.watched.relays
    slots = float(frames.length.sum()) / SLOT_BYTES
    return slots * WIRE_BYTES / 1e6 / links / (run.span_seconds / 86_400.0)


def _beside(name: str, runs: Sequence[Seen]) -> dict[str, Estimate]:
    """Envelopes that are no text's, nor loops, of a text: half of them go the one way, half the other."""
    texts = np.array([len(run.lengths) for run in runs])
    others = np.array([
        (run.watched.seen.queue >= 0).sum() - size.envelopes(run.lengths).sum() for run in runs
    ])  # fmt: skip
    return {
        f"slots_beside_{name}": jackknife(lambda kept: float(others[kept].sum() / texts[kept].sum() / 2), len(runs))
    }


def _delays(name: str, runs: Sequence[Seen]) -> dict[str, Estimate]:
    delays = [run.delays for run in runs]

    def quantile(share: float) -> Callable[[Sequence[int]], float]:
        return lambda kept: float(np.quantile(np.concatenate([delays[number] for number in kept]), share))

    return {
        f"{name}_p50_seconds": jackknife(quantile(0.5), len(runs)),
        f"{name}_p99_seconds": jackknife(quantile(0.99), len(runs)),
    }


def length_classes(lengths: Integers) -> Integers:
    """Two to each doubling, apart where another envelope is needed: few, or the estimate of bits is too high."""
    doublings = np.floor(2.0 * np.log2(np.maximum(lengths, 1))).astype(np.int64)
    return np.asarray(1_000 * size.envelopes(lengths) + doublings)


def leakage(secrets: Sequence[Integers], seen: Sequence[Integers], kept: Sequence[int]) -> float:
    """Bits, less what so many texts show where there is nothing (Miller and Madow)."""
    secret = np.concatenate([secrets[number] for number in kept])
    shown = np.concatenate([seen[number] for number in kept])
    classes = [len(np.unique(column)) for column in (secret, shown)]
    pairs = len(np.unique(secret * 10**6 + shown))
    bias = (pairs - classes[0] - classes[1] + 1) / (2.0 * len(secret) * np.log(2.0))
    return max(0.0, size.leakage_bits(secret, shown) - max(0.0, float(bias)))


def mean(values: Sequence[float]) -> Estimate:
    interval = student_interval(values)
    return Estimate(interval.mean, interval.half_width, interval.runs)


def jackknife(figure: Callable[[Sequence[int]], float], runs: int) -> Estimate:
    """A figure of all runs together, from the numbers of those that are in it (Tukey's interval)."""
    every = list(range(runs))
    without: Floats = np.array([figure(every[:number] + every[number + 1 :]) for number in every])
    error = np.sqrt((runs - 1) / runs * ((without - without.mean()) ** 2).sum())
    return Estimate(figure(every), float(stats.t.ppf(0.975, runs - 1) * error), runs)
