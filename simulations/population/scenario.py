"""What is simulated: how many people, how they write, and what their links do with it."""

from enum import Enum
from typing import NamedTuple

from protocol.traffic.policies import RECEIPT_GAP_SECONDS, RECEIPT_MEAN_SECONDS, TICK_SECONDS, TO_RELAY, Rates, rates
from protocol.wire.commands import Preset
from simulations.workload import LIVELY, Rhythm


class Policy(Enum):
    """When a link sends (Spec 10 §1)."""

    DIRECT = "direct"
    """What waits leaves at once."""
    BATCHED = "batched"
    """What waits leaves at the next point of a Poisson process."""
    CONSTANT = "constant"
    """One slot leaves at each point of Poisson processes, whatever waits."""


class Scenario(NamedTuple):
    """Seconds, unless named otherwise. Two ends of a link follow the same policy."""

    policy: Policy
    users: int
    days: float = 1.0
    contacts: int = 10
    relays: int = 2
    """Of a community. Everybody is connected to each of them, and each direction of a pair has its queue on another."""
    rhythm: Rhythm = LIVELY
    activity_sigma: float = 0.0
    community: int = 2_000
    """People simulated at once; all contacts are within."""
    latency_seconds: float = 0.05
    """One way between a node and a relay, at least."""
    jitter: float = 0.0
    """By how much of it a letter may take longer, each time at random (uniform)."""
    step_seconds: float = 0.0
    """Of a node or relay, from what comes to its commit; in the direct policy, where little else delays."""
    receipt_mean_seconds: float = 600.0
    """Between the ticks of a contact (Spec 6 §5); 60 where the preset is *direct* (Spec 10 §6)."""
    receipt_gap_seconds: float | None = None
    """Where ticks do not end: between two of whichever contacts, at least (Spec 10 §6)."""
    keep_alive_seconds: float = 300.0
    """Spec 7 §4: uniform within 20 % of it, after the last frame of that direction."""
    tick_seconds: float = TICK_SECONDS
    """Mean of the batched policy."""
    rates: Rates = TO_RELAY
    """Of a constant link to the relay; loops come back and take slots of the way down."""

    @property
    def slot_rate(self) -> float:
        """Slots a second of a constant link, each way."""
        return self.rates.total


def scenario_of(preset: Preset, users: int) -> Scenario:
    """With the figures of Spec 10 §2 and §6."""
    constant = rates(preset, to_relay=True)
    policy = Policy.CONSTANT if constant else Policy(preset.name.lower())
    return Scenario(
        policy, users, receipt_mean_seconds=RECEIPT_MEAN_SECONDS[preset],
        receipt_gap_seconds=RECEIPT_GAP_SECONDS.get(preset), rates=constant or TO_RELAY,
    )  # fmt: skip
