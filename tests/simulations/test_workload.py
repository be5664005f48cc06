"""Workloads are what they say: one seed, one workload, with the means that they were asked for."""

from collections.abc import Callable

import numpy as np
import pytest

from simulations import workload
from simulations.workload import Workload


def people(seed: int = 1, users: int = 2_000) -> tuple[workload.Contacts, np.random.Generator]:
    rng = np.random.default_rng(seed)
    return workload.contact_graph(users, 10, rng), rng


def a_day(seed: int = 1) -> Workload:
    contacts, rng = people(seed)
    return workload.bursty(contacts, 2_000, rng)


def test_one_seed_gives_one_workload_and_another_another() -> None:
    first, again, other = a_day(), a_day(), a_day(2)
    assert [column.tolist() for column in first] == [column.tolist() for column in again]
    assert not np.array_equal(first.time[:10], other.time[:10])


def test_everybody_has_the_contacts_asked_for_and_not_themselves() -> None:
    contacts, _ = people()
    assert (contacts.first != contacts.second).all()
    degrees = np.bincount(np.concatenate((contacts.first, contacts.second)), minlength=2_000)
    assert degrees.max() == 10
    assert degrees.mean() == pytest.approx(10, abs=0.1)


def test_a_skewed_graph_has_a_few_who_know_very_many() -> None:
    contacts = workload.skewed_graph(2_000, 10, np.random.default_rng(1))
    degrees = np.bincount(np.concatenate((contacts.first, contacts.second)), minlength=2_000)
    assert degrees.mean() == pytest.approx(10, rel=0.05)
    assert degrees.max() > 40
    assert degrees.min() >= 1


@pytest.mark.parametrize("make", [workload.bursty, workload.poisson])
def test_texts_are_in_order_between_contacts_and_forty_a_day(make: Callable[..., Workload]) -> None:
    contacts, rng = people()
    texts = make(contacts, 2_000, rng)
    assert (np.diff(texts.time) >= 0).all()
    assert (texts.time >= 0).all()
    assert (texts.time < 86_400).all()
    assert len(texts.time) / 2_000 == pytest.approx(40, rel=0.05)
    known = {tuple(sorted(pair)) for pair in zip(contacts.first.tolist(), contacts.second.tolist(), strict=True)}
    written = {tuple(sorted(pair)) for pair in zip(texts.sender.tolist(), texts.recipient.tolist(), strict=True)}
    assert written <= known


def test_lengths_are_lognormal_with_a_mean_of_113() -> None:
    lengths = workload.text_bytes(400_000, np.random.default_rng(1))
    assert lengths.min() >= 1
    assert lengths.mean() == pytest.approx(113.5, rel=0.02)  # rounded up
    assert np.log(lengths[lengths > 20]).max() > 8


def test_conversations_come_in_bursts_and_in_turns_and_sleep_at_night() -> None:
    texts = a_day()
    pair = texts.sender.astype(np.int64) + texts.recipient
    pair = np.minimum(texts.sender, texts.recipient) * 2_000 + np.maximum(texts.sender, texts.recipient)
    order = np.lexsort((texts.time, pair))
    same = np.diff(pair[order]) == 0
    gaps = np.diff(texts.time[order])[same]
    assert np.median(gaps) < 60.0
    turns = (np.diff(texts.sender[order]) != 0)[same & (np.diff(texts.time[order]) < 60.0)]
    assert turns.mean() == pytest.approx(0.6, abs=0.03)
    hours = np.bincount((texts.time // 3_600).astype(np.int64), minlength=24)
    assert hours[20] > 5 * hours[8]


def test_some_people_write_far_more_than_others_when_asked_to() -> None:
    rng = np.random.default_rng(1)
    contacts = workload.contact_graph(2_000, 10, rng, activity_sigma=1.0)
    texts = workload.bursty(contacts, 2_000, rng)
    per_user = np.sort(np.bincount(texts.sender, minlength=2_000))
    assert per_user[-200:].sum() > 0.3 * per_user.sum()
