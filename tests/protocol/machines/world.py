"""A small world for the two machines: real crypto, real SQLite, virtual time, FIFO links without Noise, crashes."""

import heapq
import itertools
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from node.store.mailbox import MailboxStore
from node.store.reader import MailboxReader
from node.store.relay import RelayStore
from protocol.crypto.suite import RealSuite
from protocol.delivery.contacts import new_profile
from protocol.effects import Alarm, Announce, Answer, Dial, Disconnect, Effect, HangUp, Send
from protocol.errors import Code
from protocol.events import Closed, Event, Now, Opened, Received, Requested, Started, TimePassed, Unreachable
from protocol.keys import Connection, Group, HandshakeHash, RelayKey
from protocol.machines.contract import Core
from protocol.machines.forwarding import Forwarding
from protocol.machines.personal import Personal
from protocol.machines.relay import Relay
from protocol.operations import Accept, Configure, Invite, SendText
from protocol.timing import Timing
from protocol.wire.commands import Command

START = 1_800_000_000.0
FAST = Timing(
    dial_seconds=4.0,
    redial_first_seconds=0.5,
    redial_most_seconds=8.0,
    unreachable_seconds=10.0,
    reroute_seconds=30.0,
    gap_seconds=3.0,
    receipt_mean_seconds=1.0,
    missing_parent_seconds=20.0,
)


class SeededEntropy:
    """One seed a participant."""

    def __init__(self, seed: str) -> None:
        self._secret = random.Random(seed + " secret")
        self._uniform = random.Random(seed + " uniform")

    def secret(self, length: int) -> bytes:
        return self._secret.randbytes(length)

    def uniform(self) -> float:
        return self._uniform.random()


class Participant:
    """A process that can crash: machine and volatile state go, the store's file stays."""

    def __init__(self, world: "World", name: str) -> None:
        self.world = world
        self.name = name
        self.up = False
        self.incarnation = 0
        self.core: Core[Any] | None = None
        self.store: Any = None
        self.offset = 0.0
        self.started_at = 0.0
        self.rings_at = 0.0
        """When it is next told that time passed: one timer, however many steps asked for it."""

    def service(self) -> float:
        return self.offset + self.world.time - self.started_at

    def boot(self) -> None:
        self.up, self.incarnation, self.started_at = True, self.incarnation + 1, self.world.time
        self.rings_at = 0.0
        self.store, machine = self.open()
        self.offset = self.store.service_offset()
        self.core = Core(machine, self.store)
        self.step(Started())

    def crash(self) -> None:
        self.store.save_service(self.service())
        self.up, self.core = False, None
        self.store.close()
        self.world.drop_connections(self)

    def step(self, event: Event) -> None:
        if not self.up or self.core is None:
            return
        effects = self.core.step([event], Now(self.service(), START + self.world.time))
        for effect in effects:
            self.world.perform(self, effect)
        wake = self.core.machine.next_wake
        if wake is not None:
            at = max(self.world.time + 0.001, wake - self.offset + self.started_at)
            if not self.world.time < self.rings_at <= at:
                self.rings_at = at
                self.world.at(at, partial(self.ring, self.incarnation, at))

    def ring(self, incarnation: int, at: float) -> None:
        if self.incarnation == incarnation and self.rings_at == at:
            self.step(TimePassed())

    def open(self) -> tuple[Any, Any]:
        raise AssertionError("a subclass opens its own store")


class RelayHost(Participant):
    def __init__(self, world: "World", name: str) -> None:
        super().__init__(world, name)
        self.suite = RealSuite()
        self.key = RelayKey(self.suite.signing_key(name.encode().ljust(32, b"."))[32:])
        self.host = f"ws://{name}:1"
        self.path = world.directory / f"{name}.db"
        self.entropy = SeededEntropy(f"{world.seed} {name}")

    def open(self) -> tuple[Any, Any]:
        suite, timing = self.suite, self.world.timing
        forwarding = Forwarding(suite, self.entropy, timing, suite.signing_key(self.name.encode().ljust(32, b".")))
        return RelayStore(self.path), Relay(suite, timing, self.key, forwarding=forwarding)

    def destroy_disk(self) -> None:
        for path in self.path.parent.glob(self.path.name + "*"):
            path.unlink()


class Person(Participant):
    def __init__(
        self, world: "World", name: str, forward: bool = False, groups: int = 0, constant: bool = False
    ) -> None:
        super().__init__(world, name)
        self.path = world.directory / f"{name}.db"
        self.answers: dict[int, Any] = {}
        self.requests = itertools.count(1)
        self.features = 0
        self.forward = forward
        self.groups = groups
        self.constant = constant
        self.alarms: list[str] = []
        self.entropy = SeededEntropy(f"{world.seed} {name}")
        store = MailboxStore(self.path, world.mailbox_key)
        with store.transaction() as tx:
            tx.profile.save(new_profile(RealSuite(), self.entropy, name))
        store.close()

    def open(self) -> tuple[Any, Any]:
        machine = Personal(
            RealSuite(), self.entropy, self.world.timing, self.features, forward=self.forward,
            groups=self.groups, constant=self.constant,
        )  # fmt: skip
        return MailboxStore(self.path, self.world.mailbox_key), machine

    def ask(self, operation: Any) -> int:
        request = next(self.requests)
        self.step(Requested(request, operation))
        return request

    def get(self, operation: Any, seconds: float = 60.0) -> Any:
        request = self.ask(operation)
        self.world.run(seconds, until=lambda: request in self.answers)
        result = self.answers.pop(request)
        if isinstance(result, Exception):
            raise result
        return result

    def use(self, *relays: RelayHost) -> None:
        self.get(Configure(tuple((relay.host, relay.key) for relay in relays), None))

    def send(self, text: str, contact: int = 1) -> Any:
        return self.get(SendText(contact, text))

    def reader(self) -> MailboxReader:
        return MailboxReader(self.path, self.world.mailbox_key)

    def texts(self, contact: int = 1) -> list[str]:
        """In the order in which they were shown."""
        reader = self.reader()
        try:
            return [row.text for row in reader.messages(contact, 0, 100_000)]
        finally:
            reader.close()

    def conversation(self, contact: int = 1) -> list[str]:
        """In the order on which both sides agree."""
        reader = self.reader()
        try:
            return [row.text for row in reader.latest(contact, 100_000)]
        finally:
            reader.close()

    def states(self, contact: int = 1) -> dict[str, str]:
        reader = self.reader()
        try:
            return {row.text: row.state for row in reader.messages(contact, 0, 100_000) if row.mine}
        finally:
            reader.close()


