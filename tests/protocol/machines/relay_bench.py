"""A relay without a network: its core over a store, sessions that are numbers, and people who hold keys."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence as Rows
from typing import Any

from protocol.crypto.proofs import claim_message, create_message, prove_message, receive_id
from protocol.crypto.suite import RealSuite
from protocol.effects import Disconnect, Effect, Send
from protocol.envelope.envelope import seal_envelope
from protocol.errors import Code
from protocol.events import Closed, Event, Now, Opened, Received, Started, TimePassed
from protocol.keys import (
    ClaimKey,
    Connection,
    HandshakeHash,
    LinkId,
    RecipientKey,
    RelayKey,
    Request,
    SenderKey,
    SendId,
    Sequence,
    SigningKey,
    Subscription,
)
from protocol.limits import BODY_BYTES, QUEUE_QUOTA_ENVELOPES, SEALED_INVITATION_BYTES
from protocol.machines.contract import Core
from protocol.machines.relay import Relay
from protocol.store import RelayTransaction, Store
from protocol.timing import Timing
from protocol.wire.commands import (
    Ack,
    Claim,
    Command,
    Create,
    Delivery,
    Deposit,
    Drop,
    Link,
    Marker,
    Prove,
    Role,
    Settle,
    Subscribe,
)

START = 1_800_000_000.0
DAY = 86_400.0
RELAY_KEY = RelayKey(b"R" * 32)


class CountingSuite(RealSuite):
    """The real one; counts signature checks."""

    def __init__(self) -> None:
        super().__init__()
        self.verified = 0

    def verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
        self.verified += 1
        return super().verify(public, message, signature)


SUITE = RealSuite()


def seeded(*name: object) -> bytes:
    """32 bytes for a name."""
    return hashlib.sha256(repr(name).encode()).digest()


class Someone:
    """All keys of one queue: the recipient's, and the sender's of one that may claim it."""

    def __init__(self, name: object, sender: object = "sender") -> None:
        self.recipient = SUITE.signing_key(seeded("recipient", name))
        self.claimer = SUITE.signing_key(seeded("claim", name))
        self.sender = SUITE.signing_key(seeded("sender", name, sender))
        self.send_id = SendId(seeded("send id", name)[:16])
        self.link_id = LinkId(seeded("link id", name)[:16])
        self.sealed = (seeded("sealed", name) * 64)[:SEALED_INVITATION_BYTES]
        self.receive_id = receive_id(RecipientKey(self.recipient[32:]))

    @property
    def sender_key(self) -> SenderKey:
        return SenderKey(self.sender[32:])

    def link(self, lifetime_minutes: int = 60) -> Link:
        return Link(self.link_id, lifetime_minutes, self.sealed)

    def create(self, h: HandshakeHash, request: int = 1, link: Link | None = None) -> Create:
        key, claim_key = RecipientKey(self.recipient[32:]), ClaimKey(self.claimer[32:])
        signature = SUITE.sign(self.recipient, create_message(h, key, self.send_id, claim_key, link))
        return Create(Request(request), key, self.send_id, claim_key, link, signature)

    def claim(self, named: bytes | None = None, request: int = 2, relay_key: RelayKey = RELAY_KEY) -> Claim:
        named = self.send_id if named is None else named
        signature = SUITE.sign(self.claimer, claim_message(relay_key, named, self.sender_key))
        return Claim(Request(request), named, self.sender_key, signature)

    def prove(self, h: HandshakeHash, role: Role, request: int = 3) -> Prove:
        key, named = (
            (self.recipient, bytes(self.receive_id)) if role is Role.RECIPIENT else (self.sender, bytes(self.send_id))
        )
        return Prove(Request(request), named, role, SUITE.sign(key, prove_message(h, role, named)))

    def envelope(self, text: object, key: SigningKey | None = None) -> bytes:
        body = (seeded("body", text) * 120)[:BODY_BYTES]
        return seal_envelope(SUITE, key or self.sender, self.send_id, body)[0]

    def deposit(self, text: object, request: int = 4, key: SigningKey | None = None) -> Deposit:
        return Deposit(Request(request), self.envelope(text, key))

    def subscribe(self, subscription: int = 1, request: int = 5) -> Subscribe:
        return Subscribe(Request(request), Subscription(subscription), self.receive_id)

    def settle(self, request: int = 6) -> Settle:
        return Settle(Request(request), self.receive_id)

    def drop(self, request: int = 7) -> Drop:
        return Drop(Request(request), self.receive_id)


def ack(sequence: int, subscription: int = 1) -> Ack:
    return Ack(Subscription(subscription), Sequence(sequence))


class Bench:
    """Steps a relay one batch at a time, and sorts what it sends by connection."""

    def __init__(self, store: Store[RelayTransaction], quota: int = QUEUE_QUOTA_ENVELOPES) -> None:
        self.quota = quota
        self.offered = b""
        self.directory = False
        self.service = 0.0
        self.suite = CountingSuite()
        self.inbox: dict[Connection, list[Command]] = defaultdict(list)
        self.disconnected: dict[Connection, Code] = {}
        self._connections = 0
        self.start(store)

    def start(self, store: Store[RelayTransaction]) -> None:
        """As after a crash: nothing but the store is left."""
        relay = Relay(self.suite, Timing(), RELAY_KEY, self.quota, self.offered, directory=self.directory)
        self.core: Core[Any] = Core(relay, store)
        self.step(Started())

    def next_wake(self) -> float | None:
        return self.core.machine.next_wake

    def step(self, *batch: Event) -> list[Effect]:
        effects = self.core.step(batch, Now(self.service, START + self.service))
        for effect in effects:
            if isinstance(effect, Send):
                self.inbox[effect.connection].append(effect.command)
            elif isinstance(effect, Disconnect):
                self.disconnected[effect.connection] = effect.code
        return effects

    def connect(self) -> Connection:
        self._connections += 1
        connection = Connection(self._connections)
        self.step(Opened(connection, None, self.h(connection)))
        return connection

    def close(self, connection: Connection) -> None:
        self.step(Closed(connection))

    @staticmethod
    def h(connection: Connection) -> HandshakeHash:
        return HandshakeHash(seeded("handshake hash", connection))

    def send(self, connection: Connection, *commands: Command) -> list[Command]:
        """One frame; all that came for this connection since it was last looked at."""
        self.step(Received(connection, commands))
        return self.take(connection)

    def take(self, connection: Connection) -> list[Command]:
        return self.inbox.pop(connection, [])

    def pass_time(self, seconds: float) -> None:
        """Lets the relay wake as often as it asks."""
        until = self.service + seconds
        while (wake := self.next_wake()) is not None and wake <= until:
            self.service = max(self.service, wake)
            self.step(TimePassed())
        self.service = until

    def drain(self, connection: Connection) -> list[Command]:
        """Acknowledges what comes until nothing more does; all of it."""
        seen: list[Command] = []
        came = self.take(connection)
        while came:
            seen += came
            acks = [Ack(one.subscription, one.sequence) for one in came if isinstance(one, Delivery | Marker)]
            came = self.send(connection, *acks)
        return seen

    def queue(self, name: object, sender: object = "sender") -> Someone:
        """A queue that was created and claimed, over sessions that are gone; its claimed marker acknowledged."""
        someone = Someone(name, sender)
        session = self.connect()
        self.send(session, someone.create(self.h(session)), someone.claim(), someone.subscribe(9))
        self.send(session, ack(1, 9))
        self.close(session)
        return someone

    def recipient(self, *people: Someone) -> Connection:
        """A session that has proved all their recipient keys and subscribed: subscription 1 is the first one's."""
        session = self.connect()
        for number, someone in enumerate(people, 1):
            self.step(Received(session, (someone.prove(self.h(session), Role.RECIPIENT), someone.subscribe(number))))
        return session

    def sender(self, *people: Someone) -> Connection:
        session = self.connect()
        for someone in people:
            self.send(session, someone.prove(self.h(session), Role.SENDER))
        self.take(session)
        return session


def envelopes(commands: Rows[Command]) -> list[bytes]:
    return [command.envelope for command in commands if isinstance(command, Delivery)]


def sequences(commands: Rows[Command]) -> list[int]:
    return [command.sequence for command in commands if isinstance(command, Delivery | Marker)]
