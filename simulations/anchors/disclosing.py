"""Statistical disclosure: rounds of a threshold mix, simulated; after as many as are needed, recall@m is about 0.8."""

from functools import partial

import numpy as np

from simulations.adversaries import disclosure
from simulations.anchors.rows import Row, exact, repeat

SOURCE = "Danezis, SDA 2003, z = 2"
FIGURES = {(20_000, 20, 100): 143, (65_536, 32, 128): 205, (1_000_000, 20, 1_000): 101}
RECALL = 0.8
WORLDS = 4
"""Simulated in each run, as one recall of 20 contacts is a coarse figure."""


def simulate(recipients: int, contacts: int, batch: int, rounds: int, rng: np.random.Generator) -> float:
    """recall@m of the attack on that many rounds: one message of the target in each, the others' to anybody."""
    return float(np.mean([_world(recipients, contacts, batch, rounds, rng) for _ in range(WORLDS)]))


def _world(recipients: int, contacts: int, batch: int, rounds: int, rng: np.random.Generator) -> float:
    friends = rng.choice(recipients, contacts, replace=False)
    number = np.repeat(np.arange(rounds), batch)
    received = rng.integers(0, recipients, (rounds, batch))
    received[:, 0] = rng.choice(friends, rounds)
    seen = disclosure.Rounds(number, received.ravel(), rounds)
    return disclosure.recall(disclosure.disclose(seen, recipients), friends, rng)


def measure(runs: int, worlds: tuple[tuple[int, int, int], ...] = tuple(FIGURES)) -> list[Row]:
    """Two rows a world: rounds by Danezis' condition, and what the attack finds after that many."""
    rows: list[Row] = []
    for shape in worlds:
        recipients, contacts, batch = shape
        name = f"SDA, N = {recipients:,}, m = {contacts}, b = {batch:,}"
        needed = disclosure.rounds_needed(*shape)
        rows.append(Row(f"{name}: rounds", SOURCE, FIGURES[shape], exact(needed), 0.5, needed))
        found = repeat(partial(simulate, recipients, contacts, batch, FIGURES[shape]), runs)
        rows.append(Row(f"{name}: recall@m", SOURCE, RECALL, found, 0.06))
    return rows
