"""Each figure of a preset, from the real nodes and relays; what takes weeks, from the model that is held against them.

Everybody follows the preset that is measured. Runs of ten seeds or more; a quantile is of all texts of all seeds, and
its interval is the jackknife's, which leaves out one seed at a time.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import cast

import numpy as np
from msgspec.structs import replace
from scipy import stats

from node.privacy import Estimate
from protocol.forwarding.pool import Pool
from protocol.limits import SLOT_BYTES
from protocol.timing import Timing
from protocol.traffic.policies import NAMES, timing_of
from protocol.wire.commands import Preset
from simulations import modelled, steady
from simulations.adversaries import size
from simulations.adversaries.mixing import MixEvents, entropies
from simulations.arrays import Floats, Integers
from simulations.entropy import CounterEntropy
from simulations.measures import Seen, first_frames, measure
from simulations.privacy.figures import AFTER_TEXTS
from simulations.privacy.figures import NAMES as FIGURES
from simulations.privacy.plans import Extent, Plan
from simulations.recording import Sight
from simulations.statistics import student_interval
from simulations.study import Adversary, Kind, Measure, Observer, Policy, Run, Study, Topology, Workload

WIRE_BYTES = 4_300
"""Of a slot of 4,096 bytes, with WebSocket, TCP and IP around it, and acknowledgements (Spec 10 §2)."""
_SETTLE_SECONDS = 600.0
"""After the last text, for it to come."""
_MORE_SEEDS = 4
"""Where one relay may by chance have nobody's queue in a run, which then says nothing of it."""
_SETTLE_MEANS = 7.0
"""The same in means of receipts, where those are counted: three ticks are over."""


def measure_preset(preset: Preset, plan: Plan, parts: Sequence[str] = ()) -> dict[str, Estimate]:
    """By the names of `figures.NAMES`. `parts`: of `PARTS`, all where none is named."""
    found: dict[str, Estimate] = {}
    for name in parts or PARTS:
        found |= PARTS[name](preset, plan)
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
    study = study_of(preset, plan.used)
    runs = list(_machines(study, plan.seeds, plan.counts))
    secrets = [length_classes(run.lengths) for run in runs]
    seen = [first_frames(run) for run in runs]
    return {
        "used_megabytes": mean([megabytes(run) for run in runs]),
        **_delays("text", runs),
        **(_beside("text", study, runs) if plan.counts else {}),
        "size_bits": jackknife(lambda kept: leakage(secrets, seen, kept), plan.seeds),
    }


def _trilemma(preset: Preset, plan: Plan) -> dict[str, Estimate]:
    """Where people who use it as most do stand against the trilemma."""
    study = study_of(preset, plan.used, ("trilemma",))
    rows: dict[str, list[float]] = {}
    for seed, run in enumerate(_machines(study, plan.seeds)):
        # What comes after the last text has another rhythm, and is left out.
        within = run.watched._replace(seen=run.watched.seen.between(0.0, run.span_seconds))
        for figure in measure(study, run._replace(watched=within), seed):
            if (name := _TRILEMMA.get(figure.figure)) is not None:
                rows.setdefault(name, []).append(figure.value)
    return {name: mean(values) for name, values in rows.items()}


_TRILEMMA = {"δ of the trilemma's game": "trilemma", "δ of the trilemma's floor": "trilemma_floor"}


def _alone(preset: Preset, plan: Plan) -> dict[str, Estimate]:
    study = study_of(preset, plan.alone, lively=False)
    runs = list(_machines(study, plan.seeds, plan.counts))
    return _delays("alone", runs) | (_beside("alone", study, runs) if plan.counts else {})


def measure_busy(preset: Preset, plan: Plan) -> dict[str, Estimate]:
    study = study_of(preset, plan.busy, ("timing",))
    rows: dict[str, list[float]] = {}
    for seed, run in enumerate(_machines(study, max(plan.seeds, plan.busy_seeds))):
        for figure in measure(study, run, seed):
            name = "auc" if figure.figure == "AUC" else "tpr"
            rows.setdefault(f"timing_{name}_{figure.window_seconds:.0f}", []).append(figure.value)
    return {name: mean(values) for name, values in rows.items()}


def _nodes(preset: Preset, plan: Plan) -> dict[str, Estimate]:
    """The receipt attack where nobody answers, on real nodes and relays, of whom few can be carried through days."""
    if not plan.nodes.people:
        return {}
    study = study_of(preset, plan.nodes, ("receipts",), ("colluding relays",), lively=False)
    study = replace(study, adversary=replace(study.adversary, targets=plan.nodes.people))
    rows: dict[str, list[float]] = {}
    for seed, run in enumerate(_machines(study, plan.seeds)):
        for figure in measure(study, run, seed):
            if (name := _RECEIPTS.get((figure.observer, figure.figure))) is not None:
                rows.setdefault(f"nodes_{name}", []).append(figure.value)
    return {name: mean(values) for name, values in rows.items()}


def measure_weeks(preset: Preset, plan: Plan) -> dict[str, Estimate]:
    """The receipt attack, on one relay's notes and on all relays' together: where nobody answers, and where people do.

    Of nobody else are receipts alone: whoever answers says more than any receipt.
    """
    if not plan.weeks.people:
        return {}
    rows: dict[str, list[float]] = {}
    for kind, lively in (("receipts", False), ("answers", True)):
        study = study_of(preset, plan.weeks, ("receipts",), ("relay", "colluding relays"), lively, model=True)
        study = replace(study, adversary=replace(study.adversary, targets=plan.weeks.people))
        for seed in range(plan.seeds):
            for figure in measure(study, modelled.carry_out(study, seed), seed):
                if (name := _RECEIPTS.get((figure.observer, figure.figure))) is not None:
                    rows.setdefault(f"{kind}_{name}", []).append(figure.value)
    return {name: mean(values) for name, values in rows.items() if name in FIGURES}


