"""What each command to a relay does, and who may give it (Spec 8 §3).

A refusal always costs exactly one Ed25519 verification, of a key that nobody was given where there is none to check. So
neither its text nor its time says whether a queue exists. What a session has proved is compared with the queue's row at
each use, so that nothing that is rolled back can leave it stale.
"""

from typing import NamedTuple, TypeAlias

from msgspec import Struct, field

from protocol.crypto.proofs import claim_message, create_message, prove_message, receive_id
from protocol.crypto.suite import Suite
from protocol.effects import Effect, Send
from protocol.envelope.envelope import envelope_is_signed, parse_envelope
from protocol.errors import Code, PeerError
from protocol.events import Now
from protocol.keys import (
    Connection,
    HandshakeHash,
    LinkId,
    QueueNumber,
    ReceiveId,
    RecipientKey,
    RelayKey,
    Request,
    SenderKey,
    SendId,
    Sequence,
    Signature,
    Subscription,
)
from protocol.limits import (
    MAX_CREATES_PER_CONNECTION,
    MAX_INVITATION_DAYS,
    MAX_MARKERS_PER_QUEUE,
    MAX_PROVEN_PER_CONNECTION,
    MAX_QUEUES_PER_CONNECTION,
    RETENTION_DAYS,
)
from protocol.machines.subscriptions import Subscriptions, encode_marker
from protocol.relays.parts import cut_part
from protocol.store import Queue, RelayTransaction
from protocol.wire.commands import (
    Accepted,
    Ack,
    Claim,
    Claimed,
    Command,
    Create,
    Deposit,
    Described,
    Done,
    Drop,
    Info,
    MarkerKind,
    Prove,
    Refused,
    Role,
    Settle,
    Subscribe,
    Subscribed,
    ToNode,
)

RETENTION_SECONDS = RETENTION_DAYS * 86_400.0


class Session(Struct, gc=False):
    """What one connection has shown. `recipients` and `senders`: which key it proved for which id."""

    handshake_hash: HandshakeHash
    recipients: dict[ReceiveId, RecipientKey] = field(default_factory=dict)
    senders: dict[SendId, SenderKey] = field(default_factory=dict)
    creates: int = 0
    publishes: int = 0
    lookups: int = 0


class Subscribing(NamedTuple):
    """Due once the `subscribed` is committed."""

    connection: Connection
    subscription: Subscription
    queue: QueueNumber


class Acknowledging(NamedTuple):
    """Due once the entry's erasure is committed."""

    connection: Connection
    queue: QueueNumber
    sequence: Sequence


class Dropping(NamedTuple):
    """Due once the queue's erasure is committed."""

    queue: QueueNumber


Due: TypeAlias = Subscribing | Acknowledging | Dropping


class Step:
    """The commands of one event: what they see, and what is to follow."""

    __slots__ = ("connection", "due", "effects", "erase_by", "minute", "now", "session", "subscriptions", "tx", "woken")

    def __init__(
        self, connection: Connection, session: Session, subscriptions: Subscriptions, tx: RelayTransaction, now: Now
    ) -> None:
        self.connection = connection
        self.session = session
        self.subscriptions = subscriptions
        self.tx = tx
        self.now = now
        self.minute = now.minute
        self.effects: list[Effect] = []
        self.due: list[Due] = []
        self.woken: dict[QueueNumber, None] = {}
        self.erase_by: float | None = None
        """When the first of what this step keeps is over, in service seconds."""

    def reply(self, command: ToNode) -> None:
        self.effects.append(Send(self.connection, command))

    def take_over(self, other: "Step") -> None:
        """What is to follow from the commands of another step with the same transaction; but not its replies."""
        self.due += other.due
        self.woken.update(other.woken)
        if other.erase_by is not None:
            self.erase_by = other.erase_by if self.erase_by is None else min(self.erase_by, other.erase_by)

    def replies(self) -> list[Command]:
        """What is to be said on the connection."""
        return [effect.command for effect in self.effects if isinstance(effect, Send)]

    def append(self, queue: QueueNumber, body: bytes, counted: bool) -> None:
        """An entry, until it is acknowledged or retention is over."""
        self.tx.entries.append(queue, body, self.now.service, counted)
        self.erase_by = self.erase_by or self.now.service + RETENTION_SECONDS
        self.woken[queue] = None

    def refuse(self, request: Request, code: Code = Code.REFUSED) -> None:
        self.reply(Refused(request, code))


