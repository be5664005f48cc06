"""Observers of a simulated community see its frames, all of them and nothing else."""

import numpy as np
import pytest

from simulations.adversaries import timing
from simulations.population import attacks
from simulations.population.observing import Watched, talking, watch
from simulations.population.scenario import Policy, Scenario
from simulations.recording import NO_QUEUE, Sight


def a_day(policy: Policy, seed: int = 1) -> tuple[Watched, Scenario]:
    scenario = Scenario(policy, 50, contacts=6)
    return watch(scenario, seed), scenario


def test_wires_show_frames_of_four_sizes_and_no_queue() -> None:
    watched, _ = a_day(Policy.BATCHED)
    wires = watched.seen.global_observer()
    assert set(wires.length.tolist()) <= {4_096, 8_192, 16_384, 32_768}
    assert set(wires.queue.tolist()) == {NO_QUEUE}
    assert (np.diff(wires.time) >= 0).all()
    hosts = np.where(wires.toward_relay, wires.source, wires.destination)
    assert (hosts == wires.link // 2).all()


def test_no_link_is_silent_for_longer_than_a_keep_alive_allows() -> None:
    watched, scenario = a_day(Policy.DIRECT)
    up = watched.seen.times(toward_relay=True)
    for link in range(10):
        assert np.diff(up.time[up.link == link]).max() <= 1.2 * scenario.keep_alive_seconds + 1e-6


def test_relays_see_a_deposit_for_each_letter() -> None:
    watched, _ = a_day(Policy.DIRECT)
    inside = watched.seen.select(watched.seen.kind == Sight.DEPOSIT)
    assert inside.rows >= len(watched.truth.written)
    assert set(watched.truth.direction.tolist()) <= set(inside.queue.tolist())


def test_who_writes_at_once_is_correlated_and_who_sends_constantly_is_not() -> None:
    rng = np.random.default_rng(1)
    direct, scenario = a_day(Policy.DIRECT)
    assert attacks.correlate(direct, scenario, 3_600.0, rng).auc > 0.95
    found: list[timing.Correlation] = []
    for seed in range(4):
        constant, scenario = a_day(Policy.CONSTANT, seed)
        found.append(attacks.correlate(constant, scenario, 3_600.0, rng))
    assert np.mean([one.auc for one in found]) == pytest.approx(0.5, abs=0.08)


def test_colluding_relays_join_queues_by_prompt_receipts_but_not_by_those_that_leave_at_ticks() -> None:
    """Minutes apart; by what people answer they still join many."""
    found = {}
    for mean in (1.0, 60.0, 600.0):
        direct = watch(Scenario(Policy.DIRECT, 50, contacts=6, receipt_mean_seconds=mean), 1)
        found[mean] = attacks.join_queues(direct, 5.0, np.random.default_rng(1))
    assert found[1.0].found > 0.9
    assert found[1.0].messages_needed <= 5
    for mean in (60.0, 600.0):
        assert found[mean].found < 0.7
        assert found[mean].messages_needed > 20


def test_truth_counts_the_texts_of_a_span() -> None:
    watched, _ = a_day(Policy.DIRECT)
    all_day = talking(watched, 0.0, 2 * 86_400.0)
    assert all_day.sum() == len({*watched.truth.direction.tolist()})
    assert talking(watched, 0.0, 0.0).sum() == 0
