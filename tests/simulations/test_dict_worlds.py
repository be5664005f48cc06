"""A world on dicts is the world on SQLite: the same script puts the same bytes on the same wires at the same times."""

from collections import Counter
from functools import partial

import pytest
from msgspec.structs import replace

from protocol.mailbox import MessageState
from simulations.faults import expect, inflict
from simulations.script import Fault, FaultKind, Script, Shape, draw
from simulations.world import Stage, World

SQLITE_ONLY = frozenset((FaultKind.FULL_DISK,))
HEALED_SECONDS = 200.0
CRASHES = (FaultKind.CRASH_BEFORE_COMMIT, FaultKind.CRASH_AFTER_COMMIT, FaultKind.CRASH_BEFORE_EFFECTS)


def script_of(seed: int) -> Script:
    """As a fault seed's, without what only a database can suffer."""
    drawn = draw(seed, Shape())
    lines = tuple(line for line in drawn.lines if not (isinstance(line, Fault) and line.kind in SQLITE_ONLY))
    return replace(drawn, lines=lines)


def play(script: Script, stage: Stage) -> World:
    world = World(stage, script)
    expect(world)
    world.boot()
    for line in script.lines:
        act = partial(inflict, world, line) if isinstance(line, Fault) else partial(world.say, line)
        world.engine.at(line.at, act)
    world.engine.run(script.seconds)
    world.heal()
    world.engine.run(script.seconds + HEALED_SECONDS)
    return world


def conversations_of(world: World) -> list[list[tuple[str, int, MessageState, int | None]]]:
    found = []
    for person in world.people:
        with person.disk.look() as tx:
            found.append([(row.text, row.height, row.state, row.change) for row in tx.messages.find()])
        person.die()
    for relay in world.relays:
        relay.die()
    return found


def test_a_script_leaves_the_same_trace_on_dicts_as_on_sqlite() -> None:
    struck: Counter[FaultKind] = Counter()
    for seed in range(6):
        script = script_of(seed)
        outcomes = []
        for store in ("sqlite", "dict"):
            stage = Stage(script.people, script.relays, script.contacts, script.real_crypto, store=store)
            world = play(script, stage)
            struck.update(world.fired)
            outcomes.append((world.engine.trace(), world.network.frames, dict(world.fired), conversations_of(world)))
        assert outcomes[0] == outcomes[1], f"seed {seed}"
        assert outcomes[0][1] > 100
    assert any(struck[kind] for kind in CRASHES)
    assert struck[FaultKind.OLD_DISK]


def test_a_disk_of_dicts_refuses_what_only_a_database_can_do() -> None:
    stage = Stage(2, 1, ((0, 1),), real_crypto=False, store="dict")
    with pytest.raises(AssertionError, match="use SQLite"):
        stage.disks[0].fill(2)
    with pytest.raises(AssertionError, match="use SQLite"):
        stage.disks[-1].contents()
