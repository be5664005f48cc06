"""The receipt attack (Martiny, Kaptchuk, Aviv, Roche, Wustrow: "Improving Signal's Sealed Sender", NDSS 2021).

Who sends to the target is sealed. But soon after the target was sent something, it sends a receipt, and the one who is
then sent something is the sender. Rounds that begin when the target gets something, against rounds that begin at
random: after a few messages the correspondent stands out. A candidate is whatever the observer can tell apart: a link,
a host, or a queue.
"""

from typing import NamedTuple

import numpy as np

from simulations.adversaries.disclosure import disclose, rank, rounds_after
from simulations.arrays import Floats, Integers
from simulations.observation import Observations
from simulations.recording import Sight


class Outcome(NamedTuple):
    """`score` a candidate, and the `rank` of the true correspondent after each number of the target's messages."""

    score: Floats
    ranks: Floats

    @property
    def messages_needed(self) -> float:
        """Messages after which the true one is first and stays so; infinite where that never comes."""
        wrong = np.flatnonzero(self.ranks > 1.0)
        if len(wrong) == 0:
            return 1.0
        return float("inf") if wrong[-1] == len(self.ranks) - 1 else float(wrong[-1] + 2)


def attack(
    received: Floats, times: Floats, candidates: Integers, count: int, truth: int, span_seconds: float,
    rng: np.random.Generator,
) -> Outcome:  # fmt: skip
    """Who, of `count` candidates, is sent something within `span_seconds` of what the target `received`.

    `times` ascend, and `candidates` says whose each is; the target's own are not among them. Ten times as many random
    starts show what is usual.
    """
    controls = rng.uniform(times[0], times[-1], 10 * len(received))
    usual = rounds_after(np.sort(controls), span_seconds, times, candidates)
    rounds = rounds_after(received, span_seconds, times, candidates)
    expected = np.bincount(usual.candidate, minlength=count) / usual.rounds
    ranks = np.empty(len(received))
    seen = np.zeros(count)
    ends = np.searchsorted(rounds.round, np.arange(len(received)), side="right")
    start = 0
    for index, end in enumerate(ends):
        seen += np.bincount(rounds.candidate[start:end], minlength=count)
        ranks[index] = rank(seen / (index + 1) - expected, truth)
        start = int(end)
    return Outcome(disclose(rounds, count, usual), ranks)


def from_relays(seen: Observations, target_queue: int) -> tuple[Floats, Floats, Integers]:
    """What colluding relays hand to `attack`: when the target's queue was deposited to, and every other deposit."""
    deposits = seen.select(seen.kind == Sight.DEPOSIT)
    own = deposits.queue == target_queue
    return deposits.time[own], deposits.time[~own], deposits.queue[~own].astype(np.int64)


def from_wires(seen: Observations, target_host: int) -> tuple[Floats, Floats, Integers]:
    """What a global observer hands to `attack`: frames from relays to the target, and to every other host."""
    down = seen.times(toward_relay=False)
    own = down.destination == target_host
    return down.time[own], down.time[~own], down.destination[~own].astype(np.int64)
