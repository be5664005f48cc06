"""In a world that is whole texts arrive in seconds, links stay open, and hosts come to rest (Spec 7 §4)."""

from collections import Counter
from collections.abc import Iterator

from protocol.errors import Code
from simulations.checkers import Violation
from simulations.checkers.delivery import all_delivered
from simulations.network import End
from simulations.world import World

GONE_WITHOUT_A_WORD_SECONDS = 80.0
"""After healing, connections that broke before may still be found out by their silence: 2.5 keep-alives."""
PROMPT_SECONDS = 30.0
"""For a text of ten envelopes and its receipt; a tenth of it is what most take."""
_QUIET_SECONDS = 80.0
_MOST_ACTIONS = 2_000
"""Keep-alives, their timers and housekeeping are some 200, with a relay gone for good some 450."""


def check_prompt(world: World, accused: Counter[Code]) -> None:
    """All has arrived and nobody was hung up on since `accused` was counted. Raises Violation."""
    if not all_delivered(world):
        raise Violation("quiet", f"in a world that is whole a text was not delivered within {PROMPT_SECONDS:g} s")
    since = world.network.accused - accused
    if since:
        codes = ", ".join(sorted(code.name for code in since))
        raise Violation("quiet", f"in a world that is whole connections were ended for {codes}")


def quiet(world: World) -> Iterator[float]:
    """Times until which nothing is done to a world that is whole. Raises Violation."""
    engine = world.engine
    silent: list[End] = []
    world.network.silenced = silent.append
    actions = engine.actions
    yield engine.time + _QUIET_SECONDS
    if silent:
        raise Violation("quiet", f"{silent[0].host.name} heard nothing on a link that was whole")
    if engine.actions - actions > _MOST_ACTIONS:
        raise Violation("quiet", f"hosts that have nothing to do did {engine.actions - actions} things")
