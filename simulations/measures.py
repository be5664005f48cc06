"""What a run shows each observer, in figures: one row a figure, the same for real machines and for the model.

An observer is a choice of rows of what was seen (`simulations.observation`). Truth scores its guesses, and is used for
nothing else; the adversary knows the system, so the spread of delays is taken as known.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from simulations.adversaries import disclosure, receipts, size, timing
from simulations.adversaries.discrimination import (
    auc,
    delta,
    delta_at_most,
    draw_apart,
    epsilon_at_least,
    true_positive_rate,
)
from simulations.arrays import Flags, Floats, Integers
from simulations.observation import Observations
from simulations.population import attacks
from simulations.population.observing import Watched, talking
from simulations.study import Observer, Study

BIN_SECONDS = 1.0
ANSWER_SPAN_SECONDS = 60.0
"""For how long after a target was sent something what follows is looked for, at most, and for three times the mean of
receipts. What people answer comes within it, and more finds less: others' envelopes are then in the way."""
RECEIPT_SPAN_MEANS = 2.0
"""The same where nobody answers and there are receipts alone, in means of receipts: of 0.1 to 6 that found most."""
ROUND_SECONDS = 2.0
"""Of disclosure, at least: as long as most texts take."""
_LEAST_TEXTS = 5
"""A target must have had so many from the correspondent who is looked for."""
_LEAST_FALSE_PAIRS = 1_000
"""Fewer say nothing of a false positive rate of 10⁻³."""
_MOST_CONTROLS = 200_000
"""Starts at random tell what is usual; of frames of cover there are a million, and no need of ten times as many."""
_ENOUGH = (5, 20, 100)
_EPSILONS = (0.0, 1.0)
_DELTA = 1e-3


FIGURES = {
    "cost": (
        "megabytes a person a day", "frames a person a day", "frames a text", "envelopes a text", "delay p50, s",
        "delay p99, s", "texts that came",
    ),
    "size": ("bits of a text's length", "bits that there are"),
    "timing": ("AUC", "TPR at FPR 0.001"),
    "advantage": (
        *(f"δ at ε = {epsilon:g}" for epsilon in _EPSILONS), "δ at ε = 0, at most", f"ε at δ = {_DELTA:g}, at least",
    ),
    "trilemma": ("δ of the trilemma's game", "δ of the trilemma's floor", "δ above the trilemma's floor"),
    "disclosure": ("recall@m, statistical", "recall@m, intersection", "recall@m, by guessing"),
    "receipts": (*(f"found after {number} texts" for number in _ENOUGH), "found by guessing"),
}  # fmt: skip
"""What each measure may tell; some only where there is enough to see."""


class Figure(NamedTuple):
    """One row. `window_seconds`: for how long was watched; 0 where it does not matter."""

    measure: str
    observer: str
    window_seconds: float
    figure: str
    value: float


class Seen(NamedTuple):
    """A run, as far as measures need it."""

    watched: Watched
    lengths: Integers
    delays: Floats
    span_seconds: float


def measure(study: Study, run: Seen, seed: int) -> Iterator[Figure]:
    """Every figure that the study asks for."""
    rng = np.random.default_rng((seed, 2))
    for name in study.adversary.measures:
        if name == "cost":
            yield from _cost(run)
        elif name == "size":
            yield from _size(run)
        elif name == "trilemma":
            yield from _trilemma(run, rng)
        else:
            for observer in study.adversary.observers:
                if name == "timing":
                    yield from _timing(run, observer, rng)
                elif name == "advantage":
                    yield from _advantage(run, observer, rng)
                elif name == "disclosure":
                    yield from _disclosure(run, observer, study.adversary.targets, rng)
                else:
                    yield from _receipts(run, observer, study, rng)


