"""Accepting an invitation: claim, handshake, and a contact that waits for the inviter's first reply (Spec 6 §1)."""

from typing import NamedTuple

from msgspec import Struct, msgpack
from msgspec.structs import replace

from protocol.crypto.proofs import claim_message
from protocol.delivery import entries, outbox, queues, routes
from protocol.delivery.contacts import clean_name
from protocol.delivery.hosts import Hosts
from protocol.delivery.inviting import identity_keys
from protocol.delivery.own import own_profile, own_relays
from protocol.delivery.sessions import Ask, HostSession
from protocol.envelope.envelope import seal_envelope
from protocol.envelope.items import NewRoutes, Sender, Senders, encode_item, pad_items
from protocol.envelope.items import Profile as ProfileItem
from protocol.errors import CallerError, Code, PeerError
from protocol.keys import Group, Identity, InvitationSecret, RelayKey, SenderKey, SendId, SigningKey
from protocol.limits import EACH_CONTACT, FIRST_PAYLOAD_BYTES
from protocol.mailbox import (
    ChangeKind,
    Contact,
    ContactState,
    Joining,
    OwnRelay,
    Profile,
    RouteState,
    SealedEnvelope,
)
from protocol.session import handshake
from protocol.session.identity import fingerprint
from protocol.session.invitation import (
    Invitation,
    ParsedLink,
    decode_invitation,
    link_keys,
    link_psk,
    open_invitation,
    parse_file,
    parse_link,
)
from protocol.session.invitation import invitation_hash as hash_of
from protocol.step import Step
from protocol.wire.commands import Claim, Claimed

MAX_CANDIDATES = 4
"""A link names two relays, a file three; more than one attempt may name others."""
USED = "This invitation was used already, withdrawn, or has expired. If it was not you who used it, ask for a new one."


class Candidate(Struct, array_like=True, frozen=True):
    """One place at which the invitation may be claimed, with this node's key for it."""

    host: str
    relay: RelayKey
    direct: bool
    named: bytes
    """Link id, or send id where the invitation came as a file."""
    claim_seed: bytes
    key: SigningKey


class Joined(NamedTuple):
    """What an accept came to."""

    joining: int
    contact: int | None
    error: Exception | None


_candidates = msgpack.Decoder(tuple[Candidate, ...])


class InvitationUsedError(CallerError):
    """Nobody can accept it any more."""


def begin(
    step: Step, hosts: Hosts, link: str | None, file: bytes | None, name: str | None, identity: Identity | None = None
) -> int:  # fmt: skip
    """Save fresh keys for the claims, and make the first; accepting again resumes with them. Raises CallerError."""
    profile = own_profile(step)
    secret, encoded, candidates, direct = _read(step, link, file)
    if any(invitation.secret == secret for invitation in step.tx.invitations.find()):
        raise CallerError("This is your own invitation; send it to the person whom you invite.")
    if step.tx.contacts.count() >= hosts.most_contacts:
        why = ": more cannot be kept apart (isolation)" if hosts.groups == EACH_CONTACT else ""
        raise CallerError(f"There are {hosts.most_contacts:,} contacts already{why}.")
    if direct and not own_relays(profile):
        raise CallerError(
            "Whoever invited you has no relay, and you have none either: add one with 'kassiber relays add ADDRESS', "
            "or listen with 'up --listen', then accept again."
        )
    name = None if name is None else clean_name(name)
    for known in step.tx.joining.find(secret=secret):
        merged = msgpack.encode(_merge(_candidates.decode(known.candidates), candidates))
        again = replace(known, encoded=known.encoded or encoded, name=name or known.name, candidates=merged)
        again = replace(again, identity=known.identity or identity)
        step.tx.joining.save(again)
        _ask(step, hosts, again, 0)
        return known.id
    row = Joining(0, secret, encoded, name, msgpack.encode(candidates), identity)
    row = replace(row, id=step.tx.joining.add(row))
    _ask(step, hosts, row, 0)
    return row.id


def _read(
    step: Step, link: str | None, file: bytes | None
) -> tuple[InvitationSecret, bytes | None, list[Candidate], bool]:
    if file is not None:
        secret, encoded = parse_file(file)
        invitation = decode_invitation(encoded)
        _check(step, invitation)
        found = [
            Candidate(route.host, route.relay, route.direct, route.send_id, route.claim_seed, _fresh_key(step))
            for route in invitation.routes
        ]
        return secret, encoded, found, all(route.direct for route in invitation.routes)
    assert link is not None
    parsed: ParsedLink = parse_link(link)
    found = []
    for host, relay in parsed.relays:
        keys = link_keys(step.suite, parsed.secret, relay)
        found.append(Candidate(str(host), relay, parsed.direct, keys.link_id, keys.claim_seed, _fresh_key(step)))
    return parsed.secret, None, found, parsed.direct


