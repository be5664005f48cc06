"""The receipt attack on the model, which has the weeks that it takes, against the same on real nodes and relays."""

import pytest

from protocol.wire.commands import Preset
from simulations import modelled, steady
from simulations.measures import Seen, measure
from simulations.privacy import measuring
from simulations.privacy.plans import Extent
from simulations.statistics import LEAST_RUNS, Interval, student_interval
from simulations.study import Study

FOUND = "found after 20 texts"


def study(lively: bool) -> Study:
    return measuring.study_of(
        Preset.CONSTANT, Extent(12, 6.0, 200.0, 2), ("receipts",), ("relay", "colluding relays"), lively
    )  # fmt: skip


STUDY = study(lively=True)
NOBODY_ANSWERS = study(lively=False)


def found(runs: list[Seen], observer: str, study: Study = STUDY) -> Interval:
    rows = [figure for seed, run in enumerate(runs) for figure in measure(study, run, seed)]
    return student_interval([row.value for row in rows if (row.observer, row.figure) == (observer, FOUND)])


@pytest.mark.slow
def test_relays_that_collude_name_correspondents_of_constant_links_in_the_model_as_on_real_nodes() -> None:
    machines = [steady.carry_out(STUDY, seed, 600.0)[0] for seed in range(LEAST_RUNS)]
    model = [modelled.carry_out(STUDY, seed) for seed in range(LEAST_RUNS)]
    colluding = [found(runs, "colluding relays") for runs in (machines, model)]
    assert colluding[0].overlaps(colluding[1])
    assert min(interval.mean for interval in colluding) > 0.5
    assert max(found(runs, "relay").mean for runs in (machines, model)) < 0.3


@pytest.mark.slow
def test_receipts_alone_name_nobody_where_ticks_do_not_end_in_the_model_as_on_real_nodes() -> None:
    machines = [steady.carry_out(NOBODY_ANSWERS, seed, 600.0)[0] for seed in range(LEAST_RUNS)]
    model = [modelled.carry_out(NOBODY_ANSWERS, seed) for seed in range(LEAST_RUNS)]
    for observer in ("relay", "colluding relays"):
        pair = [found(runs, observer, NOBODY_ANSWERS) for runs in (machines, model)]
        assert pair[0].overlaps(pair[1])
        assert max(interval.mean for interval in pair) < 0.15
