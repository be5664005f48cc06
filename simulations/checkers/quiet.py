"""In a world that is whole and in which nobody writes, links stay open and hosts come to rest (Spec 7 §4)."""

from collections.abc import Iterator

from simulations.checkers import Violation
from simulations.network import End
from simulations.world import World

_GONE_WITHOUT_A_WORD_SECONDS = 80.0
"""After healing, connections that broke before may still be found out by their silence: 2.5 keep-alives."""
_SECONDS = 80.0
_MOST_ACTIONS = 2_000
"""Keep-alives, their timers and housekeeping are some 200, with a relay gone for good some 450."""


def quiet(world: World, healed: float) -> Iterator[float]:
    """Times until which nothing is done to a world that is whole since `healed`. Raises Violation."""
    engine = world.engine
    yield max(engine.time, healed + _GONE_WITHOUT_A_WORD_SECONDS)
    silent: list[End] = []
    world.network.silenced = silent.append
    actions = engine.actions
    yield engine.time + _SECONDS
    if silent:
        raise Violation("quiet", f"{silent[0].host.name} heard nothing on a link that was whole")
    if engine.actions - actions > _MOST_ACTIONS:
        raise Violation("quiet", f"hosts that have nothing to do did {engine.actions - actions} things")
