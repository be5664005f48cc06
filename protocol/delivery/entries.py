"""Where what is for a contact's relay goes: to it, or to the own relay that carries it there unseen (Spec 12 §7)."""

from protocol.delivery.hosts import Host, Hosts
from protocol.delivery.operators import of_one_operator
from protocol.delivery.own import own_profile, own_relays
from protocol.delivery.queues import announced
from protocol.delivery.tunnels import Far
from protocol.keys import SHARED, Group, RelayKey
from protocol.mailbox import OwnRelay, PeerRoute
from protocol.step import Step


def reach(
    step: Step, hosts: Hosts, relay: RelayKey, host: str, direct: bool, contact: int | None, joining: int | None = None
) -> Host | Far:
    """A contact's queue is there, or one that is to be claimed for a `joining`: the host itself, or by way of an entry.

    Where there is no entry, what is returned never has a session.
    """
    group = SHARED
    if contact is not None:
        group = hosts.group_of_contact(contact, direct)
    elif joining is not None:
        group = hosts.group_of_joining(joining, direct)
    if direct or not hosts.forward:
        return hosts.want(step, relay, host, direct, group)
    entry = choose(step, hosts, relay, contact, group)
    if entry is None:
        return Far(relay, host, group)
    own = hosts.want(step, entry.relay, entry.host, False, group)
    return hosts.tunnels.reach(step, relay, host, entry.relay, own.session, group)


def reach_route(step: Step, hosts: Hosts, route: PeerRoute) -> Host | Far:
    """The same of a route."""
    return reach(step, hosts, route.relay, route.host, route.direct, route.contact)


def choose(step: Step, hosts: Hosts, relay: RelayKey, contact: int | None, group: Group = SHARED) -> OwnRelay | None:
    """Never `relay` itself. One at which `contact` reaches this node first would see both directions, and one of the
    same operator is no other: only where there is nothing else that can be reached. Connected ones first. None: there
    is none at all."""
    own = [one for one in own_relays(own_profile(step)) if not one.direct and one.relay != relay]
    reached = _reached_first(step, contact)
    one_operator = of_one_operator(step, relay)

    def rank(one: OwnRelay) -> tuple[bool, bool, bool, bool]:
        down = hosts.unreachable_for(step, one.relay, group) >= step.timing.unreachable_seconds
        host = hosts.hosts.get((one.relay, group))
        return down, one.relay == reached, one.relay in one_operator, host is None or host.session is None

    return min(own, key=rank, default=None)


def _reached_first(step: Step, contact: int | None) -> RelayKey | None:
    queues = announced(step.tx.queues.find(contact=contact)) if contact is not None else []
    return next((queue.relay for queue in queues if not queue.direct), None)
