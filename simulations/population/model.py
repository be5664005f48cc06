"""A scenario, community by community: what its links carry, how long texts take, and what can be seen of them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from simulations.arrays import Floats
from simulations.population import community
from simulations.population.carrying import Journey, Links
from simulations.population.community import Directions, Letters
from simulations.population.frames import LinkTotals
from simulations.population.receipts import leave_at_ticks, leave_for_good
from simulations.population.scenario import Policy, Scenario

_DELAYS_KEPT = 2_000_000


class Traffic(NamedTuple):
    """What a community, or all of them, did in the time simulated. `up`, `down`: an element a link."""

    users: int
    texts: int
    text_envelopes: int
    receipt_envelopes: int
    """That left at ticks."""
    up: LinkTotals
    down: LinkTotals
    delays: Floats
    """Seconds from writing to delivery, of some millions of texts at most."""


class Summary(NamedTuple):
    """What a person is shown: of one link on one day, both ways, and the delay of a text in seconds."""

    envelopes_per_text: float
    frames_up: float
    frames_down: float
    keep_alives_up: float
    keep_alives_down: float
    payload_bytes: float
    delay_p50: float
    delay_p99: float


class Carried(NamedTuple):
    """A community with everything that is known of it, for observers and for truth."""

    links: Links
    directions: Directions
    texts: Letters
    carried: tuple[tuple[Letters, Journey], ...]
    """Texts, then what leaves at ticks; or both together."""
    delivered: Floats
    """Of each text."""
    traffic: Traffic

    @property
    def letters(self) -> Letters:
        """All of them."""
        return Letters(*(np.concatenate(columns) for columns in zip(*(one for one, _ in self.carried), strict=True)))

    @property
    def journey(self) -> Journey:
        """Of each letter."""
        return Journey(*(np.concatenate(columns) for columns in zip(*(one for _, one in self.carried), strict=True)))


def simulate(scenario: Scenario, seed: int) -> Traffic:
    """Everybody; communities have generators of their own, so that one can be run again by itself."""
    parts: list[Traffic] = []
    delays, kept = [], 0
    for part in _communities(scenario, seed):
        if not kept or kept + part.texts <= _DELAYS_KEPT:
            delays.append(part.delays)
            kept += part.texts
        parts.append(part._replace(delays=part.delays[:0]))
    return Traffic(
        sum(part.users for part in parts),
        sum(part.texts for part in parts),
        sum(part.text_envelopes for part in parts),
        sum(part.receipt_envelopes for part in parts),
        _join([part.up for part in parts]),
        _join([part.down for part in parts]),
        np.concatenate(delays),
    )


def summarise(traffic: Traffic, days: float) -> Summary:
    """Means over links and days."""
    p50, p99 = np.percentile(traffic.delays, [50.0, 99.0])
    return Summary(
        (traffic.text_envelopes + traffic.receipt_envelopes) / max(1, traffic.texts),
        float(traffic.up.frames.mean() / days),
        float(traffic.down.frames.mean() / days),
        float(traffic.up.keep_alives.mean() / days),
        float(traffic.down.keep_alives.mean() / days),
        float((traffic.up.payload_bytes.mean() + traffic.down.payload_bytes.mean()) / days),
        float(p50),
        float(p99),
    )


def carry_community(
    scenario: Scenario, texts: Letters, directions: Directions, users: int, rng: np.random.Generator
) -> Carried:
    """One community's texts, from writing to the last acknowledgement."""
    span = community.span_seconds(scenario)
    links = Links(scenario, users * scenario.relays, span, rng)
    journey = links.carry(texts, directions)
    mean, gap = scenario.receipt_mean_seconds, scenario.receipt_gap_seconds
    if gap is None:
        receipts = leave_at_ticks(texts.direction, texts.time, journey.came, mean, rng)
    else:
        receipts = leave_for_good(directions.sender_link // scenario.relays, mean, gap, span, rng)
    # Time is a circle: what leaves after the end does so at the start, where that of the time before would be.
    alone = Letters(receipts.direction, receipts.time % span, np.ones(len(receipts.time), dtype=np.int64))
    carried: tuple[tuple[Letters, Journey], ...]
    if scenario.policy is Policy.CONSTANT:  # receipts wait in the same queues as texts and hold them up
        letters = Letters(*(np.concatenate(columns) for columns in zip(texts, alone, strict=True)))
        journey = links.carry(letters, directions)
        carried = ((letters, journey),)
    else:
        carried = (texts, journey), (alone, links.carry(alone, directions))
    delivered = journey.came[: len(texts.time)]
    up, down = links.totals(carried, directions)
    traffic = Traffic(
        users, len(texts.time), int(texts.envelopes.sum()), len(receipts.time), up, down, delivered - texts.time
    )
    return Carried(links, directions, texts, carried, delivered, traffic)


def _communities(scenario: Scenario, seed: int) -> Iterator[Traffic]:
    sizes = [scenario.community] * (scenario.users // scenario.community)
    if rest := scenario.users % scenario.community:
        sizes.append(rest)
    for size, source in zip(sizes, np.random.SeedSequence(seed).spawn(len(sizes)), strict=True):
        rng = np.random.Generator(np.random.SFC64(source))
        contacts = community.people(scenario, size, rng)
        directions = community.place(contacts, scenario.relays, rng)
        texts = community.write(scenario, contacts, size, rng)
        yield carry_community(scenario, texts, directions, size, rng).traffic


def _join(parts: list[LinkTotals]) -> LinkTotals:
    return LinkTotals(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
