"""A relay against a few dicts: all that is sent, replayed, forged, dropped, closed, crashed or expired."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec import Struct, field

from node.store.relay import RelayStore
from protocol.envelope.envelope import parse_envelope
from protocol.errors import Code
from protocol.keys import Connection, Minute, Request, Sequence, Subscription
from protocol.limits import DELIVERY_WINDOW, ENVELOPE_BYTES, MAX_MARKERS_PER_QUEUE, RETENTION_DAYS
from protocol.wire.commands import (
    Accepted,
    Ack,
    Claimed,
    Command,
    Delivery,
    Done,
    Ended,
    Marker,
    MarkerKind,
    Refused,
    Role,
    Subscribed,
)
from tests.protocol.machines.relay_bench import DAY, START, Bench, Someone

QUOTA = 5
SLOTS = st.integers(0, 2)
NAMES = st.sampled_from([0, 0, 0, 1])
SENDERS = st.sampled_from(["first", "first", "first", "second"])
MOSTLY = st.sampled_from([True, True, True, False])
SUBSCRIPTIONS = st.integers(1, 2).map(Subscription)
RETENTION_SECONDS = RETENTION_DAYS * DAY


class ModelQueue(Struct):
    """What a queue should hold."""

    sender: str | None = None
    link_until: float | None = None
    sequence: int = 0
    entries: dict[int, tuple[float, bytes | MarkerKind]] = field(default_factory=dict)
    digests: dict[bytes, tuple[float, Minute]] = field(default_factory=dict)
    full: bool = False
    subscriber: tuple[Connection, Subscription] | None = None
    cursor: int = 0
    window: set[int] = field(default_factory=set)

    def stored(self) -> int:
        return sum(isinstance(body, bytes) for _, body in self.entries.values())

    def append(self, body: bytes | MarkerKind, service: float) -> None:
        markers = len(self.entries) - self.stored()
        if isinstance(body, bytes) or markers < MAX_MARKERS_PER_QUEUE:
            self.sequence += 1
            self.entries[self.sequence] = service, body


class RelayMachine(RuleBasedStateMachine):
    """Requests are checked one by one; pushes after every step, by connection and in order."""

    @initialize()
    def begin(self) -> None:
        """Three sessions; a queue that the first may read and the second write."""
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "relay.db"
        self.store = RelayStore(self.path)
        self.bench = Bench(self.store, QUOTA)
        self.model: dict[int, ModelQueue] = {}
        self.proved: set[tuple[Connection, int, str]] = set()
        self.expected: dict[Connection, list[Command]] = {}
        self.sessions = [self.bench.connect() for _ in range(3)]
        self.create(0, 0, True, 10_000)
        self.claim(1, 0, "first", True, True)
        self.prove(1, 0, Role.SENDER, "first", True)
        self.subscribe(0, 0, Subscription(1))

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.directory.cleanup()

    # What is sent, and what must come back

    def ask(self, session: Connection, command: Command, reply: Command | None) -> None:
        if reply is not None:
            self.expected.setdefault(session, []).append(reply)
        came = self.bench.send(session, command)
        self.push()
        assert came == self.expected.pop(session, [])

    def push(self) -> None:
        """Move every subscription on as far as its window lets it."""
        for queue in self.model.values():
            if queue.subscriber is None:
                continue
            connection, subscription = queue.subscriber
            for sequence in sorted(queue.entries):
                if sequence <= queue.cursor or len(queue.window) >= DELIVERY_WINDOW:
                    continue
                body = queue.entries[sequence][1]
                queue.cursor = sequence
                queue.window.add(sequence)
                self.expected.setdefault(connection, []).append(self.pushed(queue, subscription, sequence, body))

    def pushed(
        self, queue: ModelQueue, subscription: Subscription, sequence: int, body: bytes | MarkerKind
    ) -> Delivery | Marker:
        if isinstance(body, bytes):
            return Delivery(subscription, Sequence(sequence), body)
        minute = Minute(int((START + queue.entries[sequence][0]) // 60))
        key = Someone(self.name_of(queue), queue.sender).sender_key if body is MarkerKind.CLAIMED else None
        return Marker(subscription, Sequence(sequence), body, minute, key)

    def name_of(self, queue: ModelQueue) -> int:
        return next(name for name, known in self.model.items() if known is queue)

    def may(self, session: Connection, name: int, role: str) -> bool:
        return (session, name, role) in self.proved and name in self.model

    def end(self, queue: ModelQueue) -> None:
        if queue.subscriber is not None:
            connection, subscription = queue.subscriber
            self.expected.setdefault(connection, []).append(Ended(subscription))
            queue.subscriber = None

    @rule(slot=SLOTS)
    def reconnect(self, slot: int) -> None:
        self.bench.close(self.sessions[slot])
        self.forget(slot)

    def forget(self, slot: int) -> None:
        gone, self.sessions[slot] = self.sessions[slot], self.bench.connect()
        self.expected.pop(gone, None)
        self.proved = {proof for proof in self.proved if proof[0] != gone}
        for queue in self.model.values():
            if queue.subscriber and queue.subscriber[0] == gone:
                queue.subscriber = None

    @rule()
    def crash(self) -> None:
        """The process is gone with everything volatile; the file stays."""
        self.store.close()
        self.store = RelayStore(self.path)
        self.bench.start(self.store)
        for slot in range(3):
            self.forget(slot)

    @rule(seconds=st.sampled_from([1.0, 59.0, 3_600.0, DAY, 20 * DAY]))
    def wait(self, seconds: float) -> None:
        self.bench.pass_time(seconds)
        now = self.bench.service
        for queue in self.model.values():
            for sequence in [s for s, (at, _) in queue.entries.items() if at <= now - RETENTION_SECONDS]:
                del queue.entries[sequence]
            for digest in [d for d, (at, _) in queue.digests.items() if at <= now - RETENTION_SECONDS]:
                del queue.digests[digest]

    @rule(slot=SLOTS, name=NAMES, good=MOSTLY, minutes=st.sampled_from([None, 1, 10_000]))
    def create(self, slot: int, name: int, good: bool, minutes: int | None) -> None:
        session = self.sessions[slot]
        who = Someone(name)
        link = None if minutes is None else who.link(minutes)
        command = who.create(self.bench.h(session if good else Connection(0)), link=link)
        if good:
            if name not in self.model:
                until = None if minutes is None else self.bench.service + minutes * 60.0
                self.model[name] = ModelQueue(link_until=until)
            self.proved.add((session, name, "recipient"))
        self.ask(session, command, Done(Request(1)) if good else Refused(Request(1), Code.REFUSED))

    @rule(slot=SLOTS, name=NAMES, sender=SENDERS, by_link=st.booleans(), good=MOSTLY)
    def claim(self, slot: int, name: int, sender: str, by_link: bool, good: bool) -> None:
        session = self.sessions[slot]
        who, queue = Someone(name, sender), self.model.get(name)
        if not good:
            who.claimer = who.sender
        linked = queue is not None and queue.link_until is not None and self.bench.service < queue.link_until
        reply: Command = Refused(Request(2), Code.REFUSED)
        if queue is not None and good and queue.sender in {None, sender} and (linked or not by_link):
            reply = Claimed(Request(2), who.sealed if by_link else None)
            if queue.sender is None:
                queue.sender = sender
                queue.append(MarkerKind.CLAIMED, self.bench.service)
        self.ask(session, who.claim(who.link_id if by_link else who.send_id), reply)

    @rule(slot=SLOTS, name=NAMES, role=st.sampled_from(Role), sender=SENDERS, good=MOSTLY)
    def prove(self, slot: int, name: int, role: Role, sender: str, good: bool) -> None:
        session = self.sessions[slot]
        who, queue = Someone(name, sender), self.model.get(name)
        right = good and queue is not None and (role is Role.RECIPIENT or queue.sender == sender)
        if right:
            self.proved.add((session, name, "recipient" if role is Role.RECIPIENT else sender))
        command = who.prove(self.bench.h(session if good else Connection(0)), role)
        self.ask(session, command, Done(Request(3)) if right else Refused(Request(3), Code.REFUSED))

    @rule(slot=SLOTS, name=NAMES, subscription=SUBSCRIPTIONS)
    def subscribe(self, slot: int, name: int, subscription: Subscription) -> None:
        session = self.sessions[slot]
        reply: Command = Refused(Request(5), Code.REFUSED)
        if self.may(session, name, "recipient"):
            reply = Subscribed(Request(5), None)
            self.expected.setdefault(session, []).append(reply)
            queue = self.model[name]
            if queue.subscriber == (session, subscription):
                queue.subscriber = None
            self.end(queue)
            for other in self.model.values():
                if other.subscriber == (session, subscription):
                    other.subscriber = None
            queue.subscriber, queue.cursor, queue.window = (session, subscription), 0, set()
            self.ask(session, Someone(name).subscribe(subscription), None)
        else:
            self.ask(session, Someone(name).subscribe(subscription), reply)

    @rule(
        slot=SLOTS,
        name=NAMES,
        sender=SENDERS,
        text=st.integers(0, 12),
        forged=MOSTLY.map(lambda good: not good),
    )
    def deposit(self, slot: int, name: int, sender: str, text: int, forged: bool) -> None:
        session = self.sessions[slot]
        who, queue = Someone(name, sender), self.model.get(name)
        command = who.deposit(text, key=Someone("forger").sender if forged else None)
        reply: Command = Refused(Request(4), Code.REFUSED)
        proved = queue is not None and queue.sender is not None and (session, name, queue.sender) in self.proved
        if queue is not None and (proved or (queue.sender == sender and not forged)):
            digest = parse_envelope(command.envelope).digest
            now = self.bench.service
            minute = Minute(int((START + now) // 60))
            if digest in queue.digests:
                reply = Accepted(Request(4), digest, queue.digests[digest][1])
            elif queue.stored() >= QUOTA:
                reply = Refused(Request(4), Code.FULL)
                if not queue.full:
                    queue.full = True
                    queue.append(MarkerKind.FULL, now)
            else:
                reply = Accepted(Request(4), digest, minute)
                queue.full = False
                queue.append(command.envelope, now)
                queue.digests[digest] = now, minute
        self.ask(session, command, reply)

    @rule(slot=SLOTS, subscription=SUBSCRIPTIONS, back=st.integers(0, 8))
    def acknowledge(self, slot: int, subscription: Subscription, back: int) -> None:
        """Any entry of any age, delivered or not, there or not."""
        session = self.sessions[slot]
        sequence = max(1, 6 - back)
        for queue in self.model.values():
            if queue.subscriber == (session, subscription):
                sequence = max(1, queue.sequence - back)
                queue.entries.pop(sequence, None)
                queue.window.discard(sequence)
        self.ask(session, Ack(subscription, Sequence(sequence)), None)

    @rule(slot=SLOTS, name=NAMES)
    def settle(self, slot: int, name: int) -> None:
        session = self.sessions[slot]
        allowed = self.may(session, name, "recipient")
        if allowed:
            self.model[name].link_until = None
        self.ask(session, Someone(name).settle(), Done(Request(6)) if allowed else Refused(Request(6), Code.REFUSED))

    @rule(slot=SLOTS, name=NAMES)
    def drop(self, slot: int, name: int) -> None:
        session = self.sessions[slot]
        if not self.may(session, name, "recipient"):
            self.ask(session, Someone(name).drop(), Refused(Request(7), Code.REFUSED))
            return
        self.expected.setdefault(session, []).append(Done(Request(7)))
        self.end(self.model.pop(name))
        self.ask(session, Someone(name).drop(), None)

    @invariant()
    def everybody_got_what_was_meant_for_them(self) -> None:
        if hasattr(self, "bench"):
            for session in self.sessions:
                assert self.bench.take(session) == self.expected.pop(session, [])

    @invariant()
    def the_file_holds_what_the_model_holds(self) -> None:
        if not hasattr(self, "store"):
            return
        with self.store.read() as tx:
            for name in range(2):
                queue = tx.queues.by_receive_id(Someone(name).receive_id)
                expected = self.model.get(name)
                assert (queue is None) == (expected is None)
                if queue is None or expected is None:
                    continue
                entries = tx.entries.after(queue.number, 0, 10**6)
                assert [entry.sequence for entry in entries] == sorted(expected.entries)
                bodies = [entry.body if len(entry.body) == ENVELOPE_BYTES else None for entry in entries]
                assert bodies == [
                    body if isinstance(body, bytes) else None for _, (_, body) in sorted(expected.entries.items())
                ]
                assert queue.stored == expected.stored()
                assert queue.stored + queue.markers == len(entries)


TestRelay = RelayMachine.TestCase
TestRelay.settings = settings(stateful_step_count=100)
