"""ROC, ε and δ on scores of which the answer is known."""

import numpy as np
import pytest
from scipy import optimize, stats

from simulations.adversaries import discrimination


def test_auc_counts_pairs_and_ties() -> None:
    assert discrimination.auc(np.array([3.0, 1.0]), np.array([0.0, 1.0])) == pytest.approx(3.5 / 4)
    assert discrimination.auc(np.zeros(5), np.zeros(7)) == 0.5


def test_a_rare_error_needs_as_many_false_pairs() -> None:
    with pytest.raises(AssertionError):
        discrimination.true_positive_rate(np.ones(5), np.zeros(999))
    negative = np.arange(1_000.0)
    assert discrimination.true_positive_rate(np.array([998.0, 998.5, 1_000.0]), negative) == pytest.approx(2 / 3)


def test_one_distribution_has_no_advantage_and_two_apart_have_all() -> None:
    same = np.arange(100.0)
    assert discrimination.advantage(same, same) == 0.0
    assert discrimination.advantage(same + 1_000.0, same) == 1.0
    assert discrimination.epsilon(same + 1_000.0, same, 0.5) == float("inf")


def test_randomised_response_has_the_epsilon_that_it_was_made_with() -> None:
    """The truth is told three times of four: ε = ln 3, δ = 0."""
    yes, no = np.array([1.0, 1.0, 1.0, 0.0]), np.array([0.0, 0.0, 0.0, 1.0])
    assert discrimination.epsilon(yes, no, 0.0) == pytest.approx(np.log(3.0), abs=1e-6)
    assert discrimination.delta(yes, no, 0.0) == pytest.approx(0.5)
    assert discrimination.delta(yes, no, np.log(3.0) + 1e-9) == pytest.approx(0.0, abs=1e-6)


def test_shifted_gaussians_have_their_known_delta() -> None:
    rng = np.random.default_rng(5)
    positive, negative = rng.normal(1.0, 1.0, 200_000), rng.normal(0.0, 1.0, 200_000)
    assert discrimination.advantage(positive, negative) == pytest.approx(0.3829, abs=0.005)  # 2 Φ(1/2) − 1
    assert discrimination.delta(positive, negative, 1.0) == pytest.approx(0.1269, abs=0.005)  # Φ(−1/2) − e Φ(−3/2)


def test_shifted_laplace_scores_have_the_delta_of_the_laplace_mechanism() -> None:
    """Of scale 1 and shifted by 1: δ(ε) = 1 − e^((ε − 1) / 2) up to ε = 1, and 0 from there on."""
    rng = np.random.default_rng(6)
    positive, negative = rng.laplace(1.0, 1.0, 200_000), rng.laplace(0.0, 1.0, 200_000)
    for epsilon in (0.0, 0.5):
        expected = 1.0 - np.exp((epsilon - 1.0) / 2.0)
        assert discrimination.delta(positive, negative, epsilon) == pytest.approx(expected, abs=0.005)
    assert discrimination.delta(positive, negative, 1.0) < 0.01
    assert discrimination.epsilon(positive, negative, 0.02) == pytest.approx(1.0, abs=0.06)


def test_the_upper_bound_of_delta_lies_above_the_known_one() -> None:
    rng = np.random.default_rng(7)
    for epsilon, known in ((0.0, 0.3829), (1.0, 0.1269)):  # normal scores shifted by 1, as above
        samples = [(rng.normal(1.0, 1.0, 400), rng.normal(0.0, 1.0, 400)) for _ in range(200)]
        bounds = np.array([discrimination.delta_at_most(*sample, epsilon) for sample in samples])
        assert (bounds < known).mean() <= 0.05
        assert bounds.mean() < known + 2.0 * (1.0 + np.exp(epsilon)) * 0.075
    assert discrimination.delta_at_most(np.ones(5), np.zeros(5), 0.0) == 1.0


def test_the_lower_bound_of_epsilon_is_that_of_randomised_response() -> None:
    """The truth is told three times of four: ε = ln 3 at δ = 0."""
    rng = np.random.default_rng(8)
    bounds = []
    for _ in range(200):
        positive, negative = (rng.random(4_000) < 0.75).astype(float), (rng.random(4_000) < 0.25).astype(float)
        bounds.append(discrimination.epsilon_at_least(positive, negative, 0.0, rng))
    assert (np.array(bounds) > np.log(3.0)).mean() <= 0.05
    assert np.mean(bounds) == pytest.approx(np.log(3.0), abs=0.15)


def test_the_lower_bound_of_epsilon_is_below_that_of_shifted_gaussians() -> None:
    """δ(ε) = Φ(½ − ε) − e^ε Φ(−½ − ε) (Balle and Wang, ICML 2018)."""
    rng = np.random.default_rng(9)
    known = optimize.brentq(lambda e: stats.norm.cdf(0.5 - e) - np.exp(e) * stats.norm.cdf(-0.5 - e) - 1e-3, 0.1, 10.0)
    bounds = []
    for _ in range(100):
        positive, negative = rng.normal(1.0, 1.0, 2_000), rng.normal(0.0, 1.0, 2_000)
        bounds.append(discrimination.epsilon_at_least(positive, negative, 1e-3, rng))
    assert (np.array(bounds) > known).mean() <= 0.05
    assert np.mean(bounds) > 1.0


def test_an_accusation_of_either_hypothesis_counts() -> None:
    """One of two innocents is known for certain, and nobody who is guilty: only the innocent can be told."""
    rng = np.random.default_rng(10)
    guilty, innocent = np.ones(2_000), rng.integers(0, 2, 2_000).astype(float)
    assert 3.5 < discrimination.epsilon_at_least(guilty, innocent, 0.0, rng) < 7.0
    assert 3.5 < discrimination.epsilon_at_least(innocent, guilty, 0.0, rng) < 7.0


def test_where_nothing_can_be_told_no_epsilon_is_shown() -> None:
    rng = np.random.default_rng(11)
    bounds = [discrimination.epsilon_at_least(rng.random(200), rng.random(200), 1e-3, rng) for _ in range(200)]
    assert np.mean(np.array(bounds) > 0.0) <= 0.05
    assert discrimination.epsilon_at_least(np.ones(1), np.zeros(1), 1e-3, rng) == 0.0


def test_pairs_that_are_drawn_apart_have_nobody_in_common() -> None:
    rng = np.random.default_rng(12)
    true = rng.random((40, 40)) < 0.2
    false = ~true & ~np.eye(40, dtype=np.bool_)
    drawn_true, drawn_false = discrimination.draw_apart(true & ~np.eye(40, dtype=np.bool_), false, rng)
    assert (drawn_true <= true).all()
    assert (drawn_false <= false).all()
    assert drawn_true.sum() == 10
    assert drawn_false.sum() >= 8
    ends = np.concatenate((np.argwhere(drawn_true), np.argwhere(drawn_false))).ravel()
    assert len(set(ends.tolist())) == len(ends)
