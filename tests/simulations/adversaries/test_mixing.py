"""What a posterior says, against plain enumeration of everything that may have happened."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulations.adversaries import mixing, mixnet
from simulations.adversaries.mixing import MixEvents, decayed_sums


def enumerate_posteriors(arriving: list[int], leaving: list[int]) -> list[list[Fraction]]:
    """At each event, of each message that came, the exact chance that it is one who leaves. Message by message."""
    inside: list[Fraction] = []
    found = []
    for come, leave in zip(arriving, leaving, strict=True):
        inside += [Fraction(1)] * come
        held = sum(inside)
        found.append([chance / held for chance in inside] if held else [])
        if leave:
            inside = [chance * (1 - Fraction(leave) / held) for chance in inside]
    return found


@st.composite
def mixes(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    arriving, leaving, held = [], [], 0
    for _ in range(draw(st.integers(1, 12))):
        come = draw(st.integers(0, 3))
        leave = draw(st.integers(0, held + come))
        held += come - leave
        arriving.append(come)
        leaving.append(leave)
    return arriving, leaving


@given(mixes())
def test_entropy_and_likeliest_guess_are_those_of_the_enumerated_posterior(mix: tuple[list[int], list[int]]) -> None:
    events = MixEvents(np.array(mix[0]), np.array(mix[1]))
    bits, best = mixing.entropies(events), mixing.likeliest(events)
    for index, posterior in enumerate(enumerate_posteriors(*mix)):
        if mix[1][index]:
            shares = np.array([float(chance) for chance in posterior if chance])
            assert bits[index] == pytest.approx(-(shares * np.log2(shares)).sum(), abs=1e-9)
            assert best[index] == pytest.approx(-np.log2(shares.max()), abs=1e-9)


@given(mixes())
def test_surprisal_at_the_truth_is_what_the_posterior_gives_to_it(mix: tuple[list[int], list[int]]) -> None:
    events = MixEvents(np.array(mix[0]), np.array(mix[1]))
    came = np.repeat(np.arange(len(mix[0])), mix[0])
    for left, posterior in enumerate(enumerate_posteriors(*mix)):
        if not mix[1][left]:
            continue
        for message, chance in enumerate(posterior):
            if chance:
                bits = mixing.surprisals(events, came[[message]], np.array([left]))
                assert bits[0] == pytest.approx(-np.log2(float(chance)), abs=1e-9)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=60))
def test_decayed_sums_are_the_recurrence_that_they_claim(pairs: list[tuple[float, float]]) -> None:
    values, factors = np.array(pairs).T
    state, expected = 0.0, []
    for value, factor in pairs:
        state = factor * state + value
        expected.append(state)
    assert decayed_sums(values, factors) == pytest.approx(np.array(expected), rel=1e-9, abs=1e-12)


def test_decayed_sums_survive_products_far_below_the_smallest_number() -> None:
    values, factors = np.ones(50_000), np.full(50_000, 0.5)
    assert decayed_sums(values, factors)[-1] == pytest.approx(2.0)


def test_a_mix_that_empties_each_time_hides_nobody_beyond_its_batch() -> None:
    events = MixEvents(np.array([4, 4, 1]), np.array([4, 4, 1]))
    assert mixing.entropies(events) == pytest.approx([2.0, 2.0, 0.0])


def test_a_message_alone_in_its_mixes_is_followed_through_all_of_them() -> None:
    came, left = np.array([[0.0, 2.0], [10.0, 12.0]]), np.array([[1.0, 3.0], [11.0, 13.0]])
    targets = np.array([0])
    mass = mixnet.follow(targets, np.zeros((2, 2), dtype=np.int64), came, left)
    anonymity, surprisals = mixnet.measure(mass, targets)
    assert mass[:, 0].tolist() == [1.0, 0.0]
    assert anonymity.mean == 0.0
    assert surprisals.tolist() == [0.0]


def test_two_that_meet_in_one_layer_of_two_are_told_apart_no_more() -> None:
    came, left = np.array([[0.0, 5.0], [1.0, 9.0]]), np.array([[3.0, 6.0], [2.0, 10.0]])
    mass = mixnet.follow(np.array([0]), np.zeros((2, 2), dtype=np.int64), came, left)
    assert mass[:, 0].tolist() == [0.5, 0.5]


def test_other_mixes_take_no_part() -> None:
    came, left = np.array([[0.0], [0.5], [1.0]]), np.array([[3.0], [3.5], [2.0]])
    mass = mixnet.follow(np.array([0]), np.array([[0], [1], [0]]), came, left)
    assert mass[:, 0].tolist() == [0.5, 0.0, 0.5]
