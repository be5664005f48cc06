"""From waiting items to envelopes to custody, and again wherever something may have been lost (Spec 6 §4).

An envelope is sealed only when a route is open, saved, then deposited; on the same queue the same bytes go again, for
another queue the items are sealed anew. Items stay until the contact is known to have them.
"""

import math

from msgspec import msgpack
from msgspec.structs import replace

from protocol.delivery import entries, health, pairing, routes
from protocol.delivery.hosts import Hosts
from protocol.delivery.items import tick, ticked
from protocol.delivery.queues import DAY_SECONDS, announced, as_route
from protocol.delivery.sessions import Ask, HostSession
from protocol.envelope.content import Text, encode_content
from protocol.envelope.envelope import parse_envelope, seal_envelope
from protocol.envelope.fragments import cut_fragment, fragment_count
from protocol.envelope.items import (
    ITEM_ROOM_BYTES,
    MAX_ITEM_ARRAY,
    RECEIVED_ITEM_BYTES,
    Fragment,
    NewRoutes,
    Profile,
    Receipt,
    Received,
    encode_item,
    pad_items,
)
from protocol.errors import Code
from protocol.keys import MessageId, Minute, RelayKey
from protocol.limits import (
    MAX_ENVELOPES_BEFORE_REPLY,
    MAX_GAPS,
    MAX_IN_FLIGHT_DEPOSITS,
    MAX_JUMP,
    MAX_RECEIPTS_PER_ITEM,
    MAX_UNDELIVERED_ENVELOPES,
    PAYLOAD_BYTES,
    RETENTION_DAYS,
)
from protocol.mailbox import (
    Contact,
    ContactState,
    ItemKind,
    Message,
    OutgoingItem,
    PeerRoute,
    RouteState,
    SealedEnvelope,
    Session,
)
from protocol.session import ratchet
from protocol.session.ratchet import Ratchet
from protocol.step import Step
from protocol.wire.commands import Accepted, Deposit

_RECEIPT_OVERHEAD = 5
_RECEIPT_ID_BYTES = 18
_ratchets = msgpack.Decoder(Ratchet)


def load_ratchet(step: Step, contact: int) -> Ratchet:
    """A contact's session state."""
    session = step.tx.sessions.get(contact)
    assert session is not None, f"contact {contact} has no session"
    return _ratchets.decode(session.ratchet)


def save_ratchet(step: Step, contact: int, state: Ratchet) -> None:
    """In the same transaction as what the step was about."""
    step.tx.sessions.save(Session(contact, msgpack.encode(state)))


def pump(step: Step, hosts: Hosts, contact_id: int) -> None:
    """Send what waits for a contact, as far as a route, the window and the connection have room."""
    contact = step.tx.contacts.get(contact_id)
    if contact is None or contact.state is ContactState.REFUSED:
        return
    while step.tx.items.is_due(contact_id, step.now.service):
        chosen = routes.choose(step, hosts, contact_id)
        if chosen is None:
            return
        route, session = chosen
        state = load_ratchet(step, contact_id)
        if not session.has_room or not _may_seal(step, contact, state):
            return
        encoded, carried = _pack(step, contact)
        if carried:
            _deposit(step, session, route, _seal_next(step, contact, state, route, encoded, carried))


def deposit_again(step: Step, hosts: Hosts, session: HostSession) -> None:
    """What was sealed for this host and has no custody yet, byte for byte, as far as the connection has room."""
    session.backlog = not session.has_room
    if session.backlog:
        return
    rows = [
        row
        for contact in hosts.contacts_of(step, session)
        for row in step.tx.envelopes.unstored(session.relay, step.now.service, MAX_IN_FLIGHT_DEPOSITS, contact)
    ]
    for row in rows:
        if not session.has_room:
            break
        route = step.tx.routes.get(row.route)
        if route is None or session.asked(Ask.DEPOSIT, row.id):
            continue
        if entries.reach_route(step, hosts, route).session is session:
            _deposit(step, session, route, row)
    session.backlog = len(rows) >= MAX_IN_FLIGHT_DEPOSITS


