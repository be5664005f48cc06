"""Mixes: simulated, watched from outside, and judged by the exact posterior.

Two figures an anchor: the mean entropy of the posterior, and its mean surprisal at the truth. They agree only where the
posterior is right, so the second is the check that the first means anything.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.special import digamma, gammaln

from simulations.adversaries import mixing, mixnet
from simulations.anchors.rows import Row, repeat
from simulations.arrays import Floats, Integers
from simulations.statistics import student_interval

SERJANTOV = "Serjantov and Danezis, PET 2002"
DANEZIS = "Danezis, PET 2004 (exponential mix): log₂ ρe"
MIXIM = "MiXiM, PETS 2022, figure 7a"
MIXNET_RATE = 5_000.0
MIXNET_WIDTH = 10
HOP_SECONDS = 0.05
"""MiXiM: propagation on each of a route's L + 1 links, part of the end-to-end delay D."""
MIXNET_FIGURES = {1: 10.253, 2: 13.296, 3: 13.039, 4: 12.789, 5: 12.552, 10: 11.469}
POISSON_FIGURES = {10: 4.765, 100: 8.087, 1_000: 11.408}
POOL_FIGURES = {(100, 10): 7.127, (100, 100): 8.644, (32, 96): 8.245}


def poisson_mix(occupancy: float, rng: np.random.Generator, messages: int) -> tuple[float, float]:
    """Mean entropy and mean surprisal (bits) of a mix with exponential delays that holds `occupancy` on average.

    Time is in mean delays. Who comes in the first and last 20 is left out: the mix fills and drains in them.
    """
    span = messages / occupancy
    came = np.sort(rng.random(messages)) * span
    left = came + rng.exponential(1.0, messages)
    events, arrival, departure = mixing.continuous_events(came, left)
    settled = (came > 20.0) & (came < span - 20.0)
    bits = mixing.entropies(events)[departure[settled]]
    return float(bits.mean()), float(mixing.surprisals(events, arrival[settled], departure[settled]).mean())


def pool_mix(batch: int, pool: int, rng: np.random.Generator, rounds: int = 400) -> tuple[float, float]:
    """The same of a pool mix: each round `batch` come, then as many leave of those `batch` + `pool` inside."""
    came = np.concatenate((np.zeros(pool, dtype=np.int64), np.repeat(np.arange(rounds), batch)))
    left = np.full(len(came), rounds)
    inside = np.arange(pool)
    for number in range(rounds):
        arrived = pool + number * batch + np.arange(batch)
        inside = rng.permutation(np.concatenate((inside, arrived)))
        left[inside[:batch]] = number
        inside = inside[batch:]
    gone = left < rounds
    events = mixing.MixEvents(
        np.bincount(came, minlength=rounds)[:rounds], np.bincount(left[gone], minlength=rounds)[:rounds]
    )
    settled = np.flatnonzero(gone & (came > rounds // 2) & (came < rounds * 3 // 4))
    bits = mixing.entropies(events)[left[settled]]
    return float(bits.mean()), float(mixing.surprisals(events, came[settled], left[settled]).mean())


def stratified(
    layers: int, rng: np.random.Generator, delay_seconds: float = 1.0, width: int = MIXNET_WIDTH,
    rate: float = MIXNET_RATE, targets: int = 32,
) -> tuple[float, float]:  # fmt: skip
    """The same of `layers` of `width` mixes with exponential delays, for targets that enter while they are full."""
    mean_delay = (delay_seconds - (layers + 1) * HOP_SECONDS) / layers
    fill = 8.0 * delay_seconds
    entered = np.sort(rng.random(int(rate * 2.5 * fill))) * 2.5 * fill
    routes, came, left = travel(entered, layers, width, mean_delay, rng)
    chosen = rng.choice(np.flatnonzero((entered > fill) & (entered < 1.5 * fill)), targets, replace=False)
    anonymity, surprisals = mixnet.measure(mixnet.follow(chosen, routes, came, left), chosen)
    return anonymity.mean, float(surprisals.mean())


def travel(
    entered: Floats, layers: int, width: int, mean_delay: float, rng: np.random.Generator
) -> tuple[Integers, Floats, Floats]:
    """Each message's mixes, and the seconds at which it comes to and leaves each of them."""
    shape = (len(entered), layers)
    delays = rng.exponential(mean_delay, shape)
    left = entered[:, None] + np.cumsum(delays + HOP_SECONDS, axis=1)
    return rng.integers(0, width, shape), left - delays, left


def poisson_closed(occupancy: float) -> float:
    """log₂ of ρe: weights e^−age over arrivals of density ρ."""
    return float(np.log2(occupancy * np.e))


def pool_closed(batch: int, pool: int) -> float:
    """(1 + n/N) log₂(N + n) − (n/N) log₂ n."""
    return float((1 + pool / batch) * np.log2(batch + pool) - pool / batch * np.log2(pool))


def stratified_closed(rate: float, layers: int, mean_delay: float) -> float:
    """Entropy of a Gamma delay (L layers of mean θ) over messages of density Λ."""
    nats = layers + np.log(mean_delay) + gammaln(layers) + (1 - layers) * digamma(layers)
    return float(np.log2(rate) + nats / np.log(2.0))


def measure(
    runs: int, share: float = 1.0, layers: tuple[int, ...] = tuple(MIXNET_FIGURES), targets: int = 32
) -> list[Row]:
    """Every row; `share` of the full length of the simulations of one mix, and so many targets in a mixnet."""
    rows: list[Row] = []
    for occupancy, figure in POISSON_FIGURES.items():
        count = int(occupancy * 2_000 * share) + 40 * occupancy
        rows += _both(
            f"Poisson mix, ρ = {occupancy:,}", DANEZIS, figure, 0.02, poisson_closed(occupancy),
            partial(poisson_mix, occupancy, messages=count), runs,
        )  # fmt: skip
    for (batch, pool), figure in POOL_FIGURES.items():
        rows += _both(
            f"pool mix, N = {batch}, n = {pool}", SERJANTOV, figure, 0.02, pool_closed(batch, pool),
            partial(pool_mix, batch, pool), runs,
        )  # fmt: skip
    for count in layers:
        # One layer of ten mixes is ten systems side by side, each with a tenth of the messages.
        rate = MIXNET_RATE / MIXNET_WIDTH if count == 1 else MIXNET_RATE
        closed = stratified_closed(rate, count, (1.0 - (count + 1) * HOP_SECONDS) / count)
        rows += _both(
            f"mixnet, L = {count}, W = 10, D = 1 s", MIXIM, MIXNET_FIGURES[count], 0.06, closed,
            partial(stratified, count, targets=targets), runs,
        )  # fmt: skip
    return rows


def _both(
    anchor: str, source: str, figure: float, tolerance: float, closed: float,
    run: Callable[[np.random.Generator], tuple[float, float]], runs: int,
) -> list[Row]:  # fmt: skip
    """One row for the entropy, one for the surprisal, of the same runs."""
    pairs: list[tuple[float, float]] = []

    def entropy(rng: np.random.Generator) -> float:
        pairs.append(run(rng))
        return pairs[-1][0]

    bits = repeat(entropy, runs)
    surprisal = student_interval([pair[1] for pair in pairs])
    return [
        Row(f"{anchor}: entropy, bits", source, figure, bits, tolerance, closed),
        Row(f"{anchor}: surprisal at the truth", source, figure, surprisal, tolerance, closed),
    ]