def _cost(run: Seen) -> Iterator[Figure]:
    frames = run.watched.seen.global_observer()
    days = run.span_seconds / 86_400.0
    each = run.watched.people * days
    yield Figure("cost", "", 0.0, "megabytes a person a day", float(frames.length.sum()) / each / 1e6)
    yield Figure("cost", "", 0.0, "frames a person a day", frames.rows / each)
    texts = len(run.lengths) or np.nan  # where nothing is written, nothing can be said of a text
    deposits = int((run.watched.seen.queue >= 0).sum())
    yield Figure("cost", "", 0.0, "frames a text", frames.rows / texts)
    yield Figure("cost", "", 0.0, "envelopes a text", deposits / texts)
    came = run.delays[np.isfinite(run.delays)]
    for share, name in ((50, "delay p50, s"), (99, "delay p99, s")):
        yield Figure("cost", "", 0.0, name, float(np.percentile(came, share)) if len(came) else np.nan)
    yield Figure("cost", "", 0.0, "texts that came", len(came) / texts)


def first_frames(run: Seen) -> Integers:
    """Bytes of the first frame after each text was written, on its sender's link: what tells of its length."""
    up = run.watched.seen.times(toward_relay=True)
    order = np.lexsort((up.time, up.link))
    keys = up.link[order].astype(np.float64) * (2.0 * run.span_seconds + 1e4) + up.time[order]
    wanted = run.watched.truth.sender_link * (2.0 * run.span_seconds + 1e4) + run.watched.truth.written
    place = np.minimum(np.searchsorted(keys, wanted), len(order) - 1)
    return np.asarray(up.length[order][place], dtype=np.int64)


def _size(run: Seen) -> Iterator[Figure]:
    if not len(run.lengths):
        return
    seen = first_frames(run)
    yield Figure("size", "global", 0.0, "bits of a text's length", size.leakage_bits(run.lengths, seen))
    yield Figure("size", "", 0.0, "bits that there are", size.entropy_bits(np.bincount(run.lengths)))


def _timing(run: Seen, observer: Observer, rng: np.random.Generator) -> Iterator[Figure]:
    """Which link's texts come out at which other, from both links' frames."""
    for told in _told_apart(run, observer, rng):
        positive, negative = told.scores[told.true], told.scores[told.false]
        yield Figure("timing", observer, told.window, "AUC", auc(positive, negative))
        if len(negative) >= _LEAST_FALSE_PAIRS:
            rate = true_positive_rate(positive, negative)
            yield Figure("timing", observer, told.window, "TPR at FPR 0.001", rate)


def _advantage(run: Seen, observer: Observer, rng: np.random.Generator) -> Iterator[Figure]:
    """(ε, δ) of the timing adversary's scores: a pair of links that talk, against one of links that do not.

    δ at an ε is that of all pairs; as the largest of many differences it comes out too high rather than too low. Pairs
    that share a link are not independent, so the two bounds, of a confidence of 95 % each, are of some pairs only,
    none of which has a link of another: the more people, the closer.
    """
    for told in _told_apart(run, observer, rng):
        positive, negative = told.scores[told.true], told.scores[told.false]
        for epsilon in _EPSILONS:
            value = delta(positive, negative, epsilon)
            yield Figure("advantage", observer, told.window, f"δ at ε = {epsilon:g}", value)
        positive, negative = (told.scores[pairs] for pairs in draw_apart(told.true, told.false, rng))
        if len(positive) and len(negative):
            most = delta_at_most(positive, negative, 0.0)
            yield Figure("advantage", observer, told.window, "δ at ε = 0, at most", most)
            least = epsilon_at_least(positive, negative, _DELTA, rng)
            yield Figure("advantage", observer, told.window, f"ε at δ = {_DELTA:g}, at least", least)


class _Told(NamedTuple):
    """Scores of pairs of links [from, to], after a window of so many seconds, and the pairs that talk or do not."""

    window: float
    scores: Floats
    true: Flags
    false: Flags


