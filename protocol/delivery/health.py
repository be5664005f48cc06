"""How relays serve this node: how long connecting takes, and whether what they took custody of arrives (Spec 11 §7).

Of hosts that this node dials anyway; nothing is sent to find out but loops, whose places are there anyway.
"""

from msgspec.structs import replace

from protocol.keys import RelayKey
from protocol.relays.kept import RelayHealth
from protocol.step import Step

_NEWEST = 0.125
"""What the last connection, or loop, counts in a mean."""


def connected(step: Step, relay: RelayKey, seconds: float) -> None:
    """A dial led to a session after so long."""
    row = _row(step, relay)
    mean = seconds if row.sessions == 0 else row.connect_seconds + _NEWEST * (seconds - row.connect_seconds)
    step.tx.relay_health.save(replace(row, connect_seconds=mean, sessions=row.sessions + 1))


def unreachable(step: Step, relay: RelayKey) -> None:
    """A dial led to none."""
    row = _row(step, relay)
    step.tx.relay_health.save(replace(row, failures=row.failures + 1))


def arrived(step: Step, route_id: int, envelopes: int) -> None:
    """So many envelopes in the custody of a route's relay are known to have reached the contact."""
    route = step.tx.routes.get(route_id)
    if route is not None:
        row = _row(step, route.relay)
        step.tx.relay_health.save(replace(row, kept=row.kept + envelopes))


def missed(step: Step, route_id: int) -> None:
    """An envelope in the custody of a route's relay was missed by the contact, long enough after, and goes again."""
    route = step.tx.routes.get(route_id)
    if route is not None:
        row = _row(step, route.relay)
        step.tx.relay_health.save(replace(row, missed=row.missed + 1))


def loop_done(step: Step, relay: RelayKey, *, forwarded: bool) -> None:
    """Of what this node sent to itself through a relay, it brought one on (`forwarded`), or gave one back."""
    row = _row(step, relay)
    step.tx.relay_health.save(_missing(replace(row, loops_returned=row.loops_returned + 1), 0.0, forwarded))


def loop_lost(step: Step, relay: RelayKey, *, forwarded: bool) -> bool:
    """It did not. Whether that is too often now, and was not before."""
    before = _row(step, relay)
    row = _missing(replace(before, loops_lost=before.loops_lost + 1), 1.0, forwarded)
    step.tx.relay_health.save(row)
    return row.drops and not before.drops


def _missing(row: RelayHealth, one: float, forwarded: bool) -> RelayHealth:
    if forwarded:
        return replace(row, missing_forwarded=row.missing_forwarded + _NEWEST * (one - row.missing_forwarded))
    return replace(row, missing_stored=row.missing_stored + _NEWEST * (one - row.missing_stored))


def forget_unused(step: Step, used: set[RelayKey]) -> None:
    """Of hosts that no queue or route names any more."""
    for row in step.tx.relay_health.find():
        if row.relay not in used:
            step.tx.relay_health.remove(row.relay)


def _row(step: Step, relay: RelayKey) -> RelayHealth:
    return step.tx.relay_health.get(relay) or RelayHealth(relay, 0.0, 0, 0, 0, 0)