def _merge(known: tuple[Candidate, ...], again: list[Candidate]) -> list[Candidate]:
    """The places of an earlier attempt with its keys, at the hosts that are named now; then those that are new."""
    named = {candidate.relay: candidate for candidate in again}
    kept = [
        replace(candidate, host=named[candidate.relay].host, direct=named[candidate.relay].direct)
        if candidate.relay in named
        else candidate
        for candidate in known
    ]
    relays = {candidate.relay for candidate in kept}
    return [*kept, *(candidate for candidate in again if candidate.relay not in relays)][:MAX_CANDIDATES]


def _fresh_key(step: Step) -> SigningKey:
    return step.suite.signing_key(step.entropy.secret(32))


def _check(step: Step, invitation: Invitation) -> None:
    """Raises CallerError where this person cannot accept it."""
    own = own_profile(step).identity
    if invitation.identity == own:
        raise CallerError("This is your own invitation; send it to the person whom you invite.")
    if invitation.expiry <= step.now.minute:
        raise CallerError("This invitation has expired, if this machine's clock is right; ask for a new one.")
    if invitation.restricted_to not in (None, fingerprint(own)):
        raise CallerError("This invitation was made for somebody else.")
    known = step.tx.contacts.find(identity=invitation.identity)
    for contact in known:
        if contact.state is ContactState.WAITING:
            raise CallerError(
                f"You wait for this person already, as contact {contact.id}: their node has not answered yet. "
                f"If that invitation came to nothing, remove contact {contact.id}, then accept this one."
            )
        if contact.state is not ContactState.REFUSED:
            raise CallerError(
                f"You have this contact already: {contact.name}, contact {contact.id}. "
                f"If they removed you, remove contact {contact.id}, then accept another invitation of theirs."
            )


def _ask(step: Step, hosts: Hosts, row: Joining, first: int) -> None:
    """Claim at candidate `first`, once its host is connected."""
    candidate = _candidates.decode(row.candidates)[first]
    host = entries.reach(step, hosts, candidate.relay, candidate.host, candidate.direct, None, row.id)
    if host.session is not None:
        _claim(step, host.session, row.id * MAX_CANDIDATES + first, candidate)


def _claim(step: Step, session: HostSession, reference: int, candidate: Candidate) -> None:
    if session.asked(Ask.JOIN, reference):
        return
    sender = SenderKey(candidate.key[32:])
    message = claim_message(candidate.relay, candidate.named, sender)
    signature = step.suite.sign(step.suite.signing_key(candidate.claim_seed), message)
    request = session.request(step, Ask.JOIN, reference)
    session.send(step, Claim(request, candidate.named, sender, signature))


def go_on(step: Step, hosts: Hosts, positions: dict[int, int]) -> None:
    """Claims that wait for a connection; `positions`: at which candidate each joining that somebody awaits stands.

    One that nobody awaits any more is claimed at the first of its hosts that is connected.
    """
    for row in step.tx.joining.find():
        if row.id in positions:
            _ask(step, hosts, row, positions[row.id])
            continue
        for position, candidate in enumerate(_candidates.decode(row.candidates)):
            host = entries.reach(step, hosts, candidate.relay, candidate.host, candidate.direct, None, row.id)
            if host.session is not None:
                _claim(step, host.session, row.id * MAX_CANDIDATES + position, candidate)
                break


def hosts_of(step: Step, hosts: Hosts) -> set[tuple[RelayKey, Group]]:
    """Where something is still to be claimed."""
    return {
        (candidate.relay, hosts.group_of_joining(row.id, candidate.direct))
        for row in step.tx.joining.find()
        for candidate in _candidates.decode(row.candidates)
    }


def next_candidate(step: Step, hosts: Hosts, joining: int, position: int) -> int | None:
    """Go on with the next host in order; None after the last."""
    row = step.tx.joining.get(joining)
    if row is None or position + 1 >= len(_candidates.decode(row.candidates)):
        return None
    _ask(step, hosts, row, position + 1)
    return position + 1


def waits_for(step: Step, joining: int, position: int, relay: RelayKey) -> bool:
    """Whether this joining stands at a candidate of this host."""
    row = step.tx.joining.get(joining)
    return row is not None and _candidates.decode(row.candidates)[position].relay == relay


def give_up(step: Step, joining: int) -> None:
    """Forget the keys of an invitation that cannot be had."""
    step.tx.joining.remove(joining)


def refusal() -> CallerError:
    """What every place where it could be claimed said."""
    return InvitationUsedError(USED)


