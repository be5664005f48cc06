"""A node's own queues: made, subscribed to, announced, retired, dropped (Spec 6 §3)."""

from collections.abc import Container, Sequence

from msgspec.structs import replace

from protocol.crypto.proofs import create_message, prove_message, receive_id
from protocol.delivery.hosts import Hosts
from protocol.delivery.items import announce_routes
from protocol.delivery.operators import of_one_operator
from protocol.delivery.sessions import Ask, HostSession
from protocol.errors import Code
from protocol.keys import ClaimKey, ClaimSeed, Group, RecipientKey, RelayKey, SendId
from protocol.limits import MAX_INVITATION_DAYS, MAX_RETIRING_PER_CONTACT, MAX_ROUTES, RETENTION_DAYS
from protocol.mailbox import ItemKind, OwnQueue, OwnRelay, QueueState
from protocol.session.invitation import Route, link_keys
from protocol.step import Step
from protocol.wire.commands import Create, Drop, Link, Prove, Role, Settle, Subscribe

LISTENED_TO = (QueueState.READY, QueueState.RETIRING)
DAY_SECONDS = 86_400.0


def make_queue(
    step: Step, relay: OwnRelay, position: int, *, contact: int | None = None, invitation: int | None = None,
    claim_seed: ClaimSeed | None = None,
) -> OwnQueue:  # fmt: skip
    """A queue with fresh keys, to be created at its relay at the next chance."""
    key = step.suite.signing_key(step.entropy.secret(32))
    queue = OwnQueue(
        id=0,
        contact=contact,
        invitation=invitation,
        position=position,
        host=relay.host,
        relay=relay.relay,
        direct=relay.direct,
        key=key,
        receive_id=receive_id(RecipientKey(key[32:])),
        send_id=SendId(step.entropy.secret(16)),
        claim_seed=claim_seed or ClaimSeed(step.entropy.secret(32)),
        state=QueueState.CREATING,
        sealed=None,
        claimed_by=None,
        drop_at=None,
    )
    return replace(queue, id=step.tx.queues.add(queue))


def order_relays(
    step: Step, relays: Sequence[OwnRelay], avoid_first: bytes | None = None, kept: Container[RelayKey] = ()
) -> list[OwnRelay]:
    """At most three hosts for one contact: direct first, then relays at random, but one of another operator first than
    the one through which the other direction goes, or another at least (the pairing rule, Spec 6 §4). Of more, those
    `kept` stay."""
    direct = [relay for relay in relays if relay.direct]
    others = [relay for relay in relays if not relay.direct]
    if len(others) > 1 and step.entropy.uniform() < 0.5:
        others.reverse()
    if avoid_first is not None and len(others) > 1:
        akin = of_one_operator(step, RelayKey(avoid_first))
        likeness = {relay: (relay.relay in akin) + (relay.relay == avoid_first) for relay in others}
        if likeness[others[0]] > min(likeness.values()):
            others.sort(key=likeness.__getitem__)
    chosen = sorted(direct + others, key=lambda relay: not relay.direct and relay.relay not in kept)[:MAX_ROUTES]
    return [relay for relay in direct + others if relay in chosen]


def as_route(queue: OwnQueue) -> Route:
    """What the contact is told of a queue."""
    return Route(queue.host, queue.relay, queue.send_id, queue.claim_seed, queue.direct)


def announced(queues: Sequence[OwnQueue]) -> list[OwnQueue]:
    """The queues that a contact should use, in order."""
    usable = [queue for queue in queues if queue.state in (QueueState.CREATING, QueueState.READY)]
    return sorted(usable, key=lambda queue: queue.position)[:MAX_ROUTES]


def want_hosts(step: Step, hosts: Hosts) -> None:
    """Have every host of an own queue connected, or dialled when its back-off ends."""
    if hosts.all_seen_to(step):
        return
    if hosts.isolated:
        hosts.want_all_for(step, step.tx.queues.find())
        return
    for relay in step.tx.queues.hosts():
        hosts.want(step, relay.relay, relay.host, relay.direct)


def hosts_of(step: Step, hosts: Hosts) -> set[tuple[RelayKey, Group]]:
    """Where own queues are."""
    return {(queue.relay, hosts.group_of(queue)) for queue in step.tx.queues.find()}


