"""An observer is a choice of rows."""

from pathlib import Path

import numpy as np

from simulations.observation import Observations, from_recorder, join, load
from simulations.recording import Recorder, Sight

ALICE, BOB, RELAY, OTHER = 0, 1, 10, 11


def a_world() -> Observations:
    recorder = Recorder()
    recorder.frame(3.0, 1, RELAY, ALICE, 4_096, False)
    recorder.frame(1.0, 1, ALICE, RELAY, 4_096, True)
    recorder.command(1.0, 1, ALICE, RELAY, 3_939, True, Sight.DEPOSIT, 5)
    recorder.frame(2.0, 2, BOB, OTHER, 8_192, True)
    return from_recorder(recorder)


def test_rows_are_in_the_order_of_time_and_keep_theirs_within_one() -> None:
    seen = a_world()
    assert seen.time.tolist() == [1.0, 1.0, 2.0, 3.0]
    assert seen.kind.tolist() == [Sight.FRAME, Sight.DEPOSIT, Sight.FRAME, Sight.FRAME]


def test_a_global_observer_sees_wires_and_no_inside() -> None:
    assert a_world().global_observer().length.tolist() == [4_096, 8_192, 4_096]


def test_a_local_observer_sees_the_wires_of_one_host() -> None:
    assert a_world().local_observer(ALICE).time.tolist() == [1.0, 3.0]


def test_a_relay_sees_its_own_wires_and_inside_and_colluding_ones_each_others() -> None:
    seen = a_world()
    assert seen.relays([RELAY]).length.tolist() == [4_096, 3_939, 4_096]
    assert seen.relays([OTHER]).link.tolist() == [2]
    assert seen.relays([RELAY, OTHER]).rows == seen.rows


def test_a_span_begins_with_its_start_and_ends_before_its_stop() -> None:
    assert a_world().between(1.0, 3.0).time.tolist() == [1.0, 1.0, 2.0]


def test_what_was_saved_and_what_was_joined_is_the_same(tmp_path: Path) -> None:
    seen = a_world()
    seen.save(tmp_path / "seen.npz")
    halves = join([seen.between(2.0, 9.0), seen.between(0.0, 2.0)])
    for name in seen._fields:
        column, saved, joined = (getattr(one, name) for one in (seen, load(tmp_path / "seen.npz"), halves))
        assert np.array_equal(column, saved)
        assert np.array_equal(column, joined)
        assert column.dtype == saved.dtype == joined.dtype