def accepted(step: Step, envelope_id: int, reply: Accepted) -> tuple[int, list[MessageId]]:
    """A relay has custody of an envelope: its contact, and the messages that are now relayed whole."""
    row = step.tx.envelopes.brief(envelope_id)
    if row is None:
        return 0, []
    step.tx.envelopes.update(row.id, stored_minute=reply.minute, stored_at=step.now.service)
    relayed: list[MessageId] = []
    for item in step.tx.items.find(sealed=row.id):
        if not item.stored:
            step.tx.items.update(item.id, stored=True)
        if item.message_id is not None and item.kind is ItemKind.FRAGMENT:
            relayed.append(item.message_id)
    whole = [name for name in dict.fromkeys(relayed) if step.tx.items.all_stored(row.contact, name)]
    return row.contact, whole


def deposit_refused(step: Step, hosts: Hosts, session: HostSession, envelope_id: int, code: Code) -> int:
    """A relay does not take an envelope: claim again and repeat, or leave this route alone and take the next."""
    row = step.tx.envelopes.brief(envelope_id)
    route = step.tx.routes.get(row.route) if row is not None else None
    if row is None or route is None:
        return 0
    if code is Code.REFUSED:
        session.proven_routes.discard(route.id)
        if route.id in session.reclaimed:
            return claim_refused(step, route.id, code)
        session.reclaimed.add(route.id)
        routes.claim(step, session, route)
        return row.contact
    route = routes.back_off(step, route, code)
    if _alternative(step, hosts, route) is not None and _room(step, row.contact) > 0:
        whole = step.tx.envelopes.get(row.id)
        assert whole is not None
        _send_elsewhere(step, whole)
    return row.contact


def claim_refused(step: Step, route_id: int, code: Code) -> int:
    """The queue is not ours to use: what was sealed for it goes another way."""
    route = step.tx.routes.get(route_id)
    if route is None:
        return 0
    routes.back_off(step, route, code)
    if code is Code.REFUSED:
        supersede_route(step, route)
    contact = step.tx.contacts.get(route.contact)
    if contact is not None:
        state = routes.verdict(step, contact)
        if state is not contact.state:
            step.tx.contacts.update(contact.id, state=state)
    return route.contact


def take_received(step: Step, contact: Contact, item: Received) -> bool:
    """What the contact has. Whether it misses anything (see `send_missing`). Says nothing about *delivered*."""
    missing = set(item.missing)
    left = item.total < contact.peer_total
    kept: dict[int, int] = {}
    for row in step.tx.envelopes.below(contact.id, item.total):
        if row.index in missing:
            left = True
        else:
            if row.stored_at is not None:
                kept[row.route] = kept.get(row.route, 0) + 1
            _arrived(step, row.id)
    for route, envelopes in kept.items():
        health.arrived(step, route, envelopes)
    if item.floor > contact.peer_floor or item.total > contact.peer_total:
        sent = load_ratchet(step, contact.id).send_index
        floor, total = max(item.floor, contact.peer_floor), min(max(item.total, contact.peer_total), sent)
        step.tx.contacts.update(contact.id, peer_floor=floor, peer_total=total)
    return left


def send_missing(step: Step, contact_id: int) -> bool:
    """Send again what a contact's reports miss, once it is old enough; whether some of it is not yet.

    Missing is whatever is left below the highest `total` that was reported: the rest of it has arrived.
    """
    contact = step.tx.contacts.get(contact_id)
    young = False
    for row in step.tx.envelopes.below(contact_id, contact.peer_total) if contact is not None else ():
        if row.stored_at is None:
            continue
        due = row.stored_at + step.timing.gap_seconds + step.timing.travel_seconds
        if due > step.now.service:
            step.wake_at(due)
            young = True
        elif _room(step, contact_id) > 0:
            health.missed(step, row.route)
            supersede(step, row.id)
    return young


def delivered(step: Step, contact: int, message_id: MessageId) -> None:
    """The contact has the message: nothing of it needs sending."""
    step.tx.items.remove_where(contact=contact, message_id=message_id, kind=ItemKind.FRAGMENT)