_RECEIPTS = {
    ("relay", f"found after {AFTER_TEXTS} texts"): "relay",
    ("colluding relays", f"found after {AFTER_TEXTS} texts"): "colluding",
    ("colluding relays", "found by guessing"): "guess",
}


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


def measure_mix(preset: Preset, plan: Plan) -> dict[str, Estimate]:
    """The real pool of an entry, fed by the envelopes of many: what its coming and going tells of one that left.

    Exact posteriors over all that came (`simulations.adversaries.mixing`); the mean entropy of real onions.
    """
    if not plan.mix.people:
        return {}
    study = study_of(preset, plan.mix, ("receipts",), ("colluding relays",), model=True)
    span = study.workload.hours * 3_600.0
    rows: dict[str, list[float]] = {"mix_bits": [], "mix_bits_real": []}
    for seed in range(plan.seeds):
        sent = modelled.carry_out(study, seed).watched.seen.between(0.0, span)
        came = np.bincount(sent.time[sent.kind == Sight.DEPOSIT].astype(np.int64), minlength=int(span))
        pool = Pooled(came, seed)
        rows["mix_bits"].append(pool.bits(pool.everything))
        rows["mix_bits_real"].append(pool.bits(pool.real))
    return {name: mean(values) for name, values in rows.items()}


class Pooled:
    """What came to a pool at each second, dummies and all, and what left: `protocol.forwarding.pool`, ticked."""

    def __init__(self, came: Integers, seed: int) -> None:
        pool: Pool[bool] = Pool(CounterEntropy(f"pool {seed}"))
        dummies = 0

        def dummy() -> bool:
            nonlocal dummies
            dummies += 1
            return False

        arriving, leaving = np.zeros((2, len(came)), dtype=np.int64), np.zeros((2, len(came)), dtype=np.int64)
        for second, many in enumerate(came.tolist()):
            for _ in range(many):
                pool.put(True)
            left, made = pool.tick(dummy), dummies
            dummies = 0
            arriving[:, second] = many, made
            leaving[:, second] = sum(left), len(left) - sum(left)
        self.real = MixEvents(arriving[0], leaving[0])
        self.everything = MixEvents(arriving.sum(axis=0), leaving.sum(axis=0))

    def bits(self, events: MixEvents) -> float:
        """Of a real onion at random, when it leaves."""
        weights = self.real.leaving.astype(np.float64)
        return float(np.average(np.nan_to_num(entropies(events)), weights=weights))


def _entries(preset: Preset, plan: Plan) -> dict[str, Estimate]:
    """The receipt attack on real nodes that reach queues themselves, and on ones that do so by entries."""
    if not plan.entries.people:
        return {}
    found: dict[str, Estimate] = {}
    base = study_of(preset, plan.entries, ("receipts",), ("relay", "colluding relays"))
    for name, forward in (("straight", False), ("forward", True)):
        study = replace(
            base, topology=replace(base.topology, relays=3), policy=replace(base.policy, forward=forward),
            adversary=replace(base.adversary, targets=base.topology.people),
        )  # fmt: skip
        rows: dict[str, list[float]] = {}
        for seed, run in enumerate(_machines(study, plan.seeds + _MORE_SEEDS)):
            seen = run.watched.seen.times(True, Sight.DEPOSIT)
            rows.setdefault(f"{name}_links", []).append(
                float((seen.source[seen.queue >= 0] < run.watched.people).mean())
            )
            for figure in measure(study, run, seed):
                if (key := _RECEIPTS.get((figure.observer, figure.figure))) is not None:
                    rows.setdefault(f"{name}_{key}", []).append(figure.value)
        found |= {key: mean(values) for key, values in rows.items() if key in FIGURES}
    return found


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


def _beside(name: str, study: Study, runs: Sequence[Seen]) -> dict[str, Estimate]:
    """Envelopes that are no text's, nor loops, of a text: half of them go the one way, half the other.

    Beyond those that leave whether anybody writes or not, where ticks do not end.
    """
    texts = np.array([len(run.lengths) for run in runs])
    others = np.array([
        (run.watched.seen.queue >= 0).sum() - size.envelopes(run.lengths).sum() - _ticks(study, seed, run)
        for seed, run in enumerate(runs)
    ])  # fmt: skip
    return {
        f"slots_beside_{name}": jackknife(lambda kept: float(others[kept].sum() / texts[kept].sum() / 2), len(runs))
    }


def _ticks(study: Study, seed: int, run: Seen) -> float:
    """How many there are of those that do not end, as Spec 10 §6 has it."""
    timing = timing_of(study.policy.preset, Timing())
    if timing.receipt_gap_seconds is None:
        return 0.0
    assert timing.receipt_mean_seconds is not None
    contacts, _ = steady.draw_workload(study, seed)
    known = np.bincount(np.concatenate((contacts.first, contacts.second)))
    gap = np.maximum(timing.receipt_mean_seconds, timing.receipt_gap_seconds * known)
    return float((known / gap).sum()) * (run.span_seconds + _SETTLE_MEANS * study.policy.receipt_seconds)


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


PARTS: dict[str, Callable[[Preset, Plan], dict[str, Estimate]]] = {
    "idle": _idle, "used": measure_used, "alone": _alone, "busy": measure_busy, "weeks": measure_weeks, "month": _month,
    "mix": measure_mix, "nodes": _nodes, "trilemma": _trilemma, "entries": _entries,
}  # fmt: skip
"""By name: what can be measured by itself."""
BOUND_PARTS = ("idle", "used", "alone", "busy", "weeks")
"""Those with figures that a quick run judges."""
