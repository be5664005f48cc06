"""Making invitations, and the inviter's side of the handshake (Spec 3 §4, Spec 6 §1)."""

from msgspec.structs import replace

from protocol.delivery import outbox, pairing, queues, routes
from protocol.delivery.contacts import clean_name
from protocol.delivery.hosts import Hosts
from protocol.delivery.items import announce_routes, queue_profile
from protocol.delivery.own import own_profile, own_relays
from protocol.envelope.envelope import Envelope
from protocol.envelope.items import NewRoutes, Senders, unpad_items
from protocol.envelope.items import Profile as ProfileItem
from protocol.errors import CallerError, Code, PeerError
from protocol.keys import DhPrivate, InvitationSecret, KemSeed, Minute, RelayKey, SenderKey, SendId
from protocol.limits import MAX_INVITATION_DAYS, MAX_OPEN_INVITATIONS
from protocol.mailbox import (
    ChangeKind,
    Contact,
    ContactState,
    InvitationState,
    OwnInvitation,
    OwnQueue,
    Profile,
    QueueState,
    Seen,
)
from protocol.session import handshake
from protocol.session.identity import IdentityKeys
from protocol.session.invitation import (
    Invitation,
    format_file,
    format_link,
    link_keys,
    link_psk,
    seal_invitation,
)
from protocol.step import Step
from protocol.wire.addresses import Host
from protocol.wire.codec import encode

OPEN = (InvitationState.OPEN, InvitationState.CLAIMED)


def identity_keys(profile: Profile) -> IdentityKeys:
    """The handshake's view of a profile."""
    return IdentityKeys(profile.signing, profile.dh, profile.identity)


def make_invitation(step: Step, hosts: Hosts, lifetime_minutes: int, name: str | None) -> int:
    """An open invitation with a queue on each host, to be created there now. Raises CallerError."""
    profile = own_profile(step)
    relays = queues.order_relays(step, own_relays(profile))
    if not relays:
        raise CallerError(
            "You have no relay yet; add one with 'kassiber relays add ADDRESS', or listen with 'up --listen'."
        )
    if not 0 < lifetime_minutes <= MAX_INVITATION_DAYS * 1_440:
        raise CallerError(f"An invitation lasts between a minute and {MAX_INVITATION_DAYS} days.")
    if sum(step.tx.invitations.count(state=state) for state in OPEN) >= MAX_OPEN_INVITATIONS:
        raise CallerError(f"There are {MAX_OPEN_INVITATIONS} open invitations already; withdraw some first.")
    secret = InvitationSecret(step.entropy.secret(32))
    dh, kem = DhPrivate(step.entropy.secret(32)), KemSeed(step.entropy.secret(64))
    expires = Minute(step.now.minute + lifetime_minutes)
    drop_at = step.now.service + lifetime_minutes * 60.0
    given = None if name is None else clean_name(name)
    blank = OwnInvitation(
        0, InvitationState.OPEN, secret, dh, kem, b"", step.now.wall, expires, drop_at, None, given
    )  # fmt: skip
    number = step.tx.invitations.add(blank)
    made = [
        queues.make_queue(
            step, relay, position, invitation=number,
            claim_seed=link_keys(step.suite, secret, relay.relay).claim_seed,
        )
        for position, relay in enumerate(relays)
    ]  # fmt: skip
    kem_public, dh_public = step.suite.kem_public(kem), step.suite.dh_public(dh)
    listed = [queues.as_route(queue) for queue in made]
    encoded = encode(Invitation(1, profile.identity, dh_public, kem_public, listed, expires, None))
    step.tx.invitations.update(number, encoded=encoded)
    for queue in made:
        keys = link_keys(step.suite, secret, queue.relay)
        sealed = seal_invitation(step.suite, step.entropy, keys, queue.relay, encoded)
        step.tx.queues.update(queue.id, sealed=sealed)
    queues.attend_all(step, hosts, step.tx.queues.find(invitation=number))
    return number


def describe(step: Step, invitation: OwnInvitation) -> tuple[str, bytes, int]:
    """Link, file, and how many relays confirmed; the link names relays that did, in an order of its own."""
    made = step.tx.queues.find(invitation=invitation.id)
    ready = [queue for queue in made if queue.state is QueueState.READY]
    listed = [queue for queue in ready if not queue.direct] or ready
    waiting = [queue for queue in made if queue not in ready and not queue.direct]
    named = [(Host.parse(queue.host), RelayKey(queue.relay)) for queue in (listed + waiting)]
    same_scheme = [pair for pair in named if pair[0].scheme == named[0][0].scheme]
    assert invitation.secret is not None
    direct = listed[0].direct
    link = format_link(tuple(same_scheme[: 1 if direct else 2]), invitation.secret, direct)
    return link, format_file(invitation.secret, invitation.encoded), len(ready)


def cancel(step: Step, hosts: Hosts, number: int, state: InvitationState) -> None:
    """Withdraw an invitation: its keys are forgotten, its queues dropped."""
    invitation = step.tx.invitations.get(number)
    if invitation is None or invitation.state not in OPEN:
        return
    _close(step, invitation, state)
    for queue in step.tx.queues.find(invitation=number):
        queues.drop(step, hosts, queue)


def expire_due(step: Step, hosts: Hosts) -> None:
    """Withdraw what is past its time; a handshake may still arrive for a day after."""
    for state in OPEN:
        for invitation in step.tx.invitations.find(state=state):
            if invitation.drop_at + queues.DAY_SECONDS <= step.now.service:
                cancel(step, hosts, invitation.id, InvitationState.EXPIRED)