def supersede(step: Step, envelope_id: int) -> None:
    """Give up an envelope: its items wait again, and it will be reported as not coming.

    Those that were due leave at once. Receipts, and what `received` said, wait for a tick.
    """
    row = step.tx.envelopes.brief(envelope_id)
    items = step.tx.items.find(sealed=envelope_id)
    if row is not None and (not items or any(item.due == math.inf for item in items)):
        tick(step, row.contact, 1)
    for item in items:
        step.tx.items.update(item.id, sealed=None, due=max(item.due, step.now.service))
        if item.message_id is not None and item.kind is ItemKind.FRAGMENT and item.index == 0:
            message = step.tx.messages.by_id(item.contact, item.message_id)
            if message is not None:
                step.tx.messages.update(message.id, resent=message.resent + 1)
    step.tx.envelopes.remove(envelope_id)


def supersede_route(step: Step, route: PeerRoute) -> None:
    """Everything under way on one route goes another way."""
    for row in step.tx.envelopes.find(route=route.id):
        _send_elsewhere(step, row)


def reroute(step: Step, hosts: Hosts) -> set[int]:
    """Contacts whose envelopes lay on hosts that cannot be reached, and now take another way."""
    touched: set[int] = set()
    for trouble in step.tx.troubles.find():
        down = step.now.service - trouble.since
        for limit in (step.timing.unreachable_seconds, step.timing.reroute_seconds):
            if down < limit:
                step.wake_at(trouble.since + limit)
        if down < step.timing.unreachable_seconds:
            continue
        for route in step.tx.routes.find(relay=trouble.relay):
            if hosts.group_of_contact(route.contact, route.direct) == trouble.group:
                touched |= _reroute_one(step, hosts, route, down >= step.timing.reroute_seconds)
    return touched


def leave(step: Step, hosts: Hosts, relay: RelayKey) -> set[int]:
    """Contacts whose envelopes lay undeposited on a host that has gone: they take another way now, not in a minute."""
    touched: set[int] = set()
    for route in step.tx.routes.find(relay=relay):
        touched |= {route.contact} | _reroute_one(step, hosts, route, False)
    return touched


def renew(step: Step) -> set[int]:
    """What was stored so long ago that its relay will soon forget it: sealed anew while the window allows."""
    touched: set[int] = set()
    before = step.now.service - step.timing.renew_days * DAY_SECONDS
    for row in step.tx.envelopes.stored_before(before, MAX_UNDELIVERED_ENVELOPES):
        contact = step.tx.contacts.get(row.contact)
        assert row.stored_at is not None
        if contact is not None and row.index > 0 and _room(step, contact.id) > 0:
            supersede(step, row.id)
        elif row.stored_at < step.now.service - (RETENTION_DAYS + 1) * DAY_SECONDS:
            step.tx.envelopes.update(row.id, stored_minute=None, stored_at=None)
        touched.add(row.contact)
    return touched


def repeat_handshakes(step: Step) -> None:
    """A handshake that has custody and no answer goes again, byte for byte, on each claimed route in turn.

    Nothing else would tell that its relay lost it: the inviter cannot miss what it never heard of.
    """
    before = step.now.service - step.timing.housekeeping_seconds
    for contact in step.tx.contacts.find(state=ContactState.WAITING):
        for row in step.tx.envelopes.find(contact=contact.id):
            if row.index == 0 and row.stored_at is not None and row.stored_at <= before:
                step.tx.envelopes.update(row.id, stored_minute=None, stored_at=None)
                _move_handshake(step, row)


def repeat_routes(step: Step) -> set[int]:
    """Announcements that have custody and were not heard of since wait again; the contacts that they are for.

    Whoever has only routes that are gone can report nothing missing.
    """
    before = step.now.service - step.timing.routes_again_seconds
    touched: set[int] = set()
    for item in step.tx.items.find(kind=ItemKind.ROUTES):
        row = step.tx.envelopes.brief(item.sealed) if item.sealed is not None else None
        contact = step.tx.contacts.get(item.contact)
        if contact is None or contact.state is not ContactState.ACTIVE:
            continue
        if row is not None and row.stored_at is not None and row.stored_at <= before:
            step.tx.items.update(item.id, sealed=None, due=step.now.service)
            touched.add(item.contact)
    return touched


