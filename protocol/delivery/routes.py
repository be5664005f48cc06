"""Where a contact is reached: learning, claiming and choosing routes (Spec 6 §4)."""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from protocol.crypto.proofs import claim_message, prove_message
from protocol.delivery import entries
from protocol.delivery.hosts import Hosts
from protocol.delivery.sessions import Ask, HostSession
from protocol.errors import Code
from protocol.keys import Group, RelayKey, SenderKey, SigningKey
from protocol.limits import MAX_IN_FLIGHT_DEPOSITS
from protocol.mailbox import Contact, ContactState, PeerRoute, RouteState
from protocol.session.invitation import Route
from protocol.step import Step
from protocol.wire.commands import Claim, Prove, Role

_REFUSALS_TO_CLOSE = 3


def add_route(
    step: Step, contact: int, position: int, route: Route, key: SigningKey | None, claimed: bool
) -> PeerRoute:
    """A route of a contact, with a fresh sender key unless one is given."""
    row = PeerRoute(
        id=0,
        contact=contact,
        position=position,
        host=route.host,
        relay=route.relay,
        direct=route.direct,
        send_id=route.send_id,
        claim_seed=route.claim_seed,
        key=key or step.suite.signing_key(step.entropy.secret(32)),
        state=RouteState.CLAIMED if claimed else RouteState.UNCLAIMED,
        retry_at=0.0,
        failures=0,
        refused_since=None,
    )
    return replace(row, id=step.tx.routes.add(row))


def learn(
    step: Step,
    contact: Contact,
    version: int,
    routes: Sequence[Route],
    supersede_route: Callable[[Step, PeerRoute], None],
) -> None:
    """Take over an announced list: kept routes keep their keys, what lay on those that are gone is sealed anew."""
    if version <= contact.peer_routes_version:
        return
    step.tx.contacts.update(contact.id, peer_routes_version=version)
    known = {row.send_id: row for row in step.tx.routes.find(contact=contact.id)}
    for position, route in enumerate(routes):
        row = known.pop(route.send_id, None)
        if row is None or row.relay != route.relay or row.claim_seed != route.claim_seed:
            add_route(step, contact.id, position, route, None, False)
        else:
            step.tx.routes.update(row.id, position=position, host=route.host, direct=route.direct)
    for row in known.values():
        supersede_route(step, row)
        step.tx.routes.remove(row.id)


def choose(step: Step, hosts: Hosts, contact: int) -> tuple[PeerRoute, HostSession] | None:
    """The first route in order that can be used now. None: wait for one that is being dialled, claimed, or retried.

    Direct comes first, with one dial; a relay is waited for until it was unreachable for `unreachable_seconds`.
    """
    for route in ordered(step, contact):
        if route.retry_at > step.now.service:
            step.wake_at(route.retry_at)
            continue
        host = entries.reach_route(step, hosts, route)
        if host.session is not None:
            if route.state is RouteState.CLAIMED:
                return route, host.session
            claim(step, host.session, route)
            return None
        if route.direct:
            if host.dialing:
                return None
        elif hosts.unreachable_for(step, route.relay, host.group) < step.timing.unreachable_seconds:
            return None
    return None


def hosts_of(step: Step, hosts: Hosts) -> set[tuple[RelayKey, Group]]:
    """Where contacts are reached."""
    return {(route.relay, hosts.group_of_contact(route.contact, route.direct)) for route in step.tx.routes.find()}


def reach_again(step: Step, hosts: Hosts) -> None:
    """Tunnels that went are built anew where something sealed waits for them, or a claim."""
    for relay in hosts.tunnels.down():
        unstored = {row.route for row in step.tx.envelopes.unstored(relay, step.now.service, MAX_IN_FLIGHT_DEPOSITS)}
        for route in step.tx.routes.find(relay=relay):
            if route.id in unstored or (route.state is RouteState.UNCLAIMED and route.retry_at <= step.now.service):
                entries.reach_route(step, hosts, route)


def ordered(step: Step, contact: int) -> list[PeerRoute]:
    """A contact's routes: direct, primary, standby."""
    return sorted(step.tx.routes.find(contact=contact), key=lambda route: (not route.direct, route.position))


def primary(step: Step, contact: int) -> RelayKey | None:
    """The relay at which the contact is reached first: the other direction should use another (the pairing rule)."""
    return next((route.relay for route in ordered(step, contact) if not route.direct), None)


def claim(step: Step, session: HostSession, route: PeerRoute) -> None:
    """Fix this node's key as the queue's sender key; the same key may repeat."""
    if session.asked(Ask.CLAIM, route.id):
        return
    sender = SenderKey(route.key[32:])
    signature = step.suite.sign(
        step.suite.signing_key(route.claim_seed), claim_message(route.relay, route.send_id, sender)
    )
    request = session.request(step, Ask.CLAIM, route.id)
    session.send(step, Claim(request, route.send_id, sender, signature))


def prove(step: Step, session: HostSession, route: PeerRoute) -> None:
    """Once a session and route, ahead of the first deposit: later ones need no check."""
    if not session.proves or route.id in session.proven_routes:
        return
    session.proven_routes.add(route.id)
    message = prove_message(session.handshake_hash, Role.SENDER, route.send_id)
    request = session.request(step, Ask.PROVE_ROUTE, route.id)
    step.send(session.connection, Prove(request, route.send_id, Role.SENDER, step.suite.sign(route.key, message)))


def claimed(step: Step, route_id: int) -> PeerRoute | None:
    """The relay answered the claim."""
    route = step.tx.routes.get(route_id)
    if route is not None:
        route = replace(route, state=RouteState.CLAIMED, failures=0, retry_at=0.0, refused_since=None)
        step.tx.routes.save(route)
    return route


def back_off(step: Step, route: PeerRoute, code: Code) -> PeerRoute:
    """Leave a route alone for a while: after `full` and the like for minutes, after a refused claim for seconds."""
    timing = step.timing
    if code is Code.REFUSED:
        first, most = timing.redial_first_seconds, timing.redial_most_seconds
    else:
        first, most = timing.full_first_seconds, timing.full_most_seconds
    pause = min(first * 2**route.failures, most) * (0.5 + step.entropy.uniform())
    refused_since = route.refused_since
    if code is Code.REFUSED and refused_since is None:
        refused_since = step.now.service
    route = replace(
        route,
        failures=min(route.failures + 1, 32),
        retry_at=step.now.service + pause,
        state=RouteState.REFUSED if code is Code.REFUSED else route.state,
        refused_since=refused_since,
    )
    step.tx.routes.save(route)
    step.wake_at(route.retry_at)
    return route


def verdict(step: Step, contact: Contact) -> ContactState:
    """What refusals say of a contact: a waiting joiner that is refused everywhere came too late; a contact whose every
    queue refused three times over a day closed the conversation (one relay alone may lie)."""
    routes = step.tx.routes.find(contact=contact.id)
    if not routes or any(route.state is not RouteState.REFUSED for route in routes):
        return contact.state
    if contact.state is ContactState.WAITING:
        return ContactState.REFUSED
    long_ago = step.now.service - step.timing.closed_seconds
    if all(
        route.failures >= _REFUSALS_TO_CLOSE and route.refused_since is not None and route.refused_since <= long_ago
        for route in routes
    ):
        return ContactState.CLOSED
    return contact.state