class Commands:
    """The dispatch table; without state of its own."""

    def __init__(self, suite: Suite, relay_key: RelayKey, quota_envelopes: int, offered: bytes) -> None:
        self._suite = suite
        self._relay_key = relay_key
        self._quota = quota_envelopes
        self._offered = offered
        nobody = suite.signing_key(bytes(32))
        self._stranger = SenderKey(nobody[32:])
        self._blank = suite.sign(nobody, b"")

    def carry_out(self, command: Command, step: Step) -> None:
        """Raises PeerError: MALFORMED (not an envelope), LIMIT (too much for one connection)."""
        match command:
            case Deposit():
                self._deposit(command, step)
            case Ack():
                self._acknowledge(command, step)
            case Subscribe():
                self._subscribe(command, step)
            case Prove():
                self._prove(command, step)
            case Create():
                self._create(command, step)
            case Claim():
                self._claim(command, step)
            case Settle():
                self._settle(command, step)
            case Drop():
                self._drop(command, step)
            case Info():
                step.reply(Described(command.request, *cut_part(self._offered, command.part)))
            case _:
                raise AssertionError(f"links of a relay decode what is for relays, not {command}")

    # Who may: each ends in exactly one verification where it refuses

    def _own(self, named: ReceiveId, step: Step) -> Queue | None:
        """The queue, where this session has proved its recipient key."""
        queue = step.tx.queues.by_receive_id(named)
        if queue is None or step.session.recipients.get(named) != queue.recipient_key:
            self._suite.verify(self._stranger, named, self._blank)
            return None
        return queue

    def _verify(self, key: bytes | None, message: bytes, signature: Signature) -> bool:
        return self._suite.verify(key or self._stranger, message, signature) and key is not None

    def _prove(self, command: Prove, step: Step) -> None:
        session = step.session
        if len(session.recipients) + len(session.senders) >= MAX_PROVEN_PER_CONNECTION:
            raise PeerError(Code.LIMIT, "too many keys proved in one session")
        message = prove_message(session.handshake_hash, command.role, command.id)
        if command.role is Role.RECIPIENT:
            own = step.tx.queues.by_receive_id(ReceiveId(command.id))
            recipient = None if own is None else own.recipient_key
            proved = self._verify(recipient, message, command.signature)
            if proved and recipient:
                session.recipients[ReceiveId(command.id)] = recipient
        else:
            theirs = step.tx.queues.by_send_id(SendId(command.id))
            sender = None if theirs is None else theirs.sender_key
            proved = self._verify(sender, message, command.signature)
            if proved and sender:
                session.senders[SendId(command.id)] = sender
        if proved:
            step.reply(Done(command.request))
        else:
            step.refuse(command.request)

    # The recipient's commands

    def _create(self, command: Create, step: Step) -> None:
        session, tx = step.session, step.tx
        session.creates += 1
        if session.creates > MAX_CREATES_PER_CONNECTION:
            raise PeerError(Code.LIMIT, "too many queues created in one session")
        key = command.recipient_key
        message = create_message(session.handshake_hash, key, command.send_id, command.claim_key, command.link)
        if not self._suite.verify(key, message, command.signature):
            step.refuse(command.request)
            return
        named = receive_id(key)
        queue = tx.queues.by_receive_id(named)
        code = _add(command, named, step) if queue is None else _compare(command, queue, tx)
        if code is None:
            session.recipients[named] = key
            step.reply(Done(command.request))
        else:
            step.refuse(command.request, code)

    def _settle(self, command: Settle, step: Step) -> None:
        queue = self._own(command.receive_id, step)
        if queue is None:
            step.refuse(command.request)
            return
        step.tx.links.remove(queue.number)
        step.reply(Done(command.request))

    def _subscribe(self, command: Subscribe, step: Step) -> None:
        queue = self._own(command.receive_id, step)
        if queue is None:
            step.refuse(command.request)
            return
        pending = sum(type(due) is Subscribing for due in step.due)
        if step.subscriptions.count(step.connection) + pending >= MAX_QUEUES_PER_CONNECTION:
            raise PeerError(Code.LIMIT, "too many subscriptions on one connection")
        step.due.append(Subscribing(step.connection, command.subscription, queue.number))
        step.woken[queue.number] = None
        step.reply(Subscribed(command.request, None))

    def _acknowledge(self, command: Ack, step: Step) -> None:
        subscriber = step.subscriptions.find(step.connection, command.subscription)
        if subscriber is None:
            return  # it ended while this was on its way
        step.tx.entries.remove(subscriber.queue, command.sequence)
        step.due.append(Acknowledging(step.connection, subscriber.queue, command.sequence))
        step.woken[subscriber.queue] = None

    def _drop(self, command: Drop, step: Step) -> None:
        queue = self._own(command.receive_id, step)
        if queue is None:
            step.refuse(command.request)
            return
        step.tx.queues.remove(queue.number)
        step.due.append(Dropping(queue.number))
        step.woken[queue.number] = None
        step.reply(Done(command.request))

    # The sender's commands

    def _claim(self, command: Claim, step: Step) -> None:
        tx = step.tx
        link = tx.links.get(LinkId(command.id))
        queue = tx.queues.by_send_id(SendId(command.id)) if link is None else tx.queues.by_number(link.queue)
        message = claim_message(self._relay_key, command.id, command.sender_key)
        signed = self._verify(None if queue is None else queue.claim_key, message, command.signature)
        expired = link is not None and link.expires <= step.now.service
        if queue is None or not signed or expired or queue.sender_key not in {None, command.sender_key}:
            step.refuse(command.request)
            return
        if queue.sender_key is None:
            if not tx.room:
                step.refuse(command.request, Code.UNAVAILABLE)
                return
            tx.queues.claim(queue.number, command.sender_key)
            _mark(queue, MarkerKind.CLAIMED, command.sender_key, step)
        step.reply(Claimed(command.request, None if link is None else link.sealed))

    def _deposit(self, command: Deposit, step: Step) -> None:
        try:
            envelope = parse_envelope(command.envelope)
        except PeerError as error:
            if error.code is not Code.VERSION:
                raise
            step.refuse(command.request, Code.VERSION)
            return
        tx = step.tx
        queue = tx.queues.by_send_id(envelope.send_id)
        digest = envelope.digest
        key = None if queue is None else queue.sender_key
        proved = key is not None and step.session.senders.get(envelope.send_id) == key
        if not proved:
            signed = envelope_is_signed(self._suite, key or self._stranger, digest, envelope.signature)
            if key is None or not signed:
                step.refuse(command.request)
                return
        assert queue is not None
        if not tx.room or queue.stored >= self._quota:
            known = tx.digests.minute(queue.number, digest)
            if known is None:
                self._refuse_more(queue, command.request, step)
                return
        else:
            known = tx.digests.add(queue.number, digest, step.minute, step.now.service)
            if known is None:
                step.append(queue.number, command.envelope, counted=True)
        step.reply(Accepted(command.request, digest, step.minute if known is None else known))

    def _refuse_more(self, queue: Queue, request: Request, step: Step) -> None:
        """The disk or the queue is full; of a full queue the recipient learns once, until it takes one again."""
        if not step.tx.room:
            step.refuse(request, Code.UNAVAILABLE)
            return
        if not queue.full:
            step.tx.queues.refuse(queue.number)
            _mark(queue, MarkerKind.FULL, None, step)
        step.refuse(request, Code.FULL)


