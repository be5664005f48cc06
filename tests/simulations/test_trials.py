"""Worlds of the real machines under faults: they hold, they repeat to the byte, and what breaks in them is noticed."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from protocol.delivery import outbox
from protocol.mailbox import ContactState
from simulations.checkers.conversations import one_sided
from simulations.script import Fault, FaultKind, Script, Shape, decode, draw, draw_contacts
from simulations.shrink import shrink
from simulations.trial import carry_out
from simulations.world import World

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


def _joining_while_relays_withhold(*envelopes: float) -> Script:
    """Two people are given one invitation, and each relay throws away so many of the first envelopes."""
    script = Script(1, 7, 2, draw_contacts(1, Shape()), ())
    cheats = [Fault(9.9, FaultKind.WITHHOLD, script.people + at, 0, 0.0, many) for at, many in enumerate(envelopes)]
    return replace(script, lines=(*cheats, Fault(10.0, FaultKind.CLAIMED_TWICE, 3, 0, 0.0, 1.0)))


def test_a_relay_that_throws_away_other_things_excuses_no_lost_handshake(monkeypatch: pytest.MonkeyPatch) -> None:
    script = _joining_while_relays_withhold(2, 2)
    assert carry_out(script).violation == ""
    monkeypatch.setattr(outbox, "repeat_handshakes", lambda step: None)
    assert "still waits for" in carry_out(script).violation


def test_whose_handshake_every_relay_threw_away_may_wait() -> None:
    """Each keeps its digest, so that what is sent again is taken for a repetition."""
    worlds: list[World] = []
    outcome = carry_out(replace(_joining_while_relays_withhold(400, 400), seconds=200.0), worlds.append)
    assert outcome.violation == ""
    (alone,) = [side for side in one_sided(worlds[0]) if side.contact.state is ContactState.WAITING]
    assert alone.person.index in (0, 1)


def test_early_texts_that_a_relay_threw_away_are_sent_again_once_both_have_written() -> None:
    outcome = carry_out(_joining_while_relays_withhold(400, 400))
    assert outcome.violation == ""
    assert outcome.fired["relay withholds"] >= 6


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
