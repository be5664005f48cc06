"""Real nodes and relays whose links follow a preset: what their wires show, and that everything arrives."""

from collections import defaultdict
from functools import partial

import pytest
from msgspec.structs import replace

from protocol.mailbox import MessageState
from protocol.traffic.policies import TRAVEL_SECONDS
from protocol.wire.commands import Preset
from simulations.network import End
from simulations.script import Say, Script
from simulations.world import SCALED, Stage, World

PEOPLE, RELAYS, PAIRS = 3, 2, ((0, 1), (1, 2))
SLOT_BYTES = 4_096
Wires = dict[tuple[int, int], list[tuple[float, int]]]


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage(PEOPLE, RELAYS, PAIRS, False, store="dict")


def play(stage: Stage, preset: Preset, lines: list[Say], seconds: float) -> tuple[World, Wires]:
    """Who follows the preset, and of each direction of each link the seconds and bytes of its messages."""
    timing = replace(
        SCALED, travel_seconds=TRAVEL_SECONDS[preset], keep_alive_seconds=300.0, receipt_mean_seconds=20.0
    )  # fmt: skip
    world = World(stage, Script(7, PEOPLE, RELAYS, PAIRS, ()), timing=timing)
    wires: Wires = defaultdict(list)

    def hear(end: End, frame: bytes) -> None:
        assert end.peer is not None
        wires[end.host.index, end.peer.host.index].append((world.engine.time, len(frame)))

    world.network.observer = hear
    for person in world.people:
        person.preset = preset
    world.boot()
    for line in lines:
        world.engine.at(line.at, partial(world.say, line))
    world.engine.run(seconds)
    return world, wires


def delivered(world: World) -> list[str]:
    found = []
    for person in world.people:
        with person.disk.look() as tx:
            found += [row.text for row in tx.messages.find() if row.state is MessageState.DELIVERED]
    return found


def end(world: World) -> None:
    for host in world.hosts:
        host.die()


def texts(start: float, gap: float, count: int, size: int) -> list[Say]:
    ways = [(one, other) for pair in PAIRS for one, other in (pair, pair[::-1])]
    return [Say(start + gap * number, number, *ways[number % len(ways)], size) for number in range(count)]


@pytest.mark.parametrize(
    ("preset", "seconds"), [(Preset.BATCHED, 1_000.0), (Preset.CONSTANT, 6_000.0), (Preset.CONSTANT_16, 1_000.0)]
)
def test_texts_short_and_long_are_delivered(stage: Stage, preset: Preset, seconds: float) -> None:
    lines = [*texts(50.0, 10.0, 12, 100), Say(400.0, 99, 0, 1, 20_000)]
    world, _ = play(stage, preset, lines, seconds)
    assert len(delivered(world)) == len(lines)
    assert not world.network.accused
    end(world)


def test_a_constant_world_shows_the_same_whatever_is_said_in_it(stage: Stage) -> None:
    preset = Preset.CONSTANT_16
    silent, without = play(stage, preset, [], 1_500.0)
    end(silent)
    world, wires = play(stage, preset, [*texts(30.0, 5.0, 40, 100), Say(300.0, 99, 0, 1, 60_000)], 1_500.0)
    assert len(delivered(world)) == 41
    assert wires.keys() == without.keys()
    for link in wires:
        assert [size for _, size in wires[link]] == [SLOT_BYTES] * len(without[link])
        assert wires[link] == without[link], link
    end(world)


def test_a_direct_world_shows_what_is_said_in_it(stage: Stage) -> None:
    """The comparison above can fail."""
    silent, without = play(stage, Preset.DIRECT, [], 500.0)
    end(silent)
    world, wires = play(stage, Preset.DIRECT, texts(30.0, 5.0, 10, 100), 500.0)
    assert wires != without
    end(world)
