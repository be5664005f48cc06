"""Loops and drops: what the other two streams of a constant link carry, and how a relay is found out (Spec 10 §9).

A loop is an envelope of random bytes to a queue of this node's own, by way of an entry relay. The entry sees an onion
as it sees them all; the relay of the queue sees an envelope as it sees them all. So whoever drops what it was given
drops loops too, and loops that do not come back tell of it. A drop is an onion with nothing in it.

Stored are the queue and how many came back. What is under way is volatile: of a session that ends, nothing is counted.
"""

from collections.abc import Sequence
from typing import TypeVar

from msgspec import Struct

from protocol.crypto.labels import LOOP_SENDER
from protocol.crypto.proofs import claim_message
from protocol.crypto.suite import sha256
from protocol.delivery import health, queues
from protocol.delivery.hosts import Hosts
from protocol.delivery.own import own_profile, own_relays
from protocol.delivery.sessions import Ask, HostSession
from protocol.delivery.tunnels import Tunnel
from protocol.effects import Alarm, Send
from protocol.envelope.envelope import Envelope, seal_envelope
from protocol.errors import Code, PeerError
from protocol.forwarding.onion import Content, open_reply, seal_onion
from protocol.keys import LOOPS, SHARED, Connection, Digest, Group, RelayKey, Request, SenderKey, SigningKey
from protocol.limits import BODY_BYTES
from protocol.mailbox import OwnQueue, OwnRelay, QueueState
from protocol.step import Step
from protocol.traffic.policies import Stream
from protocol.wire.commands import Claim, Forward, Refused, Returned
from protocol.wire.onions import Cover, OnionDeposit, OnionStored

T = TypeVar("T")


class _UnderWay(Struct):
    """A loop, from when it is given to the link; or a drop, which has no queue and no digest."""

    connection: Connection
    entry: RelayKey
    destination: RelayKey
    stream: Stream
    reply_key: bytes
    until: float
    queue: int = 0
    digest: Digest = Digest(b"")


def is_loop(queue: OwnQueue) -> bool:
    """Whether loops come on this queue: it is no contact's, and no invitation's."""
    return queue.contact is None and queue.invitation is None