def claimed(step: Step, hosts: Hosts, reference: int, reply: Claimed) -> Joined | None:
    """The claim holds: open the invitation, make session, queues and contact, and send the handshake."""
    joining, position = divmod(reference, MAX_CANDIDATES)
    row = step.tx.joining.get(joining)
    if row is None:
        return None
    candidates = _candidates.decode(row.candidates)
    try:
        encoded = row.encoded or _unseal(step, row, candidates[position], reply)
        invitation = decode_invitation(encoded)
        _check(step, invitation)
        if row.identity not in (None, invitation.identity):
            raise CallerError("The invitation is somebody else's than the card. Do not trust where it came from.")
        contact = _make_contact(step, hosts, row, invitation, encoded, candidates, position)
    except (CallerError, PeerError) as error:
        step.tx.joining.remove(joining)
        shown = (
            error
            if isinstance(error, CallerError)
            else CallerError(f"The invitation is damaged ({error}). Ask for a new one.")
        )
        return Joined(joining, None, shown)
    step.tx.joining.remove(joining)
    return Joined(joining, contact, None)


def _unseal(step: Step, row: Joining, candidate: Candidate, reply: Claimed) -> bytes:
    if reply.sealed is None:
        raise PeerError(Code.BAD_INVITATION, "the relay kept none")
    keys = link_keys(step.suite, row.secret, candidate.relay)
    return open_invitation(step.suite, keys, candidate.relay, reply.sealed)


def _make_contact(
    step: Step, hosts: Hosts, row: Joining, invitation: Invitation, encoded: bytes,
    candidates: tuple[Candidate, ...], position: int,
) -> int:  # fmt: skip
    profile = own_profile(step)
    used = candidates[position]
    claim_keys = {candidate.relay: candidate.key for candidate in candidates}
    peer_keys = [claim_keys.get(route.relay) or _fresh_key(step) for route in invitation.routes]
    relays = own_relays(profile) or _adopt(step, profile, invitation)
    contact_id = step.tx.contacts.add(_blank_contact(row, invitation))
    primary = next((route.relay for route in invitation.routes if not route.direct), None)
    ordered = queues.order_relays(step, relays, primary)
    made = [queues.make_queue(step, relay, at, contact=contact_id) for at, relay in enumerate(ordered)]
    named = [
        Sender(route.send_id, SenderKey(key[32:])) for route, key in zip(invitation.routes, peer_keys, strict=True)
    ]
    items = [
        encode_item(Senders(named)),
        encode_item(NewRoutes(1, [queues.as_route(queue) for queue in made])),
        encode_item(ProfileItem(profile.name, step.features)),
    ]
    payload = pad_items(items, FIRST_PAYLOAD_BYTES)
    psk = link_psk(step.suite, row.secret)
    session, body = handshake.join(step.suite, step.entropy, identity_keys(profile), invitation, encoded, psk, payload)
    step.tx.contacts.update(contact_id, reset=session.reset, discovery=session.discovery, own_routes_version=1)
    outbox.save_ratchet(step, contact_id, session.ratchet)
    rows = [
        routes.add_route(step, contact_id, at, route, key, route.relay == used.relay)
        for at, (route, key) in enumerate(zip(invitation.routes, peer_keys, strict=True))
    ]
    first = next(route for route in rows if route.relay == used.relay)
    envelope, _ = seal_envelope(step.suite, first.key, SendId(first.send_id), body)
    step.tx.envelopes.add(SealedEnvelope(0, contact_id, first.id, 0, envelope, None, None))
    queues.attend_all(step, hosts, made)
    _claim_the_others(step, hosts, contact_id)
    if hosts.isolated:
        entries.reach(step, hosts, first.relay, first.host, first.direct, contact_id)
    step.change(ChangeKind.CONTACT, contact_id, ContactState.WAITING)
    return contact_id


def _claim_the_others(step: Step, hosts: Hosts, contact: int) -> None:
    """At once, so that nobody else who holds the link can."""
    for route in routes.ordered(step, contact):
        if route.state is RouteState.UNCLAIMED:
            host = entries.reach_route(step, hosts, route)
            if host.session is not None:
                routes.claim(step, host.session, route)


def _adopt(step: Step, profile: Profile, invitation: Invitation) -> tuple[OwnRelay, ...]:
    """A joiner without relays takes the invitation's."""
    adopted = tuple(OwnRelay(route.host, route.relay, False) for route in invitation.routes if not route.direct)
    if not adopted:
        raise CallerError(
            "Whoever invited you has no relay, and you have none either; add one, then ask for a new invitation."
        )
    step.tx.profile.update(profile.id, relays=msgpack.encode(adopted))
    return adopted


def _blank_contact(row: Joining, invitation: Invitation) -> Contact:
    name = row.name or f"invited by {hash_of(invitation.identity)[:4].hex()}"
    return Contact(
        id=0,
        name=name,
        name_given=row.name is not None,
        identity=invitation.identity,
        state=ContactState.WAITING,
        inviter=False,
        verified=False,
        reset=b"",
        discovery=b"",
        own_routes_version=1,
        peer_routes_version=0,
        peer_floor=0,
        peer_total=0,
        seen_change=0,
        unread=0,
        height=0,
        last_own=None,
    )
