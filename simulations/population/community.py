"""A few thousand people who know each other: their texts, and the envelopes that follow from them."""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from protocol.limits import CHUNK_BYTES
from simulations.adversaries.size import CONTENT_OVERHEAD_BYTES, envelopes
from simulations.arrays import Floats, Integers
from simulations.population.scenario import Scenario
from simulations.workload import (
    DAY_SECONDS,
    MEAN_TEXT_BYTES,
    TEXT_SIGMA,
    Contacts,
    Workload,
    contact_graph,
    converse,
)


class Directions(NamedTuple):
    """Each pair of contacts is two directions, 2p (from its second person) and 2p + 1 (from its first).

    What goes in a direction lies in a queue of its recipient's on one relay: `sender_link` and `recipient_link` are
    the two people's links to that relay. Link = person · relays + relay.
    """

    sender_link: Integers
    recipient_link: Integers


class Letters(NamedTuple):
    """What is sealed together for one recipient: in which direction, when, and in how many envelopes."""

    direction: Integers
    time: Floats
    envelopes: Integers


def people(scenario: Scenario, users: int, rng: np.random.Generator) -> Contacts:
    """The contact graph of one community."""
    return contact_graph(users, scenario.contacts, rng, scenario.activity_sigma)


def place(contacts: Contacts, relays: int, rng: np.random.Generator) -> Directions:
    """A relay for each direction at random; the two of a pair are on different ones where there are two (Spec 6 §4)."""
    pairs = len(contacts.first)
    forth = rng.integers(0, relays, pairs)
    back = (forth + rng.integers(1, relays, pairs)) % relays if relays > 1 else forth
    relay = np.stack((back, forth), axis=1)
    sender = np.stack((contacts.second, contacts.first), axis=1)
    sender_link, recipient_link = sender * relays + relay, sender[:, ::-1] * relays + relay
    return Directions(sender_link.ravel().astype(np.int64), recipient_link.ravel().astype(np.int64))


def write(scenario: Scenario, contacts: Contacts, users: int, rng: np.random.Generator) -> Letters:
    """The texts of a community's days, pair by pair."""
    texts = converse(contacts, users, rng, scenario.rhythm, scenario.days)
    return Letters(2 * texts.pair + texts.from_first, texts.time, _draw_envelopes(len(texts.time), rng))


def from_workload(contacts: Contacts, users: int, workload: Workload) -> tuple[Letters, Integers]:
    """The same of a workload that something else is fed with too: its pairs must be those of `contacts`.

    Beside the letters, pair by pair, the row of the workload that each comes from.
    """
    forward = contacts.first.astype(np.int64) * users + contacts.second
    backward = contacts.second.astype(np.int64) * users + contacts.first
    names = np.concatenate((backward, forward))
    pairs = np.arange(len(forward))
    directions = np.concatenate((2 * pairs, 2 * pairs + 1))
    order = np.argsort(names)
    wanted = workload.sender.astype(np.int64) * users + workload.recipient
    found = order[np.searchsorted(names[order], wanted)]
    assert np.array_equal(names[found], wanted), "a text between people who do not know each other"
    direction = directions[found]
    grouped = np.argsort(direction >> 1, kind="stable")
    letters = Letters(direction[grouped], workload.time[grouped], envelopes(workload.length[grouped].astype(np.int64)))
    return letters, grouped


def _draw_envelopes(texts: int, rng: np.random.Generator) -> Integers:
    """Envelopes of lognormal texts. Few need more than one: how many, which, and their lengths are drawn from the tail
    (two that fall on one text are one: a few in a million)."""
    location = np.log(MEAN_TEXT_BYTES) - TEXT_SIGMA**2 / 2.0
    tail = float(ndtr((location - np.log(CHUNK_BYTES - CONTENT_OVERHEAD_BYTES)) / TEXT_SIGMA))
    number = np.ones(texts, dtype=np.int64)
    many = int(rng.binomial(texts, tail))
    above = -ndtri(tail * (1.0 - rng.random(many)))
    lengths = np.ceil(np.exp(location + TEXT_SIGMA * above))
    number[rng.integers(0, max(1, texts), many)] = envelopes(lengths.astype(np.int64))
    return number


def span_seconds(scenario: Scenario) -> float:
    """The time simulated."""
    return scenario.days * DAY_SECONDS