def _reroute_one(step: Step, hosts: Hosts, route: PeerRoute, stored_too: bool) -> set[int]:
    rows = step.tx.envelopes.find(route=route.id)
    rows = [row for row in rows if stored_too or row.stored_at is None]
    if not rows:
        return set()
    if _alternative(step, hosts, route) is None:
        entries.reach_route(step, hosts, route)
        return set()
    for row in rows[: _room(step, route.contact)]:
        _send_elsewhere(step, row)
    return {route.contact}


def _alternative(step: Step, hosts: Hosts, avoided: PeerRoute) -> PeerRoute | None:
    """Another route of the same contact whose host is connected now; the others are dialled."""
    found = None
    for route in routes.ordered(step, avoided.contact):
        if route.id == avoided.id or route.retry_at > step.now.service:
            continue
        host = entries.reach_route(step, hosts, route)
        if host.session is not None and found is None:
            found = route
    return found


def _send_elsewhere(step: Step, row: SealedEnvelope) -> None:
    """What one route does not take is sealed anew for another, but a handshake goes as it is (Spec 6 §4)."""
    if not _move_handshake(step, row):
        supersede(step, row.id)


def _move_handshake(step: Step, row: SealedEnvelope) -> bool:
    """A handshake (index 0 of a waiting joiner) is never sealed twice: the same body goes to the next claimed route."""
    contact = step.tx.contacts.get(row.contact)
    if contact is None or contact.inviter or contact.state is not ContactState.WAITING or row.index != 0:
        return False
    others = [route for route in routes.ordered(step, row.contact) if route.id != row.route]
    usable = [route for route in others if route.state is not RouteState.REFUSED]
    if usable:
        body = parse_envelope(row.envelope).body
        envelope, _ = seal_envelope(step.suite, usable[0].key, usable[0].send_id, body)
        step.tx.envelopes.update(row.id, route=usable[0].id, envelope=envelope, stored_minute=None, stored_at=None)
        step.wake_at(step.now.service)
    return True


def _may_seal(step: Step, contact: Contact, state: Ratchet) -> bool:
    """Bounds that keep an honest sender within what the reader skips (Spec 4 §5)."""
    if contact.state is ContactState.WAITING and state.send_index >= MAX_ENVELOPES_BEFORE_REPLY:
        return False
    if _room_of(contact, state) <= 0:
        return False
    return step.tx.envelopes.count(contact=contact.id) < MAX_UNDELIVERED_ENVELOPES


def _room(step: Step, contact_id: int) -> int:
    """How many envelopes may be sealed before the contact would have to skip too many."""
    contact = step.tx.contacts.get(contact_id)
    assert contact is not None
    return _room_of(contact, load_ratchet(step, contact_id))


def _room_of(contact: Contact, state: Ratchet) -> int:
    return MAX_JUMP - MAX_GAPS - (state.send_index - contact.peer_total)


def _deposit(step: Step, session: HostSession, route: PeerRoute, row: SealedEnvelope) -> None:
    routes.prove(step, session, route)
    session.send(step, Deposit(session.request(step, Ask.DEPOSIT, row.id), row.envelope))


def _seal_next(
    step: Step, contact: Contact, state: Ratchet, route: PeerRoute, encoded: list[bytes], carried: list[OutgoingItem]
) -> SealedEnvelope:
    """One envelope with what was packed; saved with the ratchet that sealed it."""
    received = _received_item(step, contact, state)
    payload = pad_items([encode_item(received), *encoded], PAYLOAD_BYTES)
    state, body = ratchet.seal(step.suite, step.entropy, state, payload)
    save_ratchet(step, contact.id, state)
    envelope, _ = seal_envelope(step.suite, route.key, route.send_id, body)
    row = SealedEnvelope(0, contact.id, route.id, state.send_index - 1, envelope, None, None)
    row = replace(row, id=step.tx.envelopes.add(row))
    for item in carried:
        if item.kind is not ItemKind.TICK:
            step.tx.items.update(item.id, sealed=row.id)
    for item in carried:
        if item.kind is ItemKind.TICK:
            ticked(step, item)
    return row