def _told_apart(run: Seen, observer: Observer, rng: np.random.Generator) -> Iterator[_Told]:
    """What the timing adversary makes of windows that begin at random; those without any pair of either kind are left
    out."""
    if observer == "local":  # one provider sees one end
        return
    links = run.watched.people * run.watched.relays
    delays = run.delays[np.isfinite(run.delays)]
    if not len(delays):
        return
    spread = timing.kernel(delays, BIN_SECONDS, rng)
    for window in timing.WINDOWS_SECONDS:
        if window > run.span_seconds:
            continue
        start = float(rng.uniform(0.0, run.span_seconds - window))
        there = _links_of(run, observer, rng)
        every = np.arange(links, dtype=np.int32)
        up = timing.count_frames(run.watched.seen, every, True, start, start + window, BIN_SECONDS)
        down = timing.count_frames(run.watched.seen, every, False, start, start + window, BIN_SECONDS)
        talk, usable = talking(run.watched, start, start + window), _pairs(run, there)
        true, false = talk & usable, ~talk & usable
        if true.any() and false.any():
            yield _Told(window, timing.correlate(up, down, spread), true, false)


def _trilemma(run: Seen, rng: np.random.Generator) -> Iterator[Figure]:
    """Where the run stands against the anonymity trilemma (Das, Meiser, Mohammadi and Kate, S&P 2018).

    δ is the share of texts whose writer the observer of every wire knows for certain, given two candidates; the floor
    is what no protocol with this run's median latency and cover goes below (`simulations.adversaries.trilemma`).
    """
    if np.isfinite(run.watched.truth.delivered).any():
        stands = attacks.stand(run.watched, run.span_seconds, rng)
        yield Figure("trilemma", "global", 0.0, "δ of the trilemma's game", stands.measured)
        yield Figure("trilemma", "global", 0.0, "δ of the trilemma's floor", stands.floor)
        yield Figure("trilemma", "global", 0.0, "δ above the trilemma's floor", stands.excess)


def _links_of(run: Seen, observer: Observer, rng: np.random.Generator) -> Flags:
    """Which links the observer watches."""
    relay = np.arange(run.watched.people * run.watched.relays) % run.watched.relays
    if observer == "relay":
        return np.asarray(relay == rng.integers(run.watched.relays))
    return np.ones(len(relay), dtype=np.bool_)


def _pairs(run: Seen, there: Flags) -> Flags:
    """From a watched link of one person to a watched link of another."""
    person = np.arange(len(there)) // run.watched.relays
    return np.asarray(there[:, None] & there[None, :] & (person[:, None] != person[None, :]))


def _watching(run: Seen, observer: Observer, target: int, rng: np.random.Generator) -> Observations:
    seen = run.watched.seen
    if observer == "global":
        return seen.global_observer()
    if observer == "local":
        return seen.local_observer(target)
    relays = np.arange(run.watched.people, run.watched.people + run.watched.relays)
    return seen.relays(relays.tolist() if observer == "colluding relays" else [int(rng.choice(relays))])


def _targets(run: Seen, count: int, rng: np.random.Generator) -> Iterator[tuple[int, Integers, int]]:
    """A person, everybody who wrote to them, and who of these wrote most."""
    relays, truth = run.watched.relays, run.watched.truth
    sender, recipient = truth.sender_link // relays, truth.recipient_link // relays
    for target in rng.permutation(run.watched.people)[:count]:
        writers, texts = np.unique(sender[recipient == target], return_counts=True)
        if len(writers) and texts.max() >= _LEAST_TEXTS:
            yield int(target), writers, int(writers[np.argmax(texts)])


