"""A slice of `python -m simulations.disk`: what was acknowledged survives, and the comparison would notice if not."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.errors import CallerError
from simulations.disk.__main__ import main
from simulations.disk.fault import KEY, Outcome, Setting, Tally
from simulations.disk.kinds import KINDS, is_kept, run_kind
from simulations.disk.library import Flavour, library
from simulations.disk.promises import Accepted, Broken, Promises, Queued, Reached, Sealed
from simulations.disk.recording import record
from simulations.disk.refuse import Refusal, Trial
from simulations.disk.world import Habits

FLAVOURS: tuple[Flavour, ...] = ("sqlite3", "sqlcipher3")


@pytest.fixture(autouse=True)
def reachable() -> Iterator[None]:
    """Both libraries can be reached; what goes wrong on purpose is not logged."""
    try:
        for flavour in FLAVOURS:
            library(flavour)
    except CallerError as error:
        pytest.skip(str(error))
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize(
    ("name", "seeds"),
    [("crash", 2), ("kill", 2), ("kill-by-clock", 2), ("cut", 2), ("rot", 2), ("refuse", 8), ("dropped-sync", 2)],
)
def test_every_promise_is_kept_or_its_breach_is_found(name: str, seeds: int) -> None:
    tally = run_kind(KINDS[name], range(seeds))
    assert tally.failures == []
    assert tally.faults >= seeds - 2
    assert is_kept(KINDS[name], tally)


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_store_that_never_syncs_is_found_out(tmp_path: Path, encrypted: bool) -> None:
    tally = Tally()
    tally.add(2, KINDS["never-synced"].strike(Setting(2, tmp_path, encrypted)))
    assert tally.found > 0


def test_what_a_failed_sync_gave_up_is_not_built_upon(tmp_path: Path) -> None:
    fired = 0
    for seed in range(40):
        directory = tmp_path / str(seed)
        directory.mkdir()
        trial = Trial(Setting(seed, directory, encrypted=False))
        if trial.refusal is Refusal.SYNC_ERROR:
            assert trial.run() > 0
            fired += trial.disk.fired
    assert fired >= 3


def test_the_same_seed_does_the_same_to_the_same_places(tmp_path: Path) -> None:
    shapes = []
    for number in range(2):
        directory = tmp_path / str(number)
        directory.mkdir()
        recording = record(Setting(5, tmp_path, encrypted=True), directory, Habits(KEY), 10)
        shapes.append(
            [
                (type(one).__name__, getattr(one, "offset", 0), len(getattr(one, "data", b"")))
                for one in recording.operations
            ]
        )
    assert shapes[0] == shapes[1]


def test_promises_notice_what_is_lost_doubled_taken_back_or_sealed_twice() -> None:
    promises = Promises([Queued("alice", "one"), Reached("alice", "one", 3), Accepted(b"d" * 32)])
    assert promises.check_mailbox("alice", [("one", True, 3)], contacts=1) > 0
    for rows in ([], [("one", True, 3)] * 2, [("one", True, 2)], [("one", False, 4)]):
        with pytest.raises(Broken):
            promises.check_mailbox("alice", rows, contacts=1)
    with pytest.raises(Broken, match="the peer lacks it"):
        promises.check_delivered("alice", set())
    with pytest.raises(Broken, match="forgot its digest"):
        promises.check_relay([], set())
    with pytest.raises(Broken, match="it is gone"):
        promises.check_relay([], {b"d" * 16})
    promises.note(Sealed(b"k", b"t"))
    promises.note(Sealed(b"k", b"t"))
    with pytest.raises(Broken, match="sealed two payloads"):
        promises.note(Sealed(b"k", b"u"))


def test_the_command_says_what_was_run_and_ends_with_1_for_a_failure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["--runs", "1", "--kind", "cut"]) == 0
    assert "| cut  |     1 |" in capsys.readouterr().out
    failing = KINDS["cut"].__class__(lambda _: [Outcome(1, failure="a text is gone")], "a failing kind")
    monkeypatch.setitem(KINDS, "cut", failing)
    assert main(["--runs", "1", "--seed", "7", "--kind", "cut"]) == 1
    assert "a text is gone. Again: `python -m simulations.disk --kind cut --runs 1 --seed 7`" in capsys.readouterr().out