def claimed(step: Step, queue: OwnQueue, key: SenderKey, minute: Minute) -> None:
    """The relay says that somebody fixed the queue's sender key: visible before anything else happens."""
    step.tx.queues.update(queue.id, claimed_by=key)
    if queue.contact is None and queue.invitation is not None:
        invitation = step.tx.invitations.get(queue.invitation)
        if invitation is not None and invitation.state is InvitationState.OPEN:
            step.tx.invitations.update(invitation.id, state=InvitationState.CLAIMED, claimed_minute=minute)
            step.change(ChangeKind.INVITATION, invitation.id, InvitationState.CLAIMED)


def receive_handshake(step: Step, hosts: Hosts, queue: OwnQueue, envelope: Envelope) -> Contact | None:
    """The first handshake that is committed makes the contact; None where this is not one for this invitation.

    The prekeys leave with the same transaction, so a replay is unreadable ever after.
    """
    invitation = step.tx.invitations.get(queue.invitation) if queue.invitation is not None else None
    if invitation is None or invitation.secret is None or invitation.dh is None or invitation.kem is None:
        return None
    profile = own_profile(step)
    prekeys = handshake.Prekeys(invitation.dh, invitation.kem)
    try:
        psk = link_psk(step.suite, invitation.secret)
        session, payload = handshake.receive(
            step.suite, identity_keys(profile), prekeys, invitation.encoded, psk, envelope.body
        )
        items = {type(item): item for item in unpad_items(payload)}
        senders, new_routes, named = items.get(Senders), items.get(NewRoutes), items.get(ProfileItem)
        if not (isinstance(senders, Senders) and isinstance(new_routes, NewRoutes) and isinstance(named, ProfileItem)):
            raise PeerError(Code.MALFORMED, "a handshake without senders, routes and profile")
    except PeerError:
        return None
    keys = {sender.send_id: sender.key for sender in senders.senders}
    if queue.claimed_by is not None and keys.get(queue.send_id) != queue.claimed_by:
        return None
    if step.tx.contacts.count() >= hosts.most_contacts:
        return None
    contact = _new_contact(step, session, invitation.name or named.name, invitation.name is not None)
    outbox.save_ratchet(step, contact.id, session.ratchet)
    step.tx.seen.save(Seen(contact.id, 1, 0, envelope.digest[:16], step.now.service))
    _close(step, invitation, InvitationState.USED)
    _take_queues(step, hosts, invitation.id, contact.id, keys)
    routes.learn(step, contact, new_routes.version, new_routes.routes, outbox.supersede_route)
    _move_on(step, hosts, profile, contact.id)
    queue_profile(step, contact.id)
    pairing.learn_features(step, contact.id, named.features)
    step.change(ChangeKind.CONTACT, contact.id, ContactState.ACTIVE)
    return contact


def _new_contact(step: Step, session: handshake.Session, name: str, given: bool) -> Contact:
    contact = Contact(
        id=0,
        name=name,
        name_given=given,
        identity=session.peer,
        state=ContactState.ACTIVE,
        inviter=True,
        verified=False,
        reset=session.reset,
        discovery=session.discovery,
        own_routes_version=0,
        peer_routes_version=0,
        peer_floor=0,
        peer_total=0,
        seen_change=0,
        unread=0,
        height=0,
        last_own=None,
    )
    return replace(contact, id=step.tx.contacts.add(contact))


def _take_queues(step: Step, hosts: Hosts, invitation: int, contact: int, keys: dict[SendId, SenderKey]) -> None:
    """The invitation's queues become the contact's; one that somebody else claimed is replaced."""
    for queue in step.tx.queues.find(invitation=invitation):
        mine = replace(queue, contact=contact)
        step.tx.queues.save(mine)
        expected = keys.get(queue.send_id)
        if expected is None or (queue.claimed_by is not None and queue.claimed_by != expected):
            queues.replace_queue(step, hosts, mine)
        else:
            step.tx.queues.update(mine.id, claimed_by=expected)
            settle_now(step, hosts, mine)


def _move_on(step: Step, hosts: Hosts, profile: Profile, contact: int) -> None:
    """The invitation names the relays that this node had when it was made; it may have left them since."""
    relays = own_relays(profile)
    if relays:
        queues.sync_contact(step, hosts, contact, relays, routes.primary(step, contact))


def settle_now(step: Step, hosts: Hosts, queue: OwnQueue) -> None:
    """Have the relay forget the sealed invitation, on the session that is open; else at the next."""
    host = hosts.want_for(step, queue)
    if host.session is not None and queue.state is QueueState.READY:
        queues.settle(step, host.session, queue)


def _close(step: Step, invitation: OwnInvitation, state: InvitationState) -> None:
    step.tx.invitations.update(invitation.id, state=state, secret=None, dh=None, kem=None, encoded=b"")
    step.change(ChangeKind.INVITATION, invitation.id, state)


def check_claim(step: Step, hosts: Hosts, queue: OwnQueue, key: SenderKey, minute: Minute) -> None:
    """A `claimed` marker: note it; where the contact that holds the queue named another key, replace the queue."""
    if queue.contact is None:
        claimed(step, queue, key, minute)
    elif queue.invitation is not None and queue.claimed_by is not None and queue.claimed_by != key:
        queues.replace_queue(step, hosts, queue)
        announce_routes(step, queue.contact)