def attend(step: Step, session: HostSession, queue: OwnQueue) -> None:
    """Ask on this session for what the queue needs next."""
    if queue.state is QueueState.CREATING:
        _create(step, session, queue)
    else:
        _prove(step, session, queue)


def attend_all(step: Step, hosts: Hosts, queues: Sequence[OwnQueue]) -> None:
    """Attend to queues where their host is connected; dial it where not."""
    for queue in queues:
        host = hosts.want_for(step, queue)
        if host.session is not None:
            attend(step, host.session, queue)


def _create(step: Step, session: HostSession, queue: OwnQueue) -> None:
    claim_key = ClaimKey(step.suite.signing_key(queue.claim_seed)[32:])
    link = _link_of(step, queue)
    recipient = RecipientKey(queue.key[32:])
    message = create_message(session.handshake_hash, recipient, queue.send_id, claim_key, link)
    request = session.request(step, Ask.CREATE, queue.id)
    signature = step.suite.sign(queue.key, message)
    step.send(session.connection, Create(request, recipient, queue.send_id, claim_key, link, signature))


def _link_of(step: Step, queue: OwnQueue) -> Link | None:
    invitation = step.tx.invitations.get(queue.invitation) if queue.invitation is not None else None
    if queue.sealed is None or invitation is None or invitation.secret is None:
        return None
    keys = link_keys(step.suite, invitation.secret, queue.relay)
    lifetime = max(1, min(int(invitation.drop_at - step.now.service) // 60, MAX_INVITATION_DAYS * 1_440))
    return Link(keys.link_id, lifetime, queue.sealed)


def _prove(step: Step, session: HostSession, queue: OwnQueue) -> None:
    message = prove_message(session.handshake_hash, Role.RECIPIENT, queue.receive_id)
    request = session.request(step, Ask.PROVE_QUEUE, queue.id)
    signature = step.suite.sign(queue.key, message)
    step.send(session.connection, Prove(request, queue.receive_id, Role.RECIPIENT, signature))
    _use(step, session, queue)


def _use(step: Step, session: HostSession, queue: OwnQueue) -> None:
    """After create or prove, in the same frame: drop the queue, or subscribe and settle it."""
    if queue.state is QueueState.DROPPING:
        request = session.request(step, Ask.DROP, queue.id)
        step.send(session.connection, Drop(request, queue.receive_id))
        return
    subscribe(step, session, queue)
    if queue.sealed is not None and queue.contact is not None:
        settle(step, session, queue)


def subscribe(step: Step, session: HostSession, queue: OwnQueue) -> None:
    """Have the relay push all that is unacknowledged, from the start."""
    request = session.request(step, Ask.SUBSCRIBE, queue.id)
    step.send(session.connection, Subscribe(request, session.subscribe(queue.id), queue.receive_id))


def listen_again(step: Step, hosts: Hosts, queue_id: int) -> None:
    """The handshake came: have what was held on any of the contact's queues delivered once more."""
    of = step.tx.queues.get(queue_id)
    for queue in step.tx.queues.find(contact=of.contact if of is not None else None):
        host = hosts.hosts.get((queue.relay, hosts.group_of(queue)))
        if host is not None and host.session is not None and host.session.held.get(queue.id):
            subscribe(step, host.session, queue)


def settle(step: Step, session: HostSession, queue: OwnQueue) -> None:
    """Have the sealed invitation erased."""
    step.send(session.connection, Settle(session.request(step, Ask.SETTLE, queue.id), queue.receive_id))


def created(step: Step, session: HostSession, queue_id: int) -> OwnQueue | None:
    """The relay holds the queue: listen, and tell the contact where it is new."""
    queue = step.tx.queues.get(queue_id)
    if queue is None:
        return None
    if queue.state is QueueState.CREATING:
        queue = replace(queue, state=QueueState.READY)
        step.tx.queues.save(queue)
        if queue.contact is not None:
            announce_routes(step, queue.contact)
    _use(step, session, queue)
    return queue


def refused(step: Step, hosts: Hosts, session: HostSession, queue_id: int, code: Code) -> None:
    """The relay does not know the queue (its disk is gone), or cannot make it now."""
    queue = step.tx.queues.get(queue_id)
    if queue is None:
        return
    if queue.state is QueueState.DROPPING:
        step.tx.queues.remove(queue.id)
    elif session.asked(Ask.CREATE, queue.id):
        return  # what was asked of it before it was to be made anew
    elif queue.state is QueueState.CREATING:
        rest = step.now.service + step.timing.full_first_seconds
        session.creation_rests[queue.id] = rest
        step.wake_at(rest)
    elif code is not Code.REFUSED:
        hosts.leave(step, session)
    elif queue.state is QueueState.RETIRING:
        step.tx.queues.remove(queue.id)
    else:
        step.tx.queues.update(queue.id, state=QueueState.CREATING)
        _create(step, session, replace(queue, state=QueueState.CREATING))


def create_again(step: Step, session: HostSession) -> None:
    """Queues that the host did not make when it was asked, once their rest is over."""
    for number, rest in list(session.creation_rests.items()):
        if rest > step.now.service:
            step.wake_at(rest)
            continue
        del session.creation_rests[number]
        queue = step.tx.queues.get(number)
        if queue is not None and queue.state is QueueState.CREATING:
            _create(step, session, queue)


def drop(step: Step, hosts: Hosts, queue: OwnQueue) -> None:
    """Have the queue erased at its relay; nothing that comes from it counts any more."""
    dropping = replace(queue, state=QueueState.DROPPING, sealed=None)
    step.tx.queues.save(dropping)
    attend_all(step, hosts, [dropping])


def dropped(step: Step, queue_id: int) -> None:
    """The relay erased it."""
    step.tx.queues.remove(queue_id)


def replace_queue(step: Step, hosts: Hosts, queue: OwnQueue) -> None:
    """Drop a queue that somebody else claimed; make another on the same relay and announce it when it stands."""
    drop(step, hosts, queue)
    relay = OwnRelay(queue.host, queue.relay, queue.direct)
    attend_all(step, hosts, [make_queue(step, relay, queue.position, contact=queue.contact)])


def sync_contact(step: Step, hosts: Hosts, contact: int, relays: Sequence[OwnRelay], avoid_first: bytes | None) -> None:
    """Have a queue on each of this node's hosts; retire those on hosts that it no longer uses (Spec 6 §3).

    What is retired is given up early only where a person changes relays again and again.
    """
    queues = step.tx.queues.find(contact=contact)
    live = {q.relay: q for q in queues if q.state in (QueueState.CREATING, QueueState.READY)}
    wanted = order_relays(step, relays, avoid_first, live)
    changed = False
    for queue in live.values():
        keep = next((relay for relay in wanted if relay.relay == queue.relay), None)
        if keep is None:
            drop_at = step.now.service + step.timing.retire_days * DAY_SECONDS
            step.tx.queues.update(queue.id, state=QueueState.RETIRING, drop_at=drop_at)
            changed = True
        elif keep.host != queue.host:
            step.tx.queues.update(queue.id, host=keep.host)
            changed = True
    for position, relay in enumerate(wanted):
        if relay.relay not in live:
            made = make_queue(step, relay, 0 if relay.direct else position + len(live), contact=contact)
            attend_all(step, hosts, [made])
    if changed:
        announce_routes(step, contact)
        retiring = step.tx.queues.find(contact=contact, state=QueueState.RETIRING)
        for queue in sorted(retiring, key=lambda queue: queue.drop_at or 0.0)[:-MAX_RETIRING_PER_CONTACT]:
            drop(step, hosts, queue)


def retire_due(step: Step, hosts: Hosts) -> None:
    """Drop what was retired long enough ago and the contact is known not to use any more.

    Who has not confirmed may have nothing else to come back to: such a queue stays for `retire_most_days`.
    """
    most = step.now.service - (step.timing.retire_most_days - step.timing.retire_days) * DAY_SECONDS
    for queue in step.tx.queues.find(state=QueueState.RETIRING):
        if queue.drop_at is None or queue.drop_at > step.now.service:
            continue
        if queue.drop_at <= most or not step.tx.items.count(contact=queue.contact, kind=ItemKind.ROUTES):
            drop(step, hosts, queue)


def give_up_dropping(step: Step, hosts: Hosts) -> None:
    """Forget queues that a relay should have dropped and never came back for: by now nothing is left in them.

    A node that reaches nobody may be what is cut off itself.
    """
    if not any(hosts.open_sessions()):
        return
    for queue in step.tx.queues.find(state=QueueState.DROPPING):
        if hosts.unreachable_for(step, queue.relay, hosts.group_of(queue)) >= RETENTION_DAYS * DAY_SECONDS:
            step.tx.queues.remove(queue.id)
