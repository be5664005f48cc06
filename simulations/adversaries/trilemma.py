"""Where a system stands against the anonymity trilemma (Das, Meiser, Mohammadi, Kate; S&P 2018).

A game: of two users one sends to a watched recipient; N users, each of whom sends one message a cycle of N rounds, and
cover with probability β a round; a message takes at most ℓ rounds. Whoever sent nothing in the ℓ rounds before the
delivery cannot be the sender, so an adversary who sees every wire wins for certain when the other user was silent.
"""

from typing import NamedTuple

import numpy as np

from simulations.arrays import Floats


class Position(NamedTuple):
    """A measured δ beside the floor that no protocol of this latency and cover goes below."""

    floor: float
    measured: float

    @property
    def excess(self) -> float:
        """How much more is lost than must be."""
        return self.measured - self.floor


def floor(users: int, latency_rounds: float, cover: float) -> float:
    """δ of the best protocol: (1 − (ℓ−1)/(N−1)) (1−β)^ℓ, not below 0.

    `cover`: the probability that a user sends a dummy in a round.
    """
    rounds = max(1.0, latency_rounds)  # what takes less than a round is there at its end
    real = max(0.0, 1.0 - (rounds - 1.0) / (users - 1.0))
    return real * float((1.0 - cover) ** rounds)


def silences(
    sent: Floats, users: int, candidates: tuple[int, int], delivered: Floats, latency: float, senders: Floats
) -> float:
    """Share of deliveries before which exactly one of two candidates sent anything in the last `latency` seconds.

    `sent`: when anything at all left a user toward a relay, with `senders` whose it was, both in the order of time;
    `delivered`: when the watched recipient got something that one of the two candidates had sent.
    """
    assert 0 <= min(candidates) <= max(candidates) < users
    present = []
    for candidate in candidates:
        own = sent[senders == candidate]
        first = np.searchsorted(own, delivered - latency, side="left")
        present.append(np.searchsorted(own, delivered, side="left") > first)
    return float((present[0] != present[1]).mean())


def position(users: int, latency_seconds: float, round_seconds: float, cover_per_second: float, won: float) -> Position:
    """A continuous system in the game's terms.

    A round is the time in which all users together send one real message on average (`round_seconds`), so that each
    sends one in N rounds. `cover_per_second`: frames that hide nothing, a user; β is the probability that one or more
    of them fall into a round, at random (Poisson). `won`: the share of games that are won for certain.
    """
    cover = -np.expm1(-cover_per_second * round_seconds)
    return Position(floor(users, latency_seconds / round_seconds, float(cover)), won)
