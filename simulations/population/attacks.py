"""The adversaries on the population model's traffic: one figure a seed, for intervals over seeds."""

from typing import NamedTuple

import numpy as np

from simulations.adversaries import receipts, timing, trilemma
from simulations.arrays import Floats, Integers
from simulations.population.observing import Watched, talking
from simulations.population.scenario import Policy, Scenario
from simulations.workload import DAY_SECONDS

LEAST_TEXTS = 10
"""Of a queue in a day, to be a target of the receipt attack."""
TARGETS = 30
GAMES = 400
"""Of the trilemma, at most."""
MOST_FRAMES = 200
"""To a target's host, after which the observer of wires stops: frames of cover are without end."""


class ReceiptFigures(NamedTuple):
    """Of targets: how many correspondents rank first at the end of the day, and the median of the messages needed."""

    found: float
    messages_needed: float


def bin_seconds(scenario: Scenario) -> float:
    """Fine enough for the policy's delays, and coarse enough that a bin holds something."""
    return {Policy.DIRECT: 1.0, Policy.BATCHED: 2.0, Policy.CONSTANT: 5.0}[scenario.policy]


def relay_delays(scenario: Scenario, count: int, rng: np.random.Generator) -> Floats:
    """What the adversary knows of the delay between two wires: the policy's distribution, of an empty queue."""
    if scenario.policy is Policy.DIRECT:
        return np.full(count, scenario.latency_seconds)
    mean = scenario.tick_seconds
    if scenario.policy is Policy.CONSTANT:
        mean = 1.0 / (scenario.slot_rate - scenario.rates.loop)
    return scenario.latency_seconds + rng.exponential(mean, count)


def correlate(watched: Watched, scenario: Scenario, seconds: float, rng: np.random.Generator) -> timing.Correlation:
    """A global observer who watches `seconds` around the busiest hour, all pairs of links of two people."""
    middle = scenario.rhythm.peak_seconds
    start, stop = middle - seconds / 2.0, min(middle + seconds / 2.0, scenario.days * DAY_SECONDS)
    size = bin_seconds(scenario)
    links = np.arange(watched.people * watched.relays, dtype=np.int32)
    seen = watched.seen.global_observer()
    up = timing.count_frames(seen, links, True, start, stop, size)
    down = timing.count_frames(seen, links, False, start, stop, size)
    kernel = timing.kernel(relay_delays(scenario, 20_000, rng), size, rng)
    person = links // watched.relays
    usable = person[:, None] != person[None, :]
    return timing.judge(timing.correlate(up, down, kernel), talking(watched, start, stop), usable)


def join_queues(watched: Watched, span_seconds: float, rng: np.random.Generator) -> ReceiptFigures:
    """Relays that share their notes: which queue gets something soon after the target's queue got something?"""
    inside = watched.seen.relays([watched.people + relay for relay in range(watched.relays)])
    queues = int(watched.truth.direction.max() | 1) + 1
    outcomes = []
    for target in _targets(watched, rng).tolist():
        received, times, candidates = receipts.from_relays(inside, target)
        outcomes.append(receipts.attack(received, times, candidates, queues, target ^ 1, span_seconds, rng))
    return _figures(outcomes)


def find_hosts(watched: Watched, span_seconds: float, rng: np.random.Generator) -> ReceiptFigures:
    """A global observer: which host gets something soon after the target's host got something?"""
    seen = watched.seen.global_observer()
    outcomes = []
    for target in _targets(watched, rng).tolist():
        chosen = watched.truth.direction == target
        sender = int(watched.truth.sender_link[chosen][0]) // watched.relays
        recipient = int(watched.truth.recipient_link[chosen][0]) // watched.relays
        received, times, hosts = receipts.from_wires(seen, recipient)
        received = received[:MOST_FRAMES]
        outcomes.append(receipts.attack(received, times, hosts, watched.people, sender, span_seconds, rng))
    return _figures(outcomes)


def stand(watched: Watched, span_seconds: float, rng: np.random.Generator) -> trilemma.Position:
    """Against the anonymity trilemma, by an observer of every wire; everything about the system is measured.

    A game is a text that came, and somebody else at random who might have written it: won for certain where that one
    sent nothing from its writing to its delivery. Texts give the rounds and the median delay. Cover is every frame
    that people send beside one for each text, answers and keep-alives among them: they hide a writer as well.
    """
    truth = watched.truth
    came = np.flatnonzero(np.isfinite(truth.delivered))
    chosen = rng.choice(came, min(GAMES, len(came)), replace=False)
    up = watched.seen.global_observer().times(toward_relay=True)
    won = []
    for text in chosen.tolist():
        own = int(truth.sender_link[text]) // watched.relays
        other = int(rng.integers(watched.people - 1))
        other += other >= own
        written, delivered = float(truth.written[text]) - 1e-6, truth.delivered[text : text + 1]
        near = up.between(written, float(delivered[0]))
        latency = float(delivered[0]) - written
        senders = near.source.astype(np.float64)
        won.append(trilemma.silences(near.time, watched.people, (own, other), delivered, latency, senders))
    latency = float(np.median(truth.delivered[came] - truth.written[came]))
    cover_per_second = max(0, up.rows - len(truth.written)) / (watched.people * span_seconds)
    round_seconds = span_seconds / len(truth.written)
    return trilemma.position(watched.people, latency, round_seconds, cover_per_second, float(np.mean(won)))


def _targets(watched: Watched, rng: np.random.Generator) -> Integers:
    busy = np.flatnonzero(np.bincount(watched.truth.direction) >= LEAST_TEXTS)
    return rng.choice(busy, min(TARGETS, len(busy)), replace=False)


def _figures(outcomes: list[receipts.Outcome]) -> ReceiptFigures:
    first = [outcome.ranks[-1] == 1.0 for outcome in outcomes]
    return ReceiptFigures(float(np.mean(first)), float(np.median([outcome.messages_needed for outcome in outcomes])))
