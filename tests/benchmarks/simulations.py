"""Simulations: a steady world on one core, 4 contacts a node, a text a minute, each answered by its receipt; CPU time

Stores in dicts; real machines, links and frames. Messages are counted with the durations that nodes have on *direct*
links: receipts leave at ticks a minute apart on average. Memory, with ticks a second apart, is what `tracemalloc` says
of a whole world (its share of relays, links and wires included), a contact as the difference of two worlds with 2 and
6 of them a node. The store of a node is what its tables hold, by `sys.getsizeof`.
"""

import gc
import sys
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from types import FunctionType, MethodType

from msgspec import Struct
from msgspec.structs import astuple, replace

from protocol.timing import Timing
from protocol.traffic.policies import timing_of
from protocol.wire.commands import Preset
from simulations.crowd import Plan, Population
from simulations.table import Shape
from tests.benchmarks.table import Row

_SETTLING_SECONDS = 240.0
"""Until as many receipts leave as texts come: their ticks are a minute apart."""
_MEASURED_SECONDS = 60.0
_MEMORY_PEOPLE = 200
_MEMORY_SECONDS = 240.0
_GROWTH_SECONDS = 600.0
_GROWING_PEOPLE = 40
_FEW, _MANY = 2, 6


@contextmanager
def _calm_collector() -> Iterator[None]:
    """A world's objects live as long as it does: the collector need not walk them again and again."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1_000)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _messages_a_second(plan: Plan) -> float:
    population = Population(plan)
    population.introduce()
    population.write()
    population.run(_SETTLING_SECONDS)
    with _calm_collector():
        delivered = population.sent - population.undelivered()
        begun = time.process_time()
        population.run(_MEASURED_SECONDS)
        seconds = time.process_time() - begun
        return (population.sent - population.undelivered() - delivered) / seconds


def _bytes(contacts: int) -> tuple[float, float]:
    """A node's share of a world after some minutes, and what of it is its store."""
    gc.collect()
    tracemalloc.start()
    population = Population(Plan(people=_MEMORY_PEOPLE, relays=_MEMORY_PEOPLE // 50, contacts=contacts))
    population.introduce()
    population.write()
    population.run(_MEMORY_SECONDS)
    gc.collect()
    traced = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    stores = sum(_size(person.disk.store, set()) for person in population.people)
    return traced / _MEMORY_PEOPLE, stores / _MEMORY_PEOPLE


def _growth() -> float:
    """How much more memory a world takes after twice the time; the first half fills what a ratchet remembers."""
    gc.collect()
    tracemalloc.start()
    population = Population(Plan(people=_GROWING_PEOPLE, relays=3, texts_a_minute=6.0, kept_seconds=30.0))
    population.introduce()
    population.write()
    taken = []
    for _ in range(2):
        population.run(_GROWTH_SECONDS)
        gc.collect()
        taken.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    return taken[1] / taken[0]


def _size(held: object, seen: set[int]) -> int:
    """Bytes of an object and of all that it holds, but for what all stores share."""
    if id(held) in seen or isinstance(held, type | Enum | Shape | FunctionType | MethodType):
        return 0
    seen.add(id(held))
    parts = astuple(held) if isinstance(held, Struct) else gc.get_referents(held)
    return sys.getsizeof(held) + sum(_size(part, seen) for part in parts)


def measure(full: bool, only: str) -> list[Row]:
    """Two minutes; `full` adds the world of 10,000, which takes some minutes to make its contacts."""
    toy, real = "messages end to end, toy suite", "messages end to end, real crypto"
    some = Plan(people=1_000, relays=10, kept_seconds=60.0, timing=timing_of(Preset.DIRECT, Timing()))
    plans = [
        (toy, "1,000 nodes, 10 relays", some, 1_500),
        (real, "1,000 nodes, 10 relays", replace(some, real_crypto=True), 400),
    ]
    if full:
        plans.append((toy, "10,000 nodes, 100 relays", replace(some, people=10_000, relays=100), 1_500))
    rows: list[Row] = []
    for name, shape, plan, least in plans:
        if only in name:
            rate = _messages_a_second(plan)
            rows.append(Row(name, shape, rate, "a CPU second", least=least))
            rows.append(Row(f"{name}: virtual time", shape, rate / plan.people, "h a CPU minute"))
    if only in "memory":
        shape = f"{_MEMORY_PEOPLE} nodes, toy suite"
        few, few_stored = _bytes(_FEW)
        many, many_stored = _bytes(_MANY)
        contact, stored = (many - few) / (_MANY - _FEW), (many_stored - few_stored) / (_MANY - _FEW)
        rows += [
            Row("memory, store of a node without its contacts", shape, few_stored - _FEW * stored, "B", most=8 * 1_024),
            Row("memory, a contact in the store", shape, stored, "B", most=5 * 1_024),
            Row("memory, a node with its share of all, no contacts", shape, few - _FEW * contact, "B"),
            Row("memory, a contact with its share of all", shape, contact, "B", most=5 * 1_024),
            Row(
                "memory after twice the time", f"{_GROWING_PEOPLE} nodes, six texts a minute", _growth(), "x", most=1.05
            ),
        ]
    return rows