def _received_item(step: Step, contact: Contact, state: Ratchet) -> Received:
    lowest = step.tx.envelopes.lowest_index(contact.id)
    missing = _missing(step, contact, MAX_GAPS + 1)
    total = state.receive_index if len(missing) <= MAX_GAPS else missing[MAX_GAPS]
    return Received(lowest if lowest is not None else state.send_index, total, missing[:MAX_GAPS])


def _missing(step: Step, contact: Contact, limit: int) -> list[int]:
    """Lowest indexes of the contact's envelopes that have not come and may still come."""
    return step.tx.skipped.missing(contact.id, contact.peer_floor, limit)


def owe_report(step: Step, contact: Contact) -> None:
    """An envelope came, empty maybe, and others before it have not: the contact hears of it in any case."""
    if _missing(step, contact, 1):
        tick(step, contact.id, 1)


def _pack(step: Step, contact: Contact) -> tuple[list[bytes], list[OutgoingItem]]:
    """Encoded items, and the rows that they carry: what is due, and what rides along; receipts share one item.

    Nothing where nothing is due that has anything to say.
    """
    room = ITEM_ROOM_BYTES - RECEIVED_ITEM_BYTES
    encoded: list[bytes] = []
    carried: list[OutgoingItem] = []
    receipts: list[OutgoingItem] = []
    leaves = False
    for item in step.tx.items.waiting(contact.id, step.now.service, MAX_RECEIPTS_PER_ITEM + 1):
        if item.kind is ItemKind.TICK:
            if item.due <= step.now.service:
                leaves = True
                carried.append(item)
            continue
        if item.kind is ItemKind.RECEIPT:
            need = _RECEIPT_ID_BYTES + (0 if receipts else _RECEIPT_OVERHEAD)
            if need <= room and len(receipts) < MAX_RECEIPTS_PER_ITEM:
                room -= need
                receipts.append(item)
                leaves |= item.due <= step.now.service
            continue
        if len(encoded) >= MAX_ITEM_ARRAY - 2:
            break
        one = _encode(step, contact, item)
        if one is None:
            step.tx.items.remove(item.id)
            continue
        if len(one) > room:
            continue
        leaves |= item.due <= step.now.service
        room -= len(one)
        encoded.append(one)
        carried.append(item)
    if not leaves:
        return [], []
    if receipts:
        names = [item.message_id for item in receipts if item.message_id is not None]
        encoded.append(encode_item(Receipt(names)))
    return encoded, carried + receipts


def _encode(step: Step, contact: Contact, item: OutgoingItem) -> bytes | None:
    """The item's bytes as they are now; None where there is nothing left to say."""
    if item.kind is ItemKind.FRAGMENT:
        assert item.message_id is not None
        message = step.tx.messages.by_id(contact.id, item.message_id)
        if message is None:
            return None
        content = content_of(message)
        chunk = cut_fragment(content, item.index)
        return encode_item(Fragment(item.message_id, item.index, fragment_count(content), chunk))
    if item.kind is ItemKind.ROUTES:
        usable = announced(step.tx.queues.find(contact=contact.id))
        if not usable:
            return None
        return encode_item(NewRoutes(contact.own_routes_version, [as_route(queue) for queue in usable]))
    if item.kind is ItemKind.PAIR:
        told = pairing.item_of(step, contact.id)
        return encode_item(told) if told is not None else None
    profile = step.tx.profile.get(1)
    return encode_item(Profile(profile.name, step.features)) if profile is not None else None


def content_of(message: Message) -> bytes:
    """A message's content, the same bytes each time."""
    parents = [MessageId(message.parents[at : at + 16]) for at in range(0, len(message.parents), 16)]
    return encode_content(Text(message.message_id, parents, Minute(message.minute), message.text))


def _arrived(step: Step, envelope_id: int) -> None:
    """The contact has this envelope: its automatic items are done, its fragments wait for the receipt only."""
    for item in step.tx.items.find(sealed=envelope_id):
        if item.kind is ItemKind.FRAGMENT:
            step.tx.items.update(item.id, arrived=True)
        else:
            step.tx.items.remove(item.id)
    step.tx.envelopes.remove(envelope_id)
