"""The timing adversary sees two links and nothing else; truth only scores it."""

import numpy as np
import pytest

from simulations.adversaries import timing, trilemma
from simulations.observation import Observations, from_recorder
from simulations.recording import Recorder

RELAY = 1_000


def watch(talking: int, delay_seconds: float, seed: int = 1) -> Observations:
    """Links 0 … n−1 of senders and n … 2n−1 of their recipients; ten frames each in 900 s."""
    rng = np.random.default_rng(seed)
    recorder = Recorder()
    for pair in range(talking):
        for time in rng.uniform(0.0, 900.0, 10):
            recorder.frame(float(time), pair, pair, RELAY, 4_096, True)
            later = float(time + rng.exponential(delay_seconds))
            recorder.frame(later, talking + pair, RELAY, talking + pair, 4_096, False)
    return from_recorder(recorder)


def judge(seen: Observations, pairs: int, delay_seconds: float) -> timing.Correlation:
    rng = np.random.default_rng(2)
    links = np.arange(2 * pairs, dtype=np.int32)
    up = timing.count_frames(seen, links[:pairs], True, 0.0, 900.0, 1.0)
    down = timing.count_frames(seen, links[pairs:], False, 0.0, 900.0, 1.0)
    scores = timing.correlate(up, down, timing.kernel(rng.exponential(delay_seconds, 20_000), 1.0, rng))
    true = np.eye(pairs, dtype=np.bool_)
    return timing.judge(scores, true, np.ones_like(true))


def test_frames_are_counted_in_their_bin_link_and_direction() -> None:
    recorder = Recorder()
    recorder.frame(0.5, 3, 0, RELAY, 4_096, True)
    recorder.frame(1.5, 3, 0, RELAY, 4_096, True)
    recorder.frame(1.6, 3, RELAY, 0, 4_096, False)
    recorder.frame(1.7, 4, 0, RELAY, 4_096, True)
    recorder.frame(2.0, 5, 0, RELAY, 4_096, True)
    seen = from_recorder(recorder)
    counts = timing.count_frames(seen, np.array([3, 5], dtype=np.int32), True, 0.0, 3.0, 1.0)
    assert counts.tolist() == [[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]


def test_a_short_delay_hides_nothing_and_a_long_one_much() -> None:
    assert judge(watch(60, 0.2), 60, 0.2).auc > 0.999
    assert judge(watch(60, 600.0), 60, 600.0).auc < 0.85


def test_a_silent_link_scores_nothing() -> None:
    up, down = np.zeros((1, 10)), np.ones((1, 10))
    assert timing.correlate(up, down, np.ones(1)).tolist() == [[0.0]]


def test_a_kernel_is_the_distribution_of_the_delay_in_bins() -> None:
    rng = np.random.default_rng(4)
    shares = timing.kernel(np.full(100_000, 0.5), 1.0, rng)
    assert shares == pytest.approx([0.5, 0.5], abs=0.01)


def test_the_floor_of_the_trilemma_is_certainty_without_latency_and_cover() -> None:
    assert trilemma.floor(1_000, 1, 0.0) == 1.0
    assert trilemma.floor(1_000, 10, 0.01) == pytest.approx(0.8962, abs=5e-5)
    assert trilemma.floor(1_000, 1_000, 0.0) == 0.0
    assert trilemma.floor(1_000, 10, 0.5) < 0.001


def test_who_was_silent_before_the_delivery_is_not_the_sender() -> None:
    sent, senders = np.array([1.0, 2.0, 11.0]), np.array([0.0, 1.0, 0.0])
    delivered = np.array([3.0, 12.0])
    assert trilemma.silences(sent, 2, (0, 1), delivered, 5.0, senders) == 0.5
