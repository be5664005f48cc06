"""Which of a node's own relays carries what goes to another's (Spec 12 §7)."""

from typing import TYPE_CHECKING

from msgspec import msgpack

from protocol.delivery.operators import of_one_operator
from protocol.keys import SHARED, Group, RelayKey
from protocol.mailbox import OwnRelay, Profile, QueueState
from protocol.step import Step

if TYPE_CHECKING:
    from protocol.delivery.hosts import Hosts

_ANNOUNCED = (QueueState.CREATING, QueueState.READY)
_relays = msgpack.Decoder(tuple[OwnRelay, ...])


def choose(step: Step, hosts: "Hosts", relay: RelayKey, contact: int | None, group: Group = SHARED) -> OwnRelay | None:
    """Never `relay` itself. One at which `contact` reaches this node first would see both directions, and one of the
    same operator is no other: only where there is nothing else that can be reached. Connected ones first. None: there
    is none at all."""
    own = [one for one in _relays.decode(_profile(step).relays) if not one.direct and one.relay != relay]
    reached = _reached_first(step, contact)
    one_operator = of_one_operator(step, relay)

    def rank(one: OwnRelay) -> tuple[bool, bool, bool, bool]:
        down = hosts.unreachable_for(step, one.relay, group) >= step.timing.unreachable_seconds
        host = hosts.hosts.get((one.relay, group))
        return down, one.relay == reached, one.relay in one_operator, host is None or host.session is None

    return min(own, key=rank, default=None)


def _profile(step: Step) -> Profile:
    profile = step.tx.profile.get(1)
    assert profile is not None
    return profile


def _reached_first(step: Step, contact: int | None) -> RelayKey | None:
    if contact is None:
        return None
    queues = [queue for queue in step.tx.queues.find(contact=contact) if queue.state in _ANNOUNCED and not queue.direct]
    return min(queues, key=lambda queue: queue.position).relay if queues else None
