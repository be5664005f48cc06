"""Who talks with whom, from many rounds: statistical disclosure, intersection, and how many rounds they need.

A round is what an observer sees at once: a mix's batch, or a span of time after something that the target did. It is
handed in as rows of candidate numbers (who received in it).
"""

from typing import NamedTuple

import numpy as np

from simulations.arrays import Floats, Integers


class Rounds(NamedTuple):
    """`candidate[i]` was seen in `round[i]`, of `rounds` rounds; who was seen twice has two rows."""

    round: Integers
    candidate: Integers
    rounds: int


def rounds_needed(recipients: int, contacts: int, batch: int, deviations: float = 2.0) -> float:
    """Rounds after which a contact's signal lies `deviations` standard deviations above the noise, on either side.

    Danezis, "Statistical Disclosure Attacks" (2003): one message of the target in each batch of `batch`, to one of
    `contacts` friends at random; the others' go to any of `recipients`.
    """
    noise = (recipients - 1) / recipients**2 * (batch - 1)
    signal = (contacts - 1) / contacts**2
    return float((contacts * deviations * (np.sqrt(noise) + np.sqrt(noise + signal))) ** 2)


def disclose(with_target: Rounds, candidates: int, without_target: Rounds | None = None) -> Floats:
    """A score a candidate: mean sightings in the target's rounds above what other rounds make one expect.

    Without others the expectation is the same for everybody, as in a system whose users are alike.
    """
    score = np.bincount(with_target.candidate, minlength=candidates) / with_target.rounds
    if without_target is not None and without_target.rounds:
        score -= np.bincount(without_target.candidate, minlength=candidates) / without_target.rounds
    return np.asarray(score, dtype=np.float64)


def intersect(with_target: Rounds, candidates: int) -> Floats:
    """A score a candidate: the share of the target's rounds in which it was seen at all; 1 survives an intersection."""
    pairs = np.unique(with_target.round * candidates + with_target.candidate)
    return np.asarray(np.bincount(pairs % candidates, minlength=candidates) / with_target.rounds, dtype=np.float64)


def recall(score: Floats, contacts: Integers, rng: np.random.Generator) -> float:
    """recall@m: of the m true contacts, how many are among the m that score highest; ties fall at random."""
    order = np.lexsort((rng.random(len(score)), -score))
    return float(np.isin(contacts, order[: len(contacts)]).mean())


def rank(score: Floats, contact: int) -> float:
    """1 for the highest score; ties share the mean of their places."""
    return float((score > score[contact]).sum() + ((score == score[contact]).sum() + 1.0) / 2.0)


def rounds_after(starts: Floats, span_seconds: float, times: Floats, candidates: Integers) -> Rounds:
    """Rounds of a stream: who was seen within `span_seconds` after each start. `times` ascend."""
    first = np.searchsorted(times, starts, side="right")
    lengths = np.searchsorted(times, starts + span_seconds, side="right") - first
    number = np.repeat(np.arange(len(starts)), lengths)
    within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return Rounds(number, candidates[first[number] + within], len(starts))


def seen_after(
    starts: Floats, span_seconds: float, times: Floats, candidates: Integers, count: int
) -> tuple[Floats, Floats]:
    """Of rounds as `rounds_after` makes them, which are not made: for each of `count` candidates, sightings a round,
    and the share of rounds in which it was seen at all (`intersect`). So rounds may be many, and long. `starts` ascend.
    """
    sightings, seen = np.zeros(count), np.zeros(count)
    for candidate in range(count):
        own = times[candidates == candidate]
        within = np.searchsorted(own, starts + span_seconds, side="right") - np.searchsorted(own, starts, side="right")
        sightings[candidate], seen[candidate] = within.mean(), (within > 0).mean()
    return sightings, seen
