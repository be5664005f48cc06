"""A study on real machines whose links follow a preset: what its wires show is the preset's."""

from typing import get_args

import numpy as np
import pytest

from protocol.limits import SLOT_BYTES
from simulations import steady
from simulations.measures import Seen, measure
from simulations.recording import NO_LINK, Sight
from simulations.study import Adversary, Kind, Measure, Observer, Policy, Study, Topology, Workload


def hour(kind: Kind, texts_per_day: float) -> Seen:
    study = Study(
        "test", Topology(people=6, contacts=2), Workload(texts_per_day=texts_per_day, hours=1.0), policy=Policy(kind)
    )
    run, _ = steady.carry_out(study, 1)
    assert np.isfinite(run.delays).all()
    return run


@pytest.mark.parametrize("kind", ["constant", "constant-4"])
def test_constant_links_show_the_same_frames_whether_or_not_anybody_writes(kind: Kind) -> None:
    silent, busy = hour(kind, 0.0), hour(kind, 400.0)
    frames = [run.watched.seen.global_observer().between(0.0, 3_600.0) for run in (silent, busy)]
    assert len(busy.delays) > 30
    assert not len(silent.delays)
    assert (frames[0].length == SLOT_BYTES).all()
    for one, other in zip(*frames, strict=True):
        assert np.array_equal(one, other)


def test_batched_links_show_that_somebody_writes() -> None:
    """The comparison above can fail."""
    silent, busy = hour("batched", 0.0), hour("batched", 400.0)
    assert silent.watched.seen.global_observer().rows < busy.watched.seen.global_observer().rows


def test_texts_wait_as_long_as_their_preset_makes_them() -> None:
    direct, batched, constant = (np.median(hour(kind, 400.0).delays) for kind in ("direct", "batched", "constant"))
    assert direct < 1.0 < batched < constant


def test_of_a_day_on_which_nobody_writes_there_is_a_price_and_nothing_to_find() -> None:
    study = Study(
        "test", Topology(people=6, contacts=2), Workload(texts_per_day=0.0, hours=1.0),
        adversary=Adversary(get_args(Observer), get_args(Measure)),
    )  # fmt: skip
    run, _ = steady.carry_out(study, 1)
    assert {figure.measure for figure in measure(study, run, 1)} == {"cost"}


@pytest.mark.parametrize("forward", [False, True])
def test_the_relay_of_a_queue_sees_the_writers_link_unless_an_entry_is_between(forward: bool) -> None:
    study = Study(
        "test", Topology(people=6, relays=3, contacts=2), Workload(texts_per_day=400.0, hours=1.0),
        policy=Policy("direct", forward=forward),
    )  # fmt: skip
    run, _ = steady.carry_out(study, 1)
    assert np.isfinite(run.delays).all()
    deposits = run.watched.seen.times(True, Sight.DEPOSIT)
    assert deposits.rows >= len(run.lengths) > 30
    assert (deposits.queue >= 0).all(), "direct links have no loops"
    assert set((deposits.source < run.watched.people).tolist()) == {not forward}
    assert set((deposits.link == NO_LINK).tolist()) == {forward}