class Loops:
    """All of this process. `active`: links are constant."""

    def __init__(self, active: bool) -> None:
        self._active = active
        self._asked: dict[tuple[Connection, Request], _UnderWay] = {}
        """Given to the link, and not answered by the entry: at most one a session and stream."""
        self._travelling: dict[Digest, _UnderWay] = {}
        """Loops that did not come back yet."""
        self._rests: dict[RelayKey, float] = {}
        """By which entry the next loop goes when."""
        self._look_at = 0.0

    # What is wanted

    def keep_queues(self, step: Step, hosts: Hosts) -> None:
        """One on each relay of this node's own, where there are two or more; on no other."""
        wanted = {relay.relay: relay for relay in self._relays(step)}
        kept = [queue for queue in step.tx.queues.find(contact=None, invitation=None) if _is_kept(queue)]
        for queue in kept:
            if wanted.pop(queue.relay, None) is None:
                queues.drop(step, hosts, queue)
        made = [queues.make_queue(step, relay, 0) for relay in wanted.values()]
        queues.attend_all(step, hosts, made)

    def used(self, step: Step) -> set[tuple[RelayKey, Group]]:
        """The relays to which loops go, as hosts are named."""
        return {(relay.relay, LOOPS) for relay in self._relays(step)}

    def time_passed(self, step: Step, hosts: Hosts) -> None:
        """Count what did not come back, and see to it that something is there for each link's next tick."""
        if not self._active:
            return
        if self._look_at <= step.now.service:
            self._count_lost(step)
            self.supply(step, hosts)
        step.wake_at(self._look_at)

    def supply(self, step: Step, hosts: Hosts) -> None:
        """Give each link with an own relay a loop and a drop, where it has none that waits for an answer."""
        if not self._active:
            return
        soon = step.now.service + step.timing.loop_look_seconds
        self._look_at = min([soon, *(one.until for one in (*self._asked.values(), *self._travelling.values()))])
        own = self._relays(step)
        group = LOOPS if hosts.isolated else SHARED
        for entry in own:
            session = hosts.want(step, entry.relay, entry.host, False, group).session
            if session is None:
                continue
            far = [hosts.tunnels.reach(step, one.relay, one.host, entry.relay, session, LOOPS) for one in own
                   if one.relay != entry.relay]  # fmt: skip
            tunnels = [one.session for one in far if one.session is not None]
            busy = {one.stream for one in self._asked.values() if one.connection == session.connection}
            if tunnels and Stream.DROP not in busy:
                self._give(step, entry.relay, _one_of(step, tunnels), Stream.DROP, Cover())
            ready = [(tunnel, queue) for tunnel in tunnels if (queue := self._ready(step, tunnel)) is not None]
            if ready and Stream.LOOP not in busy and self._rests.get(entry.relay, 0.0) <= step.now.service:
                self._rests[entry.relay] = step.now.service + step.timing.loop_pause_seconds
                self._loop(step, entry.relay, *_one_of(step, ready))

    def _relays(self, step: Step) -> list[OwnRelay]:
        if not self._active:
            return []
        own = [relay for relay in own_relays(own_profile(step)) if not relay.direct]
        return own if len(own) > 1 else []

    def _ready(self, step: Step, tunnel: Tunnel) -> OwnQueue | None:
        """The queue behind a tunnel, once this node may deposit in it; else that is asked for."""
        for queue in step.tx.queues.find(relay=tunnel.relay, contact=None, invitation=None):
            if queue.state is not QueueState.READY:
                continue
            if queue.claimed_by is not None:
                return queue
            if not tunnel.asked(Ask.CLAIM_LOOP, queue.id):
                sender = SenderKey(_sender(step, queue)[32:])
                message = claim_message(queue.relay, queue.send_id, sender)
                signature = step.suite.sign(step.suite.signing_key(queue.claim_seed), message)
                request = tunnel.request(step, Ask.CLAIM_LOOP, queue.id)
                tunnel.send(step, Claim(request, queue.send_id, sender, signature))
        return None

    def _loop(self, step: Step, entry: RelayKey, tunnel: Tunnel, queue: OwnQueue) -> None:
        body = step.entropy.secret(BODY_BYTES)
        envelope, digest = seal_envelope(step.suite, _sender(step, queue), queue.send_id, body)
        loop = self._give(step, entry, tunnel, Stream.LOOP, OnionDeposit(envelope))
        loop.queue, loop.digest = queue.id, digest
        self._travelling[digest] = loop

    def _give(self, step: Step, entry: RelayKey, tunnel: Tunnel, stream: Stream, content: Content) -> _UnderWay:
        key = tunnel.descriptor
        onion, reply_key = seal_onion(step.suite, step.entropy, tunnel.relay, key.epoch, key.key, content)
        request = tunnel.entry.number()
        until = step.now.service + step.timing.loop_seconds
        given = _UnderWay(tunnel.connection, entry, tunnel.relay, stream, reply_key, until)
        self._asked[tunnel.connection, request] = given
        self._look_at = min(self._look_at, until)
        step.effects.append(Send(tunnel.connection, Forward(request, tunnel.destination, onion), stream))
        return given

    # What becomes of it

    def claimed(self, step: Step, hosts: Hosts, queue_id: int) -> None:
        """This node may deposit in a queue of its own."""
        queue = step.tx.queues.get(queue_id)
        if queue is not None:
            step.tx.queues.update(queue.id, claimed_by=SenderKey(_sender(step, queue)[32:]))
            self.supply(step, hosts)

    def claim_refused(self, step: Step, hosts: Hosts, queue_id: int, code: Code) -> None:
        """Somebody else did, whatever the relay says of it; or it has lost the queue. Another one is made; but where
        the relay only cannot now, it is asked again."""
        queue = step.tx.queues.get(queue_id)
        if code is Code.REFUSED and queue is not None and _is_kept(queue):
            queues.drop(step, hosts, queue)  # the next is made with the next housekeeping

    def returned(self, step: Step, hosts: Hosts, session: HostSession, reply: Returned) -> bool:
        """Whether this answers a loop or a drop."""
        given = self._asked.pop((session.connection, reply.request), None)
        if given is None:
            return False
        try:
            answer = open_reply(step.suite, given.reply_key, reply.sealed)
        except PeerError:
            answer = None
        if answer is not None:
            health.loop_done(step, given.entry, forwarded=True)
        if not isinstance(answer, OnionStored) and given.stream is Stream.LOOP:
            self._travelling.pop(given.digest, None)
            step.tx.queues.update(given.queue, claimed_by=None)  # to be claimed again
        self.supply(step, hosts)
        return True

    def refused(self, step: Step, hosts: Hosts, session: HostSession, reply: Refused) -> bool:
        """The same where the entry could not bring it there: no fault of the relay behind that anybody can prove."""
        given = self._asked.pop((session.connection, reply.request), None)
        if given is None:
            return False
        self._travelling.pop(given.digest, None)
        hosts.tunnels.leave(step, given.destination, given.entry, LOOPS)
        return True

    def came_back(self, step: Step, envelope: Envelope) -> None:
        """Whatever arrives on a queue of loops; what this process did not send says nothing."""
        loop = self._travelling.pop(envelope.digest, None)
        if loop is not None:
            health.loop_done(step, loop.destination, forwarded=False)

    def closed(self, connection: Connection, relay: RelayKey | None) -> None:
        """What was under way by this session, or was to come back on it, is not counted."""
        for name in [name for name in self._asked if name[0] == connection]:
            del self._asked[name]
        for digest, loop in list(self._travelling.items()):
            if loop.connection == connection or loop.destination == relay:
                del self._travelling[digest]
        self._look_at = 0.0

    def forget(self) -> None:
        """A step was undone: what is remembered may never have been."""
        self._asked.clear()
        self._travelling.clear()
        self._look_at = 0.0

    def _count_lost(self, step: Step) -> None:
        """The relay that has it, as far as it has said: the entry until it answers, then the other."""
        for name, given in list(self._asked.items()):
            if given.until <= step.now.service:
                del self._asked[name]
                self._travelling.pop(given.digest, None)
                self._lost(step, given.entry, forwarded=True)
        for digest, loop in list(self._travelling.items()):
            if loop.until <= step.now.service:
                del self._travelling[digest]
                self._lost(step, loop.destination, forwarded=False)

    def _lost(self, step: Step, relay: RelayKey, *, forwarded: bool) -> None:
        if health.loop_lost(step, relay, forwarded=forwarded):
            step.effects += [Alarm(own.host) for own in self._relays(step) if own.relay == relay]


def _is_kept(queue: OwnQueue) -> bool:
    return queue.state in (QueueState.CREATING, QueueState.READY)


def _sender(step: Step, queue: OwnQueue) -> SigningKey:
    """The key that signs what this node deposits in its own queue."""
    return step.suite.signing_key(sha256(LOOP_SENDER, queue.claim_seed))


def _one_of(step: Step, some: Sequence[T]) -> T:
    return some[int(step.entropy.uniform() * len(some))]