def _queue(run: Seen, sender: int, recipient: int) -> int:
    """The number of the queue of one direction; the way back is this ^ 1."""
    truth, relays = run.watched.truth, run.watched.relays
    own = (truth.sender_link // relays == sender) & (truth.recipient_link // relays == recipient)
    return int(truth.direction[own][0])


def _disclosure(run: Seen, observer: Observer, count: int, rng: np.random.Generator) -> Iterator[Figure]:
    """To whom does the target write: who is sent something soon after the target sent."""
    if observer in ("local", "relay"):
        return
    truth, relays = run.watched.truth, run.watched.relays
    disclosed: list[float] = []
    intersected: list[float] = []
    guessed: list[float] = []
    came = run.delays[np.isfinite(run.delays)]
    span = max(ROUND_SECONDS, 1.5 * float(np.median(came))) if len(came) else ROUND_SECONDS
    wires = run.watched.seen.global_observer()
    down, up = wires.times(toward_relay=False), wires.times(toward_relay=True)
    for target, _, _ in _targets(run, count, rng):
        friends = np.unique(truth.recipient_link[truth.sender_link // relays == target] // relays)
        if not len(friends):
            continue
        others = down.destination != target
        times, candidates = down.time[others], down.destination[others].astype(np.int64)
        own = up.time[up.source == target]
        controls = np.sort(rng.uniform(0.0, run.span_seconds, min(10 * max(1, len(own)), _MOST_CONTROLS)))
        people = run.watched.people
        after, shares = disclosure.seen_after(own, span, times, candidates, people)
        usual, _ = disclosure.seen_after(controls, span, times, candidates, people)
        disclosed.append(disclosure.recall(after - usual, friends, rng))
        intersected.append(disclosure.recall(shares, friends, rng))
        guessed.append(len(friends) / (people - 1))
    if disclosed:
        yield Figure("disclosure", observer, run.span_seconds, "recall@m, statistical", float(np.mean(disclosed)))
        yield Figure("disclosure", observer, run.span_seconds, "recall@m, intersection", float(np.mean(intersected)))
        yield Figure("disclosure", observer, run.span_seconds, "recall@m, by guessing", float(np.mean(guessed)))


def _receipts(run: Seen, observer: Observer, study: Study, rng: np.random.Generator) -> Iterator[Figure]:
    """Who writes to the target: who is sent something soon after the target was (a receipt, or an answer)."""
    if observer == "local":
        return
    found: dict[int, list[bool]] = {number: [] for number in _ENOUGH}
    candidates = 0
    span = RECEIPT_SPAN_MEANS * study.policy.receipt_seconds
    if study.workload.kind == "lively":
        span = min(1.5 * span, ANSWER_SPAN_SECONDS)
    for target, _, correspondent in _targets(run, study.adversary.targets, rng):
        watching = _watching(run, observer, target, rng)
        if observer == "global":
            received, times, who = receipts.from_wires(watching, target)
            truth, candidates = correspondent, run.watched.people
        else:
            there = _queue(run, correspondent, target)
            received, times, who = receipts.from_relays(watching, there)
            names, who = np.unique(who, return_inverse=True)
            same = np.flatnonzero(names == there ^ 1)
            candidates = len(names)
            truth = int(same[0]) if len(same) else -1
        if len(received) >= _LEAST_TEXTS and len(times) and candidates > 1:
            if truth < 0:  # the answer's queue is at another relay: nothing to find, and the guess is a guess
                ranks = rng.integers(1, candidates + 1, len(received)).astype(np.float64)
            else:
                ranks = receipts.attack(received, times, who, candidates, truth, span, rng).ranks
            came = _texts_came(run, correspondent, target)
            for number in _ENOUGH:
                if number <= len(came):
                    rounds = np.searchsorted(received, came[number - 1], side="right")
                    found[number].append(bool(ranks[max(rounds, 1) - 1] <= 1.0))
    for number, ones in found.items():
        if ones:
            yield Figure("receipts", observer, 0.0, f"found after {number} texts", float(np.mean(ones)))
    if any(found.values()):
        yield Figure("receipts", observer, 0.0, "found by guessing", 1.0 / candidates)


def _texts_came(run: Seen, sender: int, recipient: int) -> Floats:
    """When each text of a correspondent was delivered, one after the other."""
    truth, relays = run.watched.truth, run.watched.relays
    own = (truth.sender_link // relays == sender) & (truth.recipient_link // relays == recipient)
    came = truth.delivered[own]
    return np.sort(came[np.isfinite(came)])
