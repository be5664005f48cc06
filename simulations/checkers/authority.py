"""A queue is touched only by who holds its keys; a frame that cannot be read to its end does nothing (Spec 8 §3)."""

from simulations.checkers import Violation
from simulations.world import World


def check_authority(world: World) -> None:
    """At the end. Raises Violation."""
    for person in world.people:
        if person.got_away_with:
            raise Violation("authority", person.got_away_with[0])
        for key, digest in person.broken_off:
            relay = world.relay_of(key)
            if relay is not None and relay.remembers(digest):
                raise Violation("authority", f"{relay.name} stored something of a frame that it could not read")
