"""Synthetic workloads: who writes to whom, when, and how much. No recording of people is in them.

Made of what is known of messaging in general: each person has some contacts and is more or less active; texts come in
bursts of conversation, by day more than by night; lengths are lognormal with a mean of 113 bytes. All from one
generator, so that one seed gives one workload.
"""

from typing import NamedTuple

import numpy as np

from simulations.arrays import Floats, Integers, Numbers

DAY_SECONDS = 86_400.0
MEAN_TEXT_BYTES = 113.0
TEXT_SIGMA = 1.2
"""Of the logarithm. With it Padmé leaves 5.74 bits of a length to see, and four buckets 0.21."""


class Workload(NamedTuple):
    """Texts in the order of time: seconds since the start, users from 0, bytes of text."""

    time: Floats
    sender: Numbers
    recipient: Numbers
    length: Numbers


class Contacts(NamedTuple):
    """Pairs of people who know each other, each pair once, and how much of all conversation is theirs."""

    first: Numbers
    second: Numbers
    weight: Floats


class Rhythm(NamedTuple):
    """How people write. Defaults are a guess at lively use, and are varied where a result might hang on them."""

    texts_per_user_day: float = 40.0
    texts_per_conversation: float = 10.0
    """Mean of a geometric distribution."""
    gap_seconds: float = 30.0
    """Mean between two texts of a conversation, exponential."""
    turn: float = 0.6
    """The chance that the next text is the other's."""
    night: float = 0.9
    """Depth of the day's wave: 0 is the same at all hours, 1 is silence at the quietest moment."""
    peak_seconds: float = 20.0 * 3_600.0
    """When in the day most is written."""


LIVELY = Rhythm()


class Texts(NamedTuple):
    """Texts by `pair`, a row of `Contacts`, conversation by conversation, which may overlap."""

    time: Floats
    pair: Integers
    from_first: Integers
    """1: the pair's first person writes; 0: the second."""


