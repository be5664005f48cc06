"""The engine is faithful: whole nodes on a deterministic trio, given the same script, give the same delivery log."""

import json
import os
import subprocess
import sys

import pytest
from msgspec.structs import replace

from simulations.faithful import trial as faithful
from simulations.faithful.compare import CLOSE_SECONDS, run_both, script_of
from simulations.log import Entry, Log, compare
from simulations.script import Fault, FaultKind, Shape, draw

SMALL = Shape(people=4, contacts=4, messages=16, least_faults=6, most_faults=9, seconds=60.0)
_RUNS = """
import json, logging
from msgspec import to_builtins
from simulations.faithful.compare import script_of
from simulations.faithful.trial import carry_out
from simulations.log import Recorder
from tests.simulations.faithful.test_tiers import SMALL
logging.disable(logging.WARNING)
results = []
for seed in range(3):
    recorders = []
    outcome = carry_out(script_of(seed, SMALL, faults=True), lambda world: recorders.append(Recorder(world)))
    views = recorders[0].log().views
    results.append([to_builtins(outcome), [[name, to_builtins(view)] for name, view in sorted(views.items())]])
print(json.dumps(results))
"""


@pytest.mark.parametrize("faults", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_both_tiers_give_one_log(seed: int, faults: bool) -> None:
    both = run_both(script_of(seed, SMALL, faults=faults))
    assert both.differences == ()
    assert both.comparison.messages >= 2 * 16
    assert bool(both.nodes.fired) is faults


@pytest.mark.parametrize("seed", [1_025, 1_058, 1_086, 2_092])
def test_what_the_tiers_once_disagreed_on(seed: int) -> None:
    """1,025: the engine lost the first timer of a life after a crash. 1,058: a wish in the moment in
    which a step ends. 1,086: two connections that end in one step. 2,092: a frame in the moment of healing."""
    assert run_both(script_of(seed, Shape(), faults=True)).differences == ()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 400))
def test_both_tiers_give_one_log_in_worlds_of_full_size(seed: int) -> None:
    assert run_both(script_of(seed, Shape(), faults=True)).differences == ()


def test_both_tiers_give_one_log_with_real_crypto() -> None:
    assert run_both(script_of(1, SMALL, faults=True, real_crypto=True)).differences == ()


@pytest.mark.parametrize("kind", sorted(set(FaultKind) - faithful.NOT_HERE))
def test_each_kind_of_fault_strikes_both_tiers_alike(kind: FaultKind) -> None:
    for seed in range(12):
        script = draw(seed, replace(SMALL, least_faults=100, most_faults=100))
        lines = [line for line in script.lines if not isinstance(line, Fault) or line.kind is kind]
        both = run_both(replace(script, lines=tuple(lines), reserve=()))
        assert both.differences == ()
        if both.nodes.fired:
            return
    pytest.fail("it never struck")


def test_a_script_with_faults_that_whole_nodes_cannot_be_given_is_refused_by_name() -> None:
    script = draw(0, SMALL)
    faults = Fault(1.0, FaultKind.FORGED, 0, 1), Fault(2.0, FaultKind.CLOCK_SKEW, 0)
    refused = replace(script, lines=faults, reserve=())
    with pytest.raises(faithful.NotHereError, match="clock skew, contact forges"):
        faithful.carry_out(refused)


def test_whole_nodes_take_one_course_in_every_process_under_every_hash_seed() -> None:
    printed = []
    for hash_seed in ("0", "1", "4242"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        done = subprocess.run([sys.executable, "-c", _RUNS], env=environment, capture_output=True, check=True)
        printed.append(json.loads(done.stdout))
    assert printed[0] == printed[1] == printed[2]
    assert len({outcome["trace"] for outcome, _ in printed[0]}) == 3


# The comparison itself

ONE = Entry(1, 0, 1, ((1, 1.0), (2, 1.1), (3, 2.0)))  # type: ignore[arg-type]  # what a state's number is compared as
TWO = Entry(2, 1, 2, ((3, 5.0),))  # type: ignore[arg-type]


def logs_differ(*shown: Entry) -> str:
    return " ".join(compare(Log({(0, 1): (ONE, TWO)}), Log({(0, 1): shown}), CLOSE_SECONDS).differences)


def test_a_comparison_notices_what_is_missing_doubled_late_or_elsewhere() -> None:
    assert logs_differ(ONE, TWO) == ""
    assert "only one log has the texts [2]" in logs_differ(ONE)
    assert "shown twice" in logs_differ(ONE, TWO, TWO)
    assert "two authors" in logs_differ(ONE, replace(TWO, author=0))
    assert "1.000 s apart" in logs_differ(ONE, replace(TWO, states=((TWO.states[0][0], 6.0),)))
    assert "other way round" in logs_differ(TWO, ONE)
    assert "heights differ" in logs_differ(ONE, replace(TWO, height=3))
    assert "only one log has the conversations" in " ".join(
        compare(Log({(0, 1): (ONE,)}), Log({}), CLOSE_SECONDS).differences
    )


def test_a_race_may_come_in_either_order_and_is_counted() -> None:
    close = Log({(0, 1): (ONE, replace(TWO, states=((TWO.states[0][0], 1.02),)))})
    turned = Log({(0, 1): tuple(reversed(close.views[0, 1]))})
    compared = compare(close, turned, CLOSE_SECONDS)
    assert compared.differences == ()
    assert compared.races == 1
