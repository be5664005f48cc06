"""Real relays and nodes, over real sockets and in real time, give the engine's delivery log too."""

from pathlib import Path

import pytest

from simulations import trial
from simulations.faithful import loopback
from simulations.faithful.compare import logged, plain_script_of, script_of
from simulations.faithful.trial import NotHereError
from simulations.log import compare
from simulations.script import Say, Shape

SHAPE = Shape(people=4, contacts=4, messages=14, least_faults=60, most_faults=60, seconds=20.0)
CLOSE_SECONDS = 3.0
"""Virtual; less apart, either may come first: 0.75 s of a machine that is busy with other tests."""


async def check(seed: int, restarts: int, place: Path) -> None:
    """One script on both, and its logs side by side; the last words that the engine adds are its own."""
    script = plain_script_of(seed, SHAPE, restarts)
    sockets = await loopback.carry_out(script, place)
    outcome, engine = logged(trial.carry_out, script)
    texts = {line.number for line in script.lines if isinstance(line, Say)}
    compared = compare(engine.only(texts), sockets.only(texts), CLOSE_SECONDS, timed=False)
    assert outcome.violation == ""
    assert bool(outcome.fired) is bool(restarts)
    assert compared.differences == ()
    assert compared.messages == 2 * len(texts)


@pytest.mark.slow  # in real time: on a busy machine ties fall otherwise
@pytest.mark.parametrize(("seed", "restarts"), [(1, 0), (6, 3)])
async def test_real_sockets_give_the_engines_log_with_and_without_restarts(
    tmp_path: Path, seed: int, restarts: int
) -> None:
    """In real time: a machine that others kept from running for a second is given another try, and a third."""
    for left in (2, 1, 0):
        try:
            await check(seed, restarts, tmp_path / str(left))
        except AssertionError:
            if not left:
                raise
        else:
            return


async def test_other_faults_than_restarts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotHereError, match="texts and restarts"):
        await loopback.carry_out(script_of(0, SHAPE, faults=True), tmp_path)
