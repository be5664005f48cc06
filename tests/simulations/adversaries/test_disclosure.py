"""Disclosure, intersection and the receipt attack, on rounds small enough to count by hand and on made traffic."""

import numpy as np
import pytest

from simulations.adversaries import disclosure, receipts
from simulations.adversaries.disclosure import Rounds
from simulations.observation import from_recorder
from simulations.recording import Recorder, Sight

RNG = np.random.default_rng(3)


def test_disclosure_is_the_mean_above_what_others_see() -> None:
    target = Rounds(np.array([0, 0, 1]), np.array([2, 0, 2]), 2)
    others = Rounds(np.array([0, 1]), np.array([0, 0]), 4)
    assert disclosure.disclose(target, 3, others).tolist() == [0.5 - 0.5, 0.0, 1.0]


def test_intersection_keeps_who_was_there_each_time() -> None:
    target = Rounds(np.array([0, 0, 0, 1, 1]), np.array([1, 1, 2, 1, 3]), 2)
    assert disclosure.intersect(target, 4).tolist() == [0.0, 1.0, 0.5, 0.5]


def test_recall_and_rank_share_ties_by_chance() -> None:
    score = np.array([5.0, 4.0, 1.0, 1.0])
    assert disclosure.recall(score, np.array([0, 1]), RNG) == 1.0
    assert disclosure.rank(score, 1) == 2.0
    assert disclosure.rank(score, 3) == 3.5
    mean = np.mean([disclosure.recall(np.zeros(10), np.array([7]), RNG) for _ in range(4_000)])
    assert mean == pytest.approx(0.1, abs=0.02)


def test_rounds_after_take_what_is_seen_within_the_span_and_not_the_start_itself() -> None:
    times, names = np.array([1.0, 2.0, 2.5, 9.0]), np.array([10, 11, 12, 13])
    rounds = disclosure.rounds_after(np.array([1.0, 8.5, 20.0]), 1.0, times, names)
    assert (rounds.round.tolist(), rounds.candidate.tolist(), rounds.rounds) == ([0, 1], [11, 13], 3)


def test_rounds_need_not_be_made_to_be_counted() -> None:
    """Scores of rounds that are never made are those of rounds that are."""
    times = np.sort(RNG.uniform(0.0, 1_000.0, 3_000))
    names = RNG.integers(0, 7, 3_000)
    starts = np.sort(RNG.uniform(0.0, 1_000.0, 400))
    rounds = disclosure.rounds_after(starts, 1.5, times, names)
    sightings, seen = disclosure.seen_after(starts, 1.5, times, names, 9)
    assert sightings == pytest.approx(disclosure.disclose(rounds, 9))
    assert seen == pytest.approx(disclosure.intersect(rounds, 9))
    assert sightings[8] == seen[8] == 0.0


@pytest.mark.parametrize(("delay_seconds", "found"), [(1.0, True), (3_600.0, False)])
def test_a_receipt_within_seconds_gives_the_sender_away_and_one_within_the_hour_does_not(
    delay_seconds: float, found: bool
) -> None:
    """300 correspondents of whom each is sent something every 100 s; queue 0 is the target's, 7 gets its receipts."""
    rng = np.random.default_rng(11)
    recorder = Recorder()
    for queue in range(1, 301):
        for time in rng.uniform(0.0, 86_400.0, rng.poisson(864)):
            recorder.command(float(time), queue, 900, 0, 3_939, True, Sight.DEPOSIT, queue)
    for time in rng.uniform(0.0, 86_400.0, 40):
        recorder.command(float(time), 7, 900, 0, 3_939, True, Sight.DEPOSIT, 0)
        answered = float(time + rng.exponential(delay_seconds))
        recorder.command(answered, 8, 900, 0, 3_939, True, Sight.DEPOSIT, 7)
    received, times, queues = receipts.from_relays(from_recorder(recorder), 0)
    outcome = receipts.attack(received, times, queues, 301, 7, 5.0, rng)
    assert (outcome.messages_needed <= 10) is found
    assert bool(outcome.ranks[-1] == 1.0) is found
