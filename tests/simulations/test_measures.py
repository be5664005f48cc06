"""The figures of a run, against closed forms: of traffic made for it, and of the model's people."""

import numpy as np
import pytest

from simulations import modelled
from simulations.adversaries import trilemma
from simulations.arrays import Floats, Integers
from simulations.measures import FIGURES, Figure, Seen, measure
from simulations.observation import Observations, in_order
from simulations.population.observing import Truth, Watched
from simulations.recording import NO_QUEUE, Sight
from simulations.study import Adversary, Policy, Run, Study, Topology, Workload

PEOPLE, SPAN_SECONDS, TEXTS, COVER_PER_SECOND = 200, 10_000.0, 5_000, 0.05


def figures(study: Study, run: Seen, seed: int = 1) -> dict[str, float]:
    return {found.figure: found.value for found in measure(study, run, seed)}


def asked(name: str) -> Study:
    return Study("test", adversary=Adversary(measures=(name,)))  # type: ignore[arg-type]


def frames_up(time: Floats, person: Integers) -> Observations:
    """To the only relay."""
    count = len(time)
    return in_order(
        Observations(
            time, person.astype(np.int32), person.astype(np.int32), np.full(count, PEOPLE, dtype=np.int32),
            np.full(count, 4_096, dtype=np.int32), np.ones(count, dtype=np.bool_),
            np.full(count, Sight.FRAME, dtype=np.int8), np.full(count, NO_QUEUE, dtype=np.int32),
        )
    )  # fmt: skip


def who_always_delays(delay_seconds: float, seed: int) -> Seen:
    """Everybody sends cover at random; texts leave at once, and all take the same time."""
    rng = np.random.default_rng(seed)
    written = np.sort(rng.uniform(0.0, SPAN_SECONDS - delay_seconds, TEXTS))
    sender = rng.integers(0, PEOPLE, TEXTS)
    recipient = (sender + rng.integers(1, PEOPLE, TEXTS)) % PEOPLE
    cover = rng.uniform(0.0, SPAN_SECONDS, rng.poisson(COVER_PER_SECOND * PEOPLE * SPAN_SECONDS))
    seen = frames_up(np.concatenate((written, cover)), np.concatenate((sender, rng.integers(0, PEOPLE, len(cover)))))
    truth = Truth(written, written + delay_seconds, np.zeros(TEXTS, dtype=np.int64), sender, recipient)
    lengths = np.full(TEXTS, 100, dtype=np.int64)
    return Seen(Watched(seen, truth, PEOPLE, 1), lengths, np.full(TEXTS, delay_seconds), SPAN_SECONDS)


@pytest.mark.parametrize("delay_seconds", [10.0, 40.0])
def test_independent_cover_and_a_full_delay_stand_at_the_trilemmas_floor(delay_seconds: float) -> None:
    """A round is 2 s. Somebody else is silent for a delay d with probability e^−(cover + texts) d."""
    found = [figures(asked("trilemma"), who_always_delays(delay_seconds, seed), seed) for seed in range(10)]
    texts_per_second = TEXTS / SPAN_SECONDS / PEOPLE
    silent = np.exp(-(COVER_PER_SECOND + texts_per_second) * delay_seconds)
    played = np.mean([one["δ of the trilemma's game"] for one in found])
    assert played == pytest.approx(silent, abs=0.03)
    floor = trilemma.floor(PEOPLE, delay_seconds / 2.0, 1.0 - np.exp(-COVER_PER_SECOND * 2.0))
    assert found[0]["δ of the trilemma's floor"] == pytest.approx(floor, abs=0.005)
    assert abs(np.mean([one["δ above the trilemma's floor"] for one in found])) < 0.035


def test_who_does_not_delay_is_far_above_the_floor_of_a_round() -> None:
    found = figures(asked("trilemma"), who_always_delays(0.05, 1))
    assert found["δ of the trilemma's game"] > 0.98
    assert found["δ of the trilemma's floor"] == pytest.approx(np.exp(-0.1), abs=0.01)


def an_hour(kind: str, seed: int) -> list[Figure]:
    study = Study(
        "test", Topology(people=80), Workload(texts_per_day=400.0, hours=1.0), policy=Policy(kind),  # type: ignore[arg-type]
        adversary=Adversary(measures=("advantage",)), run=Run("population"),
    )  # fmt: skip
    return list(measure(study, modelled.carry_out(study, seed), seed))


def test_what_leaves_at_once_gives_an_advantage_and_what_leaves_constantly_none() -> None:
    found: dict[tuple[str, str], list[float]] = {}
    for kind in ("direct", "constant"):
        for seed in range(10):
            for figure in an_hour(kind, seed):
                if figure.window_seconds == 3_600.0:
                    found.setdefault((kind, figure.figure), []).append(figure.value)
    assert np.mean(found["direct", "δ at ε = 0"]) > 0.9
    assert np.mean(found["direct", "δ at ε = 1"]) > 0.85
    assert np.mean(found["direct", "ε at δ = 0.001, at least"]) > 0.8
    assert np.mean(found["constant", "δ at ε = 0"]) < 0.3
    assert np.mean(np.array(found["constant", "ε at δ = 0.001, at least"]) > 0.0) <= 0.2
    for kind in ("direct", "constant"):
        bounds, values = found[kind, "δ at ε = 0, at most"], found[kind, "δ at ε = 0"]
        assert np.mean(bounds) > np.mean(values)


def test_every_figure_has_the_window_and_the_observer_of_its_run() -> None:
    rows = an_hour("direct", 1)
    assert {row.window_seconds for row in rows} == {900.0, 3_600.0}
    assert {row.observer for row in rows} == {"global"}
    assert {row.measure for row in rows} == {"advantage"}


def test_measures_give_what_they_are_said_to_give() -> None:
    study = Study(
        "test", Topology(people=80), Workload(texts_per_day=2_000.0, hours=2.0), policy=Policy("direct"),
        adversary=Adversary(observers=("global", "colluding relays"), measures=tuple(FIGURES)), run=Run("population"),  # type: ignore[arg-type]
    )  # fmt: skip
    found: dict[str, set[str]] = {}
    for row in measure(study, modelled.carry_out(study, 1), 1):
        found.setdefault(row.measure, set()).add(row.figure)
    assert found == {name: set(figures) for name, figures in FIGURES.items()}
