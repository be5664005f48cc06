"""Hosts that cannot be reached: since when, and how long to leave them alone (Spec 6 §3)."""

from protocol.keys import Group, RelayKey
from protocol.mailbox import HostTrouble
from protocol.step import Step


def pause_seconds(step: Step, failures: int) -> float:
    """Before the next try, after so many that failed in a row: doubling, ± 50 %."""
    pause: float = min(step.timing.redial_first_seconds * 2**failures, step.timing.redial_most_seconds)
    return pause * (0.5 + step.entropy.uniform())


def note(step: Step, relay: RelayKey, group: Group) -> None:
    """From now on, unless it is known already; other routes are looked for once that has lasted."""
    if step.tx.troubles.get(relay, group) is None:
        step.tx.troubles.save(HostTrouble(relay, step.now.service, group))
        step.wake_at(step.now.service + step.timing.unreachable_seconds)
        step.wake_at(step.now.service + step.timing.reroute_seconds)
