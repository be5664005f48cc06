"""Worlds of the real machines under faults: they hold, they repeat to the byte, and what breaks in them is noticed."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from simulations.determinism import differences, traces
from simulations.script import Fault, FaultKind, Shape, decode, draw
from simulations.shrink import shrink
from simulations.trial import carry_out

FOUND = sorted((Path(__file__).parent / "found").glob("*.json"))


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_a_world_once_broke_holds(path: Path) -> None:
    assert carry_out(decode(path.read_bytes())).violation == ""


@pytest.mark.parametrize("seed", range(24))
def test_every_promise_holds_in_worlds_full_of_faults(seed: int) -> None:
    outcome = carry_out(draw(seed, Shape()))
    assert outcome.violation == ""
    assert outcome.accepted >= 50
    assert outcome.shown >= 2 * outcome.accepted


@pytest.mark.parametrize("seed", range(4))
def test_real_and_toy_crypto_give_the_same_trace(seed: int) -> None:
    toy, real = (carry_out(draw(seed, Shape(), real_crypto=real)) for real in (False, True))
    assert (real.violation, real.trace) == ("", toy.trace)


def test_a_seed_gives_one_trace_in_every_process_under_every_hash_seed() -> None:
    assert differences(range(6), processes=1) == []
    assert len({trace for _, trace in traces(range(6), "7", processes=2)}) == 6


def test_faults_of_every_kind_strike() -> None:
    """Each world by itself: one kind, several times."""
    for kind in FaultKind:
        struck = 0
        for seed in range(12):
            script = draw(seed, Shape(most_faults=10))
            lines = [line for line in script.lines if not isinstance(line, Fault) or line.kind is kind]
            more = [line for other in range(200, 260) for line in draw(other, Shape()).lines]
            lines += [line for line in more if isinstance(line, Fault) and line.kind is kind][
                : 4 if kind is not FaultKind.GONE else 1
            ]
            lines.sort(key=lambda line: line.at)
            outcome = carry_out(replace(script, lines=tuple(lines)))
            assert outcome.violation == "", (kind, seed)
            struck += outcome.fired.get(kind.value, 0)
            if struck:
                break
        assert struck, kind


def test_a_world_in_which_a_promise_cannot_be_kept_is_noticed_and_shrunk_to_what_broke_it() -> None:
    """Both relays gone for good: what is outside of the promise is also outside of what the checkers let pass."""
    script = draw(5, Shape(messages=10, least_faults=2, most_faults=3))
    first, second = script.people, script.people + 1
    gone = (Fault(60.0, FaultKind.GONE, first), Fault(61.0, FaultKind.GONE, second))
    lines = sorted((*script.lines, *gone), key=lambda line: line.at)
    short = shrink(replace(script, lines=tuple(lines)))
    assert short.found[0].startswith("delivery: ")
    assert set(gone) <= set(short.lines)
    assert len(short.lines) <= 4


def test_a_script_is_read_back_as_it_was_written() -> None:
    script = draw(7, Shape())
    assert decode(script.encode()) == script
    assert len(script.encode().splitlines()) == len(script.lines) + 2


def test_what_earlier_worlds_left_on_a_disk_does_not_decide_what_fits() -> None:
    seed = 1_004  # a disk fills up in it
    first = carry_out(draw(seed, Shape())).trace
    for other in range(seed + 8, seed + 48, 8):  # on the same disks
        carry_out(draw(other, Shape()))
    assert carry_out(draw(seed, Shape())).trace == first
