"""A script carried out by whole nodes; the course of a trial is the engine's, and only the time passes differently."""

from collections.abc import Callable
from functools import partial

import trio

from simulations.checkers import Violation
from simulations.checkers.keys import watched_suite
from simulations.faithful.agenda import Agenda
from simulations.faithful.deterministic import run
from simulations.faithful.host import WholePerson, WholeRelay
from simulations.script import Fault, FaultKind, Script
from simulations.trial import Outcome, Trial, stage
from simulations.world import Stage, World

NOT_HERE = frozenset((
    FaultKind.CLOCK_SKEW,  # all nodes share trio's clock
    FaultKind.WITHHOLD, FaultKind.REPLAY, FaultKind.REORDER, FaultKind.LIE_STORED, FaultKind.LATE, FaultKind.REFUSE,
    FaultKind.MALFORMED, FaultKind.HUGE, FaultKind.REPLAYED, FaultKind.FORGED,
    FaultKind.FORGED_CUSTODY, FaultKind.TRESPASSED, FaultKind.BROKEN_OFF,
))  # fmt: skip
"""Cheats and attacks speak in a node's name, between its machine and its links: a whole node leaves no place there."""


class NotHereError(ValueError):
    """A script asks for faults that whole nodes cannot be given."""


def carry_out(
    script: Script, observe: Callable[[World], object] = lambda world: None, schedule: int | None = 0
) -> Outcome:
    """As `simulations.trial.carry_out`, by whole nodes. Raises NotHereError.

    `schedule` numbers the orders in which tasks may run that are ready at once; None: as they were made.
    """
    asked = sorted({line.kind for line in script.lines if isinstance(line, Fault) and line.kind in NOT_HERE})
    if asked:
        raise NotHereError(f"Whole nodes cannot be given these faults: {', '.join(asked)}. Leave them out.")
    begun = stage(script.people, script.relays, script.contacts, script.real_crypto)
    return run(partial(_carry_out, begun, script, observe), None if schedule is None else f"{script.seed} {schedule}")


async def _carry_out(begun: Stage, script: Script, observe: Callable[[World], object]) -> Outcome:
    suite = watched_suite(script.real_crypto)
    async with trio.open_nursery() as nursery:
        agenda = Agenda(nursery)
        world = World(begun, script, engine=agenda, person=WholePerson, relay=WholeRelay, suite=suite)
        trial = Trial(world)
        observe(world)
        nursery.start_soon(agenda.keep)
        try:
            for until in trial.course():
                await agenda.pass_until(until)
        except Violation as error:
            trial.violation = str(error)
        finally:
            for host in world.hosts:
                host.die()
        nursery.cancel_scope.cancel()
    return trial.outcome()