def _mark(queue: Queue, kind: MarkerKind, key: SenderKey | None, step: Step) -> None:
    if queue.markers < MAX_MARKERS_PER_QUEUE:
        step.append(queue.number, encode_marker(kind, step.minute, key), counted=False)


def _add(command: Create, named: ReceiveId, step: Step) -> Code | None:
    """Make the queue, unless something says why not."""
    tx, link = step.tx, command.link
    if link is not None and link.lifetime_minutes > MAX_INVITATION_DAYS * 1_440:
        return Code.TOO_LARGE
    ids = (command.send_id,) if link is None else (command.send_id, link.link_id)
    if any(tx.queues.by_send_id(SendId(taken)) or tx.links.get(LinkId(taken)) for taken in ids):
        return Code.REFUSED  # a claim of one must never find the other
    if not tx.room:
        return Code.UNAVAILABLE
    number = tx.queues.add(named, command.recipient_key, command.send_id, command.claim_key)
    if link is not None:
        expires = step.now.service + link.lifetime_minutes * 60.0
        tx.links.put(link.link_id, number, link.sealed, expires)
        step.erase_by = expires if step.erase_by is None else min(step.erase_by, expires)
    return None


def _compare(command: Create, queue: Queue, tx: RelayTransaction) -> Code | None:
    """A repeated `create` must ask for what is there. A sealed invitation that is gone stays gone."""
    if (queue.send_id, queue.claim_key) != (command.send_id, command.claim_key):
        return Code.REFUSED
    kept = None if command.link is None else tx.links.get(command.link.link_id)
    if kept is None or command.link is None or (kept.queue, kept.sealed) == (queue.number, command.link.sealed):
        return None
    return Code.REFUSED
