"""Nobody is accused who did nothing: links and machines hang up on what a fault did, and on nothing else.

A connection that is ended is opened again and what was asked is asked again, so a false accusation shows as delay only.
"""

from collections.abc import Mapping
from types import MappingProxyType

from protocol.errors import Code
from simulations.checkers import Violation
from simulations.script import FaultKind
from simulations.world import World

_NEVER_FALSE = frozenset((Code.SILENT, Code.UNAVAILABLE, Code.REPLACED, Code.INTERNAL))
"""Said of oneself, or of a peer that may be slow for any reason."""
_CAUSES: Mapping[Code, tuple[FaultKind, ...]] = MappingProxyType(
    {
        Code.NOISE: (
            FaultKind.DUPLICATED_FRAME,
            FaultKind.CORRUPTED_FRAME,
            FaultKind.REORDERED_FRAMES,
            FaultKind.LOST_FRAME,  # the next one may come before the reset
        ),
        Code.CUSTODY: (FaultKind.FORGED_CUSTODY,),
        Code.MALFORMED: (FaultKind.BROKEN_OFF,),
    }
)


def check_blame(world: World) -> None:
    """At the end. Raises Violation."""
    for code, times in world.network.accused.items():
        guilty = sum(world.fired[kind] for kind in _CAUSES.get(code, ()))
        if code not in _NEVER_FALSE and times > guilty:
            text = f"{times} connections were ended for {code.name}, {guilty} of them with a cause"
            raise Violation("blame", text)
