"""What observers of one community see: every frame of its links, keep-alives and cover among them; and the truth."""

from typing import NamedTuple

import numpy as np

from protocol.limits import ENVELOPE_BYTES, SLOT_BYTES
from simulations.arrays import Flags, Floats, Integers
from simulations.observation import Observations, in_order, join
from simulations.population import community
from simulations.population.carrying import Links
from simulations.population.frames import Frames
from simulations.population.model import Carried, carry_community
from simulations.population.scenario import Policy, Scenario
from simulations.recording import NO_QUEUE, Sight


class Truth(NamedTuple):
    """Who wrote to whom when, for scoring alone. `direction` names the queue; direction ^ 1 is the way back."""

    written: Floats
    delivered: Floats
    direction: Integers
    sender_link: Integers
    """On which the text left."""
    recipient_link: Integers
    """On which it came."""


class Watched(NamedTuple):
    """A community under observation. Hosts: people from 0, then relays. Link = person · relays + relay."""

    seen: Observations
    truth: Truth
    people: int
    relays: int


def watch(scenario: Scenario, seed: int) -> Watched:
    """All of `scenario.users` as one community, with all its wires, and what its relays see inside."""
    rng = np.random.default_rng(seed)
    contacts = community.people(scenario, scenario.users, rng)
    directions = community.place(contacts, scenario.relays, rng)
    texts = community.write(scenario, contacts, scenario.users, rng)
    carried = carry_community(scenario, texts, directions, scenario.users, rng)
    truth = Truth(
        texts.time, carried.delivered, texts.direction,
        directions.sender_link[texts.direction], directions.recipient_link[texts.direction],
    )  # fmt: skip
    seen = join((observe(carried, scenario, rng), deposits(carried, scenario)))
    return Watched(seen, truth, scenario.users, scenario.relays)


def observe(carried: Carried, scenario: Scenario, rng: np.random.Generator) -> Observations:
    """A global observer's record of a community's links."""
    links = carried.links
    if scenario.policy is Policy.CONSTANT:
        every = np.arange(links.links)
        both = (links.constant_times(every, rng), links.constant_times(every, rng))
    else:
        up, down = links.frames(carried.letters, carried.directions, carried.journey)
        both = (_with_keep_alives(up, links, rng), _with_keep_alives(down, links, rng))
    rows = [_rows(frames, scenario, toward) for frames, toward in zip(both, (True, False), strict=True)]
    return in_order(Observations(*(np.concatenate(columns) for columns in zip(*rows, strict=True))))


def deposits(carried: Carried, scenario: Scenario) -> Observations:
    """What relays see inside: each letter put into its queue, whose number is the letter's direction."""
    letters = carried.letters
    link = carried.directions.sender_link[letters.direction]
    person, relay = np.divmod(link, scenario.relays)
    count = len(link)
    return Observations(
        carried.journey.left + scenario.latency_seconds,
        link.astype(np.int32),
        person.astype(np.int32),
        (relay + scenario.users).astype(np.int32),
        np.full(count, ENVELOPE_BYTES, dtype=np.int32),
        np.ones(count, dtype=np.bool_),
        np.full(count, Sight.DEPOSIT, dtype=np.int8),
        letters.direction.astype(np.int32),
    )


def _rows(frames: Frames, scenario: Scenario, toward_relay: bool) -> Observations:
    person, relay = np.divmod(frames.link, scenario.relays)
    there = relay + scenario.users
    count = len(frames.time)
    return Observations(
        frames.time,
        frames.link.astype(np.int32),
        (person if toward_relay else there).astype(np.int32),
        (there if toward_relay else person).astype(np.int32),
        (frames.slots * SLOT_BYTES).astype(np.int32),
        np.full(count, toward_relay, dtype=np.bool_),
        np.full(count, Sight.FRAME, dtype=np.int8),
        np.full(count, NO_QUEUE, dtype=np.int32),
    )


def _with_keep_alives(frames: Frames, links: Links, rng: np.random.Generator) -> Frames:
    """An empty frame wherever a direction of a link is silent for so long; each link's first comes at random."""
    span, table = links.span, links.silences
    link, time = [frames.link], [frames.time]
    order = np.lexsort((frames.time, frames.link))
    edges = np.searchsorted(frames.link[order], np.arange(links.links + 1))
    for number in range(links.links):
        own = frames.time[order[edges[number] : edges[number + 1]]]
        last = -rng.random() * table.mean
        starts, stops = np.concatenate(([last], own)), np.concatenate((own, [span]))
        for silence in np.flatnonzero(stops - starts >= table.mean * 0.8).tolist():
            drawn = np.array(table.draw(float(starts[silence]), float(stops[silence]), rng))
            time.append(drawn[drawn >= 0.0])
            link.append(np.full(len(time[-1]), number, dtype=np.int64))
    times = np.concatenate(time)
    slots = np.ones(len(times), dtype=np.int64)
    slots[: len(frames.slots)] = frames.slots
    return Frames(np.concatenate(link), times, slots)


def talking(watched: Watched, start: float, stop: float, least: int = 1) -> Flags:
    """Pairs of links (from which, to which) on which at least so many texts were written and came within a span."""
    truth, links = watched.truth, watched.people * watched.relays
    within = (truth.written >= start) & (truth.delivered < stop)
    pairs = truth.sender_link[within] * links + truth.recipient_link[within]
    counts = np.bincount(pairs, minlength=links * links).reshape(links, links)
    return np.asarray(counts >= least)
