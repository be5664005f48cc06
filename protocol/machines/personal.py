"""The personal machine: one person's contacts, queues and conversations (Spec 6).

A dispatch table over the subjects of `protocol.delivery` and `protocol.conversation`. What is volatile is rebuilt when
hosts reconnect: after a batch that could not be stored, every session is closed and opened again.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from protocol.conversation import timeline
from protocol.crypto.suite import Suite
from protocol.delivery import contacts, entries, inbox, inviting, joining, outbox, pairing, queues, relay_lists, routes
from protocol.delivery.hosts import Hosts
from protocol.delivery.items import begin_ticks, queue_content
from protocol.delivery.loops import Loops, is_loop
from protocol.delivery.sessions import Ask, HostSession, Pending
from protocol.delivery.waiting import Waiting
from protocol.effects import Answer, Disconnect, Effect
from protocol.entropy import Entropy
from protocol.envelope.envelope import parse_envelope
from protocol.errors import Code, DiskFullError, PeerError, WorldError
from protocol.events import (
    Closed,
    Event,
    Failed,
    Found,
    Gone,
    Now,
    Opened,
    Requested,
    Started,
    TimePassed,
    Unreachable,
    Woken,
)
from protocol.events import Received as FrameReceived
from protocol.keys import SHARED
from protocol.limits import (
    MAX_IN_FLIGHT_DEPOSITS,
    MAX_UNDELIVERED_ENVELOPES,
)
from protocol.machines import asked, incoming
from protocol.mailbox import InvitationState, MessageState, PersonalTransaction, QueueState, RouteState
from protocol.operations import (
    Accept,
    CancelInvitation,
    Carried,
    ChooseRelays,
    Configure,
    FollowList,
    Invite,
    MarkSeen,
    Queued,
    RemoveContact,
    SendText,
    SetContact,
    SetName,
    UnfollowList,
)
from protocol.step import Step
from protocol.timing import Timing
from protocol.wire.commands import (
    Accepted,
    Ack,
    Claimed,
    Delivery,
    Described,
    Done,
    Ended,
    Kept,
    Marker,
    MarkerKind,
    Reachable,
    Refused,
    Returned,
    Subscribed,
)


class Personal:
    """The machine; `suite`, `entropy` and `timing` are all that it knows of the outside."""

    def __init__(
        self, suite: Suite, entropy: Entropy, timing: Timing, features: int = 0, *, forward: bool = False,
        groups: int = 0, constant: bool = False,
    ) -> None:  # fmt: skip
        """`features`: what this node reads beyond version 1, as its profile lists it (Spec 5 §3). `forward`: relays of
        contacts are reached by an entry relay only (Spec 12). `groups`: into how many contacts are spread
        that share no session (Spec 7 §8).
        `constant`: links have streams for loops and drops (Spec 10 §4)."""
        self._suite = suite
        self._entropy = entropy
        # What is reported missing may have come while the report was being mixed.
        self._timing = replace(timing, gap_seconds=timing.gap_seconds + timing.forward_seconds) if forward else timing
        self._features = features
        self._hosts = Hosts(forward, groups)
        self._waiting = Waiting(self._hosts)
        self._loops = Loops(constant)
        self._wake = math.inf
        self._next_housekeeping = 0.0
        self._missing: set[int] = set()
        """Contacts that may have reported envelopes missing which are too young to be sent again."""

    @property
    def next_wake(self) -> float | None:
        """Service seconds of the next TimePassed."""
        return None if self._wake == math.inf else self._wake

    def handle(self, event: Event, tx: PersonalTransaction, now: Now) -> Sequence[Effect]:
        """One event, one step."""
        step = Step(tx, now, self._suite, self._entropy, self._timing, self._wake_at, self._features)
        self._waiting.begin(now)
        self._hosts.prompt = isinstance(event, Requested) and isinstance(event.operation, SendText | Invite | Accept)
        _EVENTS[type(event)](self, step, event)
        return step.effects

    def _wake_at(self, service: float) -> None:
        self._wake = min(self._wake, service)

    # Time and connections

    def _started(self, step: Step, _event: Started) -> None:
        self._look_again(step)
        pairing.begin(step)
        begin_ticks(step)
        queues.want_hosts(step, self._hosts)
        self._upkeep(step)

    def _look_again(self, step: Step) -> None:
        """What the store says of whatever is remembered for speed."""
        self._next_housekeeping = step.now.service
        stored = step.tx.envelopes.stored_before(step.now.service, MAX_UNDELIVERED_ENVELOPES)
        self._missing = {row.contact for row in stored}

    def _time_passed(self, step: Step, _event: TimePassed) -> None:
        self._upkeep(step)

    def _upkeep(self, step: Step) -> None:
        """Everything that waits for a time looks whether it has come, and asks for the next."""
        self._wake = math.inf
        if self._next_housekeeping <= step.now.service:
            self._next_housekeeping = step.now.service + step.timing.housekeeping_seconds
            self._housekeeping(step)
        step.wake_at(self._next_housekeeping)
        queues.want_hosts(step, self._hosts)
        self._hosts.hang_up_on_the_silent(step)
        self._waiting.time_passed(step)
        self._loops.time_passed(step, self._hosts)
        timeline.show_overdue(step)
        touched = outbox.reroute(step, self._hosts) | self._missing
        self._missing = {contact for contact in self._missing if outbox.send_missing(step, contact)}
        unstored = step.tx.envelopes.any_unstored()
        for session in self._hosts.open_sessions():
            queues.create_again(step, session)
            if unstored:
                outbox.deposit_again(step, self._hosts, session)
        routes.reach_again(step, self._hosts)
        for tunnel in self._hosts.tunnels.all() if unstored else ():
            outbox.deposit_again(step, self._hosts, tunnel)
        due = step.tx.items.next_due()
        if due is not None and due <= step.now.service:
            self._pump_all(step, touched)
            due = step.tx.items.next_due(step.now.service)
        elif touched:
            self._pump_all(step, touched)
        if due is not None:
            step.wake_at(due)

    def _housekeeping(self, step: Step) -> None:
        forget_before = step.now.service - self._timing.forget_days * queues.DAY_SECONDS
        step.tx.forget(forget_before)
        queues.retire_due(step, self._hosts)
        queues.give_up_dropping(step, self._hosts)
        inviting.expire_due(step, self._hosts)
        hosts = self._hosts
        self._loops.keep_queues(step, hosts)
        used = queues.hosts_of(step, hosts) | routes.hosts_of(step, hosts) | joining.hosts_of(step, hosts)
        hosts.forget_unused(step, used | self._loops.used(step))
        outbox.repeat_handshakes(step)
        for contact in sorted(outbox.renew(step) | outbox.repeat_routes(step) | pairing.renew(step)):
            outbox.pump(step, self._hosts, contact)

    def _pump_all(self, step: Step, more: set[int]) -> None:
        for contact in dict.fromkeys([*step.tx.items.due_contacts(step.now.service), *sorted(more)]):
            outbox.pump(step, self._hosts, contact)

    def _opened(self, step: Step, event: Opened) -> None:
        if event.relay is None:
            raise PeerError(Code.REFUSED, "a personal machine has only connections that it dialled")
        session = self._hosts.opened(step, event.connection, event.relay, event.handshake_hash, event.group)
        for queue in step.tx.queues.find(relay=event.relay):
            if self._hosts.group_of(queue) == event.group:
                queues.attend(step, session, queue)
        self._use(step, session)

    def _use(self, step: Step, session: HostSession) -> None:
        """A relay of contacts can be reached: what waited for it goes on."""
        for route in step.tx.routes.find(relay=session.relay):
            if (
                session.group in {SHARED, self._hosts.group_of_contact(route.contact, route.direct)}
                and route.state is RouteState.UNCLAIMED
                and route.retry_at <= step.now.service
            ):
                reached = entries.reach_route(step, self._hosts, route).session
                if reached is session:
                    routes.claim(step, session, route)
        outbox.deposit_again(step, self._hosts, session)
        routes.reach_again(step, self._hosts)
        self._waiting.go_on(step)
        self._loops.supply(step, self._hosts)
        self._pump_all(step, outbox.reroute(step, self._hosts))

    def _closed(self, step: Step, event: Closed) -> None:
        self._loops.closed(event.connection, self._hosts.closed(step, event.connection))

    def _unreachable(self, step: Step, event: Unreachable) -> None:
        self._hosts.unreachable(step, event.relay, event.group)
        self._waiting.unreachable(step, event.relay, event.group, event.reason)
        self._pump_all(step, set())

    def _found(self, step: Step, event: Found) -> None:
        self._hosts.found(step, event.relay, event.host)

    def _gone(self, step: Step, event: Gone) -> None:
        self._hosts.gone(step, event.relay)
        self._pump_all(step, outbox.leave(step, self._hosts, event.relay))

    def _woken(self, _step: Step, _event: Woken) -> None:
        """Queues of a relay; nothing here has any."""

    def _failed(self, step: Step, event: Failed) -> None:
        """Nothing of the batch happened: say so to the person, and start anew with every host."""
        what = event.event
        if isinstance(what, Requested):
            full = DiskFullError("The disk is full: nothing was changed. Free some space and try again.")
            error = full if event.full else WorldError("The mailbox could not be written; nothing was changed.")
            step.effects.append(Answer(what.request, error))
        if isinstance(what, Opened):
            step.effects.append(Disconnect(what.connection, Code.INTERNAL))
        self._waiting.failed(step)
        self._loops.forget()
        self._look_again(step)
        self._hosts.start_anew(step, what.connection if isinstance(what, Closed) else None)

    # What hosts answer

    def _received(self, step: Step, event: FrameReceived) -> None:
        session = self._hosts.sessions.get(event.connection)
        if session is None:
            return
        for command in event.commands:
            _REPLIES[type(command)](self, step, session, command)

    def _done(self, step: Step, session: HostSession, reply: Done) -> None:
        pending = self._answered(session, reply.request)
        self._hosts.answered_well(session.connection)
        if pending.ask is Ask.CREATE:
            queue = queues.created(step, session, pending.row)
            if queue is not None and queue.invitation is not None:
                self._waiting.queue_created(step, queue.invitation)
            if queue is not None and queue.contact is not None:
                outbox.pump(step, self._hosts, queue.contact)
        elif pending.ask is Ask.DROP:
            queues.dropped(step, pending.row)
        elif pending.ask is Ask.SETTLE:
            settled = step.tx.queues.get(pending.row)
            if settled is not None:
                step.tx.queues.update(settled.id, sealed=None)

    def _claimed(self, step: Step, session: HostSession, reply: Claimed) -> None:
        pending = self._answered(session, reply.request)
        if pending.ask is Ask.CLAIM:
            route = routes.claimed(step, pending.row)
            if route is not None:
                outbox.deposit_again(step, self._hosts, session)
                outbox.pump(step, self._hosts, route.contact)
        elif pending.ask is Ask.JOIN:
            self._hosts.prompt = True
            self._waiting.joined(step, joining.claimed(step, self._hosts, pending.row, reply))
            outbox.deposit_again(step, self._hosts, session)
        elif pending.ask is Ask.CLAIM_LOOP:
            self._loops.claimed(step, self._hosts, pending.row)

    def _subscribed(self, _step: Step, session: HostSession, reply: Subscribed) -> None:
        self._answered(session, reply.request)

    def _accepted(self, step: Step, session: HostSession, reply: Accepted) -> None:
        was_full = session.in_flight >= MAX_IN_FLIGHT_DEPOSITS
        pending = self._answered(session, reply.request)
        contact, relayed = outbox.accepted(step, pending.row, reply)
        timeline.advance(step, contact, relayed, MessageState.RELAYED)
        if contact and outbox.send_missing(step, contact):  # reported before its relay took it, once more
            self._missing.add(contact)
        if session.backlog and session.in_flight < MAX_IN_FLIGHT_DEPOSITS // 2:
            outbox.deposit_again(step, self._hosts, session)
        if was_full:
            self._pump_all(step, set())
        elif contact:
            outbox.pump(step, self._hosts, contact)

    def _reachable(self, step: Step, session: HostSession, reply: Reachable) -> None:
        tunnel = self._hosts.tunnels.established(step, session, reply)
        if tunnel is not None:
            self._use(step, tunnel)

    def _returned(self, step: Step, session: HostSession, reply: Returned) -> None:
        ours = self._loops.returned(step, self._hosts, session, reply)
        found = self._hosts.tunnels.returned(step, session, reply) if not ours else None
        if found is not None:
            tunnel, command = found
            _REPLIES[type(command)](self, step, tunnel, command)

    def _refused(self, step: Step, session: HostSession, reply: Refused) -> None:
        if self._loops.refused(step, self._hosts, session, reply):
            return
        far = self._hosts.tunnels.refused(step, session, reply)
        if far is not None:
            self._waiting.unreachable(step, far.relay, far.group, "another relay could not reach it")
            self._pump_all(step, outbox.reroute(step, self._hosts))
            return
        pending = self._answered(session, reply.request)
        contact = 0
        if pending.ask in (Ask.CREATE, Ask.PROVE_QUEUE, Ask.SUBSCRIBE):
            queues.refused(step, self._hosts, session, pending.row, reply.code)
        elif pending.ask is Ask.DROP:
            queues.dropped(step, pending.row)
        elif pending.ask is Ask.CLAIM:
            contact = outbox.claim_refused(step, pending.row, reply.code)
        elif pending.ask is Ask.JOIN:
            self._waiting.refused(step, pending.row)
        elif pending.ask is Ask.DEPOSIT:
            contact = outbox.deposit_refused(step, self._hosts, session, pending.row, reply.code)
        elif pending.ask is Ask.CLAIM_LOOP:
            self._loops.claim_refused(step, self._hosts, pending.row, reply.code)
        if contact:
            outbox.pump(step, self._hosts, contact)

    def _described(self, _step: Step, _session: HostSession, _reply: Described | Kept) -> None:
        """Lists and cards are asked for on connections of their own (Spec 11 §5, 13 §4)."""
        raise PeerError(Code.MALFORMED, "an answer to nothing")

    def _answered(self, session: HostSession, request: Any) -> Pending:
        pending = session.answered(request)
        if pending is None:
            raise PeerError(Code.MALFORMED, "an answer to nothing")
        return pending

    # What queues bring

    def _marker(self, step: Step, session: HostSession, entry: Marker) -> None:
        queue_id = session.subscriptions.get(entry.subscription)
        queue = step.tx.queues.get(queue_id) if queue_id is not None else None
        if queue is not None and entry.marker is MarkerKind.CLAIMED and entry.key is not None:
            inviting.check_claim(step, self._hosts, queue, entry.key, entry.minute)
        step.send(session.connection, Ack(entry.subscription, entry.sequence))

    def _ended(self, _step: Step, session: HostSession, entry: Ended) -> None:
        session.subscriptions.pop(entry.subscription, None)

    def _delivery(self, step: Step, session: HostSession, entry: Delivery) -> None:
        """One envelope: committed with all that it brings, then acknowledged."""
        queue_id = session.subscriptions.get(entry.subscription)
        queue = step.tx.queues.get(queue_id) if queue_id is not None else None
        if queue is None or queue.state is QueueState.DROPPING:
            return
        envelope = parse_envelope(entry.envelope)
        if envelope.send_id != queue.send_id:
            raise PeerError(Code.MALFORMED, "an envelope of another queue")
        if is_loop(queue):
            self._loops.came_back(step, envelope)
        elif queue.contact is None:
            self._hosts.prompt = True
            contact = inviting.receive_handshake(step, self._hosts, queue, envelope)
            if contact is None:
                if session.hold(queue.id):
                    return
            else:
                queues.listen_again(step, self._hosts, queue.id)
                outbox.pump(step, self._hosts, contact.id)
        else:
            self._open(step, queue.contact, envelope)
        step.send(session.connection, Ack(entry.subscription, entry.sequence))

    def _open(self, step: Step, contact_id: int, envelope: Any) -> None:
        contact = step.tx.contacts.get(contact_id)
        if contact is None:
            return
        was = contact.state
        outcome = inbox.open_envelope(step, contact, envelope)
        for item in outcome.items:
            fresh = step.tx.contacts.get(contact_id)
            assert fresh is not None
            if incoming.take(step, fresh, item):
                self._missing.add(contact_id)
        if outcome.fate is inbox.Fate.OPENED:
            now = step.tx.contacts.get(contact_id)
            if now is not None and now.state is not was:
                contacts.changed(step, contact_id)
            if now is not None:
                outbox.owe_report(step, now)
            outbox.pump(step, self._hosts, contact_id)

    # What the person asks

    def _requested(self, step: Step, event: Requested) -> None:
        _OPERATIONS[type(event.operation)](self, step, event.request, event.operation)
        if isinstance(event.operation, Configure | ChooseRelays | FollowList):
            self._next_housekeeping = step.now.service  # this node's own relays may be others
            step.wake_at(step.now.service)

    def _send_text(self, step: Step, request: int, operation: SendText) -> None:
        timeline.check_text(operation.text)
        contact = contacts.writable(step, operation.contact)
        message, change = timeline.add_own(step, contact, operation.text)
        queue_content(step, contact.id, message.message_id, outbox.content_of(message))
        outbox.pump(step, self._hosts, contact.id)
        step.effects.append(Answer(request, Queued(message.message_id, change)))

    def _invite(self, step: Step, request: int, operation: Invite) -> None:
        number = inviting.make_invitation(step, self._hosts, operation.lifetime_minutes, operation.name)
        self._waiting.invite(step, request, number)

    def _accept(self, step: Step, request: int, operation: Accept) -> None:
        number = joining.begin(step, self._hosts, operation.link, operation.file, operation.name, operation.identity)
        self._waiting.accept(step, request, number)

    def _answer(self, step: Step, request: int, operation: Any) -> None:
        step.effects.append(Answer(request, asked.answer(step, self._hosts, operation)))

    def _carry(self, step: Step, request: int, operation: Any) -> None:
        """Operations that are done when they are stored."""
        match operation:
            case Configure():
                removed = contacts.configure(step, self._hosts, operation)
                for relay in removed:
                    self._hosts.forget(step, relay)
            case SetName():
                contacts.set_own_name(step, operation.name)
                self._pump_all(step, set())
            case CancelInvitation():
                inviting.cancel(step, self._hosts, operation.invitation, InvitationState.CANCELLED)
            case SetContact():
                contacts.set_contact(step, operation)
            case RemoveContact():
                contacts.remove(step, self._hosts, operation.contact)
            case MarkSeen():
                contacts.mark_seen(step, operation)
            case UnfollowList():
                relay_lists.unfollow(step, operation.number)
        step.effects.append(Answer(request, Carried()))


_EVENTS: dict[type, Callable[[Personal, Step, Any], None]] = {
    Started: Personal._started,
    TimePassed: Personal._time_passed,
    Opened: Personal._opened,
    Closed: Personal._closed,
    Unreachable: Personal._unreachable,
    Found: Personal._found,
    Gone: Personal._gone,
    FrameReceived: Personal._received,
    Requested: Personal._requested,
    Woken: Personal._woken,
    Failed: Personal._failed,
}

_REPLIES: dict[type, Callable[[Personal, Step, HostSession, Any], None]] = {
    Done: Personal._done,
    Claimed: Personal._claimed,
    Subscribed: Personal._subscribed,
    Accepted: Personal._accepted,
    Refused: Personal._refused,
    Described: Personal._described,
    Kept: Personal._described,
    Delivery: Personal._delivery,
    Marker: Personal._marker,
    Ended: Personal._ended,
    Reachable: Personal._reachable,
    Returned: Personal._returned,
}

_OPERATIONS: dict[type, Callable[[Personal, Step, int, Any], None]] = {
    SendText: Personal._send_text,
    Invite: Personal._invite,
    Accept: Personal._accept,
    Configure: Personal._carry,
    SetName: Personal._carry,
    CancelInvitation: Personal._carry,
    SetContact: Personal._carry,
    RemoveContact: Personal._carry,
    MarkSeen: Personal._carry,
    UnfollowList: Personal._carry,
    **dict.fromkeys(asked.OPERATIONS, Personal._answer),
}
