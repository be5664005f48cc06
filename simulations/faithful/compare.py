"""One script on both tiers: the engine's log beside that of whole nodes."""

from collections.abc import Callable
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from simulations import trial
from simulations.faithful import trial as faithful
from simulations.log import Comparison, Log, Recorder, compare
from simulations.script import Fault, FaultKind, Line, Say, Script, Shape, draw
from simulations.trial import Outcome
from simulations.world import World

CLOSE_SECONDS = 0.05
"""How far the tiers' instants may be apart, and what lies less apart may come in either order: two frames' time.

Most scripts give the same instants to the microsecond, the others differ by the delay of a frame or two."""
SCHEDULES = 8
"""So many orders of tasks are tried before two logs are called different.

What is ready in one moment may run in any order: two dials that time out together, say, whose back-offs are then drawn
the other way round. The engine has one such order, whole nodes have many, and the engine is faithful where its
log is one that whole nodes give too."""


class Both(Struct, frozen=True):
    """What the two tiers made of one script."""

    engine: Outcome
    nodes: Outcome
    comparison: Comparison
    schedules: int
    """How many orders of tasks were tried."""

    @property
    def differences(self) -> tuple[str, ...]:
        """Sentences; none where the tiers agree."""
        found = [
            f"{tier}: {outcome.violation}"
            for tier, outcome in (("the engine", self.engine), ("whole nodes", self.nodes))
            if outcome.violation
        ]
        if self.engine.fired != self.nodes.fired:
            found.append(f"faults struck {self.engine.fired}, or {self.nodes.fired}")
        return (*found, *self.comparison.differences)


def script_of(seed: int, shape: Shape, *, faults: bool, real_crypto: bool = False) -> Script:
    """As drawn, without the faults that whole nodes cannot be given; without any where `faults` is False."""
    drawn = draw(seed, shape, real_crypto=real_crypto)
    lines = (
        line for line in drawn.lines if not isinstance(line, Fault) or (faults and line.kind not in faithful.NOT_HERE)
    )
    return replace(drawn, lines=tuple(lines), reserve=())


def plain_script_of(seed: int, shape: Shape, restarts: int) -> Script:
    """As drawn, without any fault but so many restarts: for real sockets."""
    drawn = draw(seed, shape)
    texts = [line for line in drawn.lines if isinstance(line, Say)]
    struck = [line for line in drawn.lines if isinstance(line, Fault) and line.kind is FaultKind.RESTART]
    lines: list[Line] = [*texts, *struck[:restarts]]
    lines.sort(key=lambda line: line.at)
    return replace(drawn, lines=tuple(lines), reserve=())


def run_both(script: Script, schedules: int = SCHEDULES) -> Both:
    """In this process. Where no order of tasks gives the engine's log, the first one's is shown."""
    engine, first = logged(trial.carry_out, script)
    orders = (0, None, *range(1, schedules - 1))
    tried: list[Both] = []
    for schedule in orders[:schedules]:
        nodes, second = logged(partial(faithful.carry_out, schedule=schedule), script)
        both = Both(engine, nodes, compare(first, second, CLOSE_SECONDS), len(tried) + 1)
        if not both.differences:
            return both
        tried.append(both)
    return tried[0]


def logged(carry_out: Callable[[Script, Callable[[World], object]], Outcome], script: Script) -> tuple[Outcome, Log]:
    """What a tier made of a script, and the log."""
    recorders: list[Recorder] = []
    outcome = carry_out(script, lambda world: recorders.append(Recorder(world)))
    return outcome, recorders[0].log()
