"""In a world that is whole texts arrive in seconds, links stay open, and hosts come to rest (Spec 7 §4)."""

from collections import Counter
from collections.abc import Iterator

from protocol.errors import Code
from simulations.checkers import Violation
from simulations.checkers.delivery import all_delivered
from simulations.network import End
from simulations.world import World

GONE_WITHOUT_A_WORD_SECONDS = 80.0
"""After what was on its way, connections that broke before may still be found out by their silence: 2.5 keep-alives."""
PROMPT_SECONDS = 30.0
"""For a text of ten envelopes and its receipt; a tenth of it is what most take. Twice as long where relays mix."""
_QUIET_SECONDS = 80.0
_MOST_ACTIONS = 2_000
"""Keep-alives, their timers and housekeeping are some 200, with a relay gone for good some 450."""
_MORE_ACTIONS = 500
"""For each relay that forwards: what it still mixes at first, and every second a tick while a relay is looked for."""


def prompt_seconds(world: World) -> float:
    """How long a text may take in a world that is whole."""
    return PROMPT_SECONDS * (2.0 if any(relay.forward for relay in world.relays) else 1.0)


def check_prompt(world: World, accused: Counter[Code]) -> None:
    """All has arrived and nobody was hung up on since `accused` was counted. Raises Violation."""
    if not all_delivered(world):
        raise Violation(
            "quiet", f"in a world that is whole a text was not delivered within {prompt_seconds(world):g} s"
        )
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
    most = _MOST_ACTIONS + _MORE_ACTIONS * sum(relay.forward for relay in world.relays)
    if engine.actions - actions > most:
        raise Violation("quiet", f"hosts that have nothing to do did {engine.actions - actions} things")