def contact_graph(users: int, contacts: int, rng: np.random.Generator, activity_sigma: float = 0.0) -> Contacts:
    """Each of `users` has `contacts` (even) of the others, but for the rare pair drawn twice.

    `activity_sigma`: of the logarithm of how much a person writes; 0 makes all alike. A pair's share of conversation is
    the product of both activities.
    """
    assert contacts % 2 == 0 < contacts < users
    ends = [_ring(users, rng) for _ in range(contacts // 2)]
    return _weigh(np.concatenate([end[0] for end in ends]), np.concatenate([end[1] for end in ends]), users, rng,
                  activity_sigma)  # fmt: skip


def skewed_graph(
    users: int, contacts: float, rng: np.random.Generator, degree_sigma: float = 1.0, activity_sigma: float = 0.0
) -> Contacts:
    """A mean of about `contacts` each, lognormally skewed: a few know very many. Everybody knows somebody."""
    pull = np.cumsum(rng.lognormal(0.0, degree_sigma, users))
    count = max(0, round(users * (contacts - 2.0) / 2.0))
    drawn = np.searchsorted(pull, rng.random((2, count)) * pull[-1]).astype(np.int64)
    first, second = _ring(users, rng)
    return _weigh(np.concatenate((first, drawn[0])), np.concatenate((second, drawn[1])), users, rng, activity_sigma)


def bursty(
    contacts: Contacts, users: int, rng: np.random.Generator, rhythm: Rhythm = LIVELY, days: float = 1.0
) -> Workload:  # fmt: skip
    """Conversations, by day and by night."""
    return _workload(contacts, converse(contacts, users, rng, rhythm, days), rng)


def poisson(
    contacts: Contacts, users: int, rng: np.random.Generator, texts_per_user_day: float = 40.0, days: float = 1.0
) -> Workload:
    """Each text by itself, at any time: what closed forms assume, and people do not do."""
    expected = users * texts_per_user_day * days
    count = int(rng.poisson(expected))
    pair = _draw_pairs(contacts, count, rng)
    time = rng.random(count) * days * DAY_SECONDS
    return _workload(contacts, Texts(time, pair, rng.integers(0, 2, count)), rng)


def converse(contacts: Contacts, users: int, rng: np.random.Generator, rhythm: Rhythm, days: float) -> Texts:
    """The texts of `bursty`, pair by pair. What runs past the end begins again at the start: no hour is thin."""
    span = days * DAY_SECONDS
    expected = users * rhythm.texts_per_user_day * days / rhythm.texts_per_conversation
    conversations = int(rng.poisson(expected))
    lengths = rng.geometric(1.0 / rhythm.texts_per_conversation, conversations)
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if conversations else 0
    time = np.cumsum(rng.standard_exponential(total) * rhythm.gap_seconds)
    begin, pairs = _start_times(conversations, rhythm, days, rng), _draw_pairs(contacts, conversations, rng)
    order = np.argsort(pairs * (2.0 * span) + begin)
    begin, pairs = begin[order], pairs[order]
    if total:
        begin -= time[ends - lengths]
    time += np.repeat(begin, lengths)
    while len(over := np.flatnonzero(time >= span)):
        time[over] -= span
    turns = np.cumsum(rng.random(total, dtype=np.float32) < rhythm.turn)
    speaker = (turns + np.repeat(rng.integers(0, 2, conversations), lengths)) & 1
    return Texts(time, np.repeat(pairs, lengths), speaker)


def text_bytes(count: int, rng: np.random.Generator) -> Numbers:
    """Lengths of texts: lognormal, mean 113 bytes, at least 1, rounded up."""
    location = np.log(MEAN_TEXT_BYTES) - TEXT_SIGMA**2 / 2.0
    return np.ceil(rng.lognormal(location, TEXT_SIGMA, count)).astype(np.int32)


def _workload(contacts: Contacts, texts: Texts, rng: np.random.Generator) -> Workload:
    order = np.argsort(texts.time, kind="stable")
    pair, forth = texts.pair[order], texts.from_first[order] == 1
    first, second = contacts.first[pair], contacts.second[pair]
    sender, recipient = np.where(forth, first, second), np.where(forth, second, first)
    return Workload(texts.time[order], sender, recipient, text_bytes(len(order), rng))


def _start_times(count: int, rhythm: Rhythm, days: float, rng: np.random.Generator) -> Floats:
    """Times whose density is a wave of one day, by inverting its integral."""
    grid = np.linspace(0.0, 1.0, 1_025)
    angle = 2.0 * np.pi * (grid - rhythm.peak_seconds / DAY_SECONDS)
    passed = grid + rhythm.night * (np.sin(angle) - np.sin(angle[0])) / (2.0 * np.pi)
    day = np.floor(rng.random(count) * days) if days >= 1.0 else np.zeros(count)
    within = np.interp(rng.random(count), passed, grid) if days >= 1.0 else rng.random(count) * days
    return np.asarray((day + within) * DAY_SECONDS)


def _draw_pairs(contacts: Contacts, count: int, rng: np.random.Generator) -> Integers:
    if (contacts.weight == contacts.weight[0]).all():
        return rng.integers(0, len(contacts.first), count)
    reach = np.cumsum(contacts.weight)
    return np.asarray(np.searchsorted(reach, rng.random(count) * reach[-1]), dtype=np.int64)


def _ring(users: int, rng: np.random.Generator) -> tuple[Integers, Integers]:
    """Everybody in a circle, in random order: two neighbours each."""
    order = rng.permutation(users)
    return order, np.roll(order, 1)


def _weigh(one: Integers, other: Integers, users: int, rng: np.random.Generator, activity_sigma: float) -> Contacts:
    low, high = np.minimum(one, other), np.maximum(one, other)
    pairs = np.sort(low * users + high)
    first, second = np.divmod(pairs, users)
    fresh = np.concatenate(([True], np.diff(pairs) > 0)) & (first != second)
    first, second = first[fresh], second[fresh]
    swap = rng.random(len(first)) < 0.5
    first, second = np.where(swap, second, first), np.where(swap, first, second)
    activity = rng.lognormal(0.0, activity_sigma, users)
    return Contacts(first.astype(np.int32), second.astype(np.int32), activity[first] * activity[second])
