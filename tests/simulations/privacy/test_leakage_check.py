"""The check of what presets leak: it holds, and it fails where a shaper or a size betrays something."""

import numpy as np
import pytest

from node.privacy import Estimate
from protocol.traffic.policies import Stream
from protocol.traffic.shaper import ConstantShaper, Turn
from protocol.wire.commands import Preset
from simulations.anchors.mixes import pool_closed
from simulations.population import scenario
from simulations.privacy import measuring
from simulations.privacy.figures import BOUNDS, NAMES, judge
from simulations.privacy.plans import FULL, QUICK, Extent

TALKATIVE = QUICK[Preset.CONSTANT]._replace(busy=Extent(12, 1.0, 400.0, 6), busy_seeds=10)


def verdict() -> dict[str, bool]:
    """Of timing, on real nodes and relays."""
    found = measuring.measure_busy(Preset.CONSTANT, TALKATIVE)
    return {one.bound.figure: one.kept for one in judge({"constant": found}, quick=True)}


@pytest.mark.slow  # as `python -m simulations.privacy --quick`, a step of its own
def test_constant_links_betray_nothing_to_who_times_them() -> None:
    assert verdict() == {"timing_auc_900": True, "timing_auc_3600": True}


def test_a_shaper_that_sends_when_something_waits_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """One frame more for each that would have been cover: rates follow what waits."""
    honest = ConstantShaper.due

    def eager(self: ConstantShaper, now: float, waiting: bool) -> Turn | None:
        return honest(self, now, waiting) or (Turn(Stream.PAYLOAD, 1) if waiting else None)

    monkeypatch.setattr(ConstantShaper, "due", eager)
    assert not verdict()["timing_auc_3600"]


def test_frames_that_grow_with_what_waits_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "first_frames", lambda run: run.lengths // 64)
    plan = QUICK[Preset.CONSTANT]._replace(used=Extent(4, 1.0, 400.0, 2), counts=False)
    found = measuring.measure_used(Preset.CONSTANT, plan)
    assert [one.kept for one in judge({"constant": found}) if one.bound.figure == "size_bits"] == [False]


def test_ticks_that_end_with_a_conversation_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenario, "RECEIPT_GAP_SECONDS", {})
    found = measuring.measure_weeks(Preset.CONSTANT, QUICK[Preset.CONSTANT])
    kept = {one.bound.figure: one.kept for one in judge({"constant": found}, quick=True)}
    assert kept == {"receipts_relay": True, "receipts_colluding": False}


def test_a_figure_beyond_its_bound_is_not_kept_and_one_within_is() -> None:
    for bound in BOUNDS:
        assert bound.figure in NAMES
        for preset in bound.presets:
            for value, kept in ((bound.least, True), (bound.most, True), (bound.most * 1.01, False)):
                (one,) = judge({preset: {bound.figure: Estimate(value, 0.0, 10)}})
                assert one.kept is kept
                assert judge({preset: {bound.figure: Estimate(value, 0.0, 10)}}, quick=True)[0].bound == bound


def test_the_jackknife_of_a_mean_is_students_interval() -> None:
    values = np.random.default_rng(1).normal(size=12)
    mean = measuring.mean(values.tolist())
    jackknife = measuring.jackknife(lambda kept: float(values[kept].mean()), len(values))
    assert jackknife.mean == pytest.approx(mean.mean)
    assert jackknife.half_width == pytest.approx(mean.half_width)


def test_bits_are_those_that_there_are() -> None:
    rng = np.random.default_rng(2)
    secret = [rng.integers(0, 8, 2_000) for _ in range(3)]
    told = [column % 2 for column in secret]
    nothing = [rng.integers(0, 2, 2_000) for _ in range(3)]
    assert measuring.leakage(secret, told, range(3)) == pytest.approx(1.0, abs=0.01)
    assert measuring.leakage(secret, nothing, range(3)) == pytest.approx(0.0, abs=0.002)


def test_every_preset_is_measured_over_ten_seeds_or_more() -> None:
    assert set(FULL) == set(Preset)
    assert all(plan.seeds >= 10 for plans in (FULL, QUICK) for plan in plans.values())


def test_a_pool_that_is_always_full_of_real_onions_is_as_good_to_who_knows_the_dummies() -> None:
    """Eight come each second: no dummy is needed but at the start, and both figures are the closed form's."""
    pool = measuring.Pooled(np.full(4_000, 8), 1)
    closed = pool_closed(8, 16)
    assert pool.bits(pool.everything) == pytest.approx(closed, abs=0.01)
    assert pool.bits(pool.real) == pytest.approx(closed, abs=0.1)


def test_who_knows_the_dummies_names_an_onion_that_is_alone_in_the_pool() -> None:
    came = np.zeros(4_000, dtype=np.int64)
    came[::200] = 1
    pool = measuring.Pooled(came, 1)
    assert pool.bits(pool.everything) > 5.5
    assert pool.bits(pool.real) < 0.1
