"""The anonymity trilemma's game, played; and the toy links on which batching alone was tried."""

from functools import partial

import numpy as np

from simulations.adversaries import timing, trilemma
from simulations.anchors.rows import Row, repeat
from simulations.arrays import Floats

TRILEMMA = "Das et al., S&P 2018"
TOY = "toy links, one message a minute"
USERS, LATENCY_ROUNDS, COVER = 1_000, 10, 0.01
TOY_PAIRS = 120
TOY_BIN_SECONDS = 60.0
TOY_WARM_SECONDS = 600.0
TOY_FIGURES = {
    ("direct", 900.0): 1.00, ("batches", 900.0): 0.99, ("delay", 900.0): 0.89, ("constant", 900.0): 0.50,
    ("batches", 3_600.0): 0.995, ("delay", 3_600.0): 0.995,
}  # fmt: skip
TOY_NAMES = {
    "direct": "sent at once", "batches": "60-s batches", "delay": "60-s exponential delay", "constant": "constant rate",
}  # fmt: skip


def play(rng: np.random.Generator, games: int = 2_000) -> float:
    """Share of games in which the adversary knows the sender, because the other candidate was silent.

    The protocol is the best there is: it always takes the whole latency. A game is a cycle of N rounds that begins
    with the challenge; in another of them the other candidate sends its own message, and both send cover.
    """
    span = USERS + LATENCY_ROUNDS
    start = np.arange(games, dtype=np.float64) * span
    cover = [np.flatnonzero(rng.random(games * span) < COVER).astype(np.float64) for _ in range(2)]
    own = start + rng.integers(1, USERS, games)
    times = np.concatenate((start, own, *cover))
    senders = np.concatenate((np.zeros(games), np.ones(games), np.zeros(len(cover[0])), np.ones(len(cover[1]))))
    order = np.argsort(times, kind="stable")
    return trilemma.silences(times[order], USERS, (0, 1), start + LATENCY_ROUNDS, LATENCY_ROUNDS, senders[order])


def correlate_toy(policy: str, seconds: float, rng: np.random.Generator) -> float:
    """AUC of the timing adversary on pairs of links that carry one conversation each."""
    up = np.zeros((TOY_PAIRS, int(seconds / TOY_BIN_SECONDS)))
    down = np.zeros_like(up)
    for pair in range(TOY_PAIRS):
        span = seconds + TOY_WARM_SECONDS
        sent = np.sort(rng.random(rng.poisson(span / 60.0))) * span - TOY_WARM_SECONDS
        out = sent + _delays(policy, sent, rng)
        if policy == "constant":  # both ends send at their own pace, whatever is to be said
            sent, out = (np.sort(rng.random(rng.poisson(span / 13.0))) * span - TOY_WARM_SECONDS for _ in range(2))
        up[pair], down[pair] = _count(sent, seconds), _count(out, seconds)
    anywhere = np.sort(rng.random(20_000)) * 1_000.0 * 60.0
    kernel = timing.kernel(_delays(policy, anywhere, rng), TOY_BIN_SECONDS, rng)
    if policy == "batches":
        kernel = np.array([0.0, 1.0])  # batches leave on the minute, and so does the adversary's clock
    true = np.eye(TOY_PAIRS, dtype=np.bool_)
    return timing.judge(timing.correlate(up, down, kernel), true, np.ones_like(true)).auc


def measure(runs: int, games: int = 2_000) -> list[Row]:
    """Every row."""
    floor = trilemma.floor(USERS, LATENCY_ROUNDS, COVER)
    played = repeat(partial(play, games=games), runs)
    rows = [Row("trilemma, N = 1,000, ℓ = 10, β = 0.01: δ", TRILEMMA, 0.8962, played, 0.002, floor)]
    for (policy, seconds), figure in TOY_FIGURES.items():
        name = f"{TOY_NAMES[policy]}, {seconds / 60:.0f} min: AUC"
        found = repeat(partial(correlate_toy, policy, seconds), runs)
        rows.append(Row(name, TOY, figure, found, 0.03 if seconds < 1_000.0 else 0.0, least=seconds > 1_000.0))
    return rows


def _delays(policy: str, sent: Floats, rng: np.random.Generator) -> Floats:
    if policy == "batches":
        return np.asarray(np.ceil(sent / 60.0) * 60.0 - sent)
    if policy == "delay":
        return rng.exponential(60.0, len(sent))
    return np.full(len(sent), 0.1)


def _count(times: Floats, seconds: float) -> Floats:
    inside = times[(times >= 0.0) & (times < seconds)]
    return np.bincount((inside / TOY_BIN_SECONDS).astype(np.int64), minlength=int(seconds / TOY_BIN_SECONDS)).astype(
        np.float64
    )