class World:
    def __init__(self, directory: Path, seed: int = 0, timing: Timing = FAST, latency: float = 0.01) -> None:
        self.directory, self.seed, self.timing, self.latency = directory, seed, timing, latency
        self.mailbox_key: bytes | None = None
        """Plain mailboxes are quicker."""
        self.time = 0.0
        self.random = random.Random(seed)
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count(1)
        self.ends: dict[tuple[str, Connection], tuple[Participant, Connection]] = {}
        self.groups: dict[tuple[str, Connection], Group] = {}
        """For which a connection was dialled."""
        self.relays: dict[RelayKey, RelayHost] = {}
        self.people: list[Person] = []
        self.cut: set[tuple[str, str]] = set()
        self.mischief: Callable[[Command], list[Command]] = lambda command: [command]
        """What relays make of what they send: drop, repeat, alter."""

    def relay(self, name: str) -> RelayHost:
        relay = RelayHost(self, name)
        self.relays[relay.key] = relay
        relay.boot()
        return relay

    def person(self, name: str, *, forward: bool = False, groups: int = 0, constant: bool = False) -> Person:
        person = Person(self, name, forward, groups, constant)
        self.people.append(person)
        person.boot()
        return person

    def introduce(self, inviter: Person, joiner: Person) -> None:
        invited = inviter.get(Invite(1_440, None))
        joiner.get(Accept(invited.link, None, None))
        self.run(5)

    def at(self, time: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (time, next(self._count), action))

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        end = self.time + seconds
        while self._heap and self._heap[0][0] <= end:
            if until():
                return True
            self.time, _, action = heapq.heappop(self._heap)
            action()
        self.time = end if not until() else self.time
        return until()

    def perform(self, who: Participant, effect: Effect) -> None:
        match effect:
            case Send():
                self._carry(who, effect)
            case Dial():
                self.at(self.time + self.latency, lambda: self._dial(who, who.incarnation, effect))
            case Disconnect():
                self.close(who, effect.connection)
            case Answer():
                assert isinstance(who, Person)
                who.answers[effect.request] = effect.result
            case HangUp():
                self.hang_up(who, effect)
            case Alarm():
                assert isinstance(who, Person)
                who.alarms.append(effect.host)
            case Announce():
                pass
            case _:
                pass

    def _carry(self, who: Participant, effect: Send) -> None:
        other = self.ends.get((who.name, effect.connection))
        if other is None:
            return
        peer, connection = other
        incarnation = peer.incarnation
        commands = self.mischief(effect.command) if isinstance(who, RelayHost) else [effect.command]

        def arrive(command: Command) -> None:
            if peer.incarnation == incarnation and (peer.name, connection) in self.ends:
                peer.step(Received(connection, (command,)))

        for command in commands:
            self.at(self.time + self.latency, partial(arrive, command))

    def _dial(self, who: Participant, incarnation: int, effect: Dial) -> None:
        if who.incarnation != incarnation or not who.up:
            return
        relay = self.relays.get(effect.relay)
        if relay is None or not relay.up or (who.name, relay.name) in self.cut:
            who.step(Unreachable(effect.relay, "refused", effect.group))
            return
        ours, theirs = Connection(next(self._count)), Connection(next(self._count))
        self.groups[who.name, ours] = effect.group
        self.ends[who.name, ours] = relay, theirs
        self.ends[relay.name, theirs] = who, ours
        handshake_hash = HandshakeHash(self.random.randbytes(32))
        relay.step(Opened(theirs, None, handshake_hash))
        who.step(Opened(ours, effect.relay, handshake_hash, effect.group))

    def close(self, who: Participant, connection: Connection) -> None:
        other = self.ends.pop((who.name, connection), None)
        if other is None:
            return
        peer, theirs = other
        self.ends.pop((peer.name, theirs), None)
        self.at(self.time, lambda: who.step(Closed(connection)))
        self.at(self.time + self.latency, lambda: peer.step(Closed(theirs)))

    def hang_up(self, who: Participant, effect: HangUp) -> None:
        """Close what was dialled for a host and group."""
        relay = self.relays.get(effect.relay)
        for (name, connection), (peer, _) in list(self.ends.items()):
            if name == who.name and peer is relay and self.groups.get((name, connection)) == effect.group:
                self.close(who, connection)

    def drop_connections(self, who: Participant) -> None:
        for name, connection in list(self.ends):
            if name == who.name:
                peer, theirs = self.ends.pop((name, connection))
                self.ends.pop((peer.name, theirs), None)
                gone = partial(self._tell_closed, peer, peer.incarnation, theirs)
                self.at(self.time + self.latency, gone)

    @staticmethod
    def _tell_closed(peer: Participant, incarnation: int, connection: Connection) -> None:
        if peer.incarnation == incarnation:
            peer.step(Closed(connection))


__all__ = ["FAST", "Code", "Person", "RelayHost", "World"]
