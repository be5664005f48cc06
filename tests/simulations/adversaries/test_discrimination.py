"""ROC, ε and δ on scores of which the answer is known."""

import numpy as np
import pytest

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
