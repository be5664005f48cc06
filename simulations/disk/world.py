"""Two people and a relay on files in one directory: real machines, real crypto, virtual time, no Noise.

Each is stepped alone, in an order that the seed chooses; what is sent arrives when its recipient is stepped next. So
any number of events meet in one commit, and the whole is the same each time.
"""

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from msgspec import Struct

from node.store import ballast
from node.store.mailbox import MailboxStore
from node.store.relay import RelayStore
from protocol.crypto.suite import RealSuite
from protocol.delivery.contacts import new_profile
from protocol.effects import Announce, Answer, Dial, Disconnect, Effect, HangUp, Send
from protocol.envelope.envelope import parse_envelope
from protocol.errors import Code, DiskBrokenError, DiskFullError
from protocol.events import Closed, Event, Now, Opened, Received, Requested, Started, TimePassed
from protocol.keys import Connection, HandshakeHash, KemCiphertext, KemPublic, KemSeed, RelayKey
from protocol.limits import PAYLOAD_BYTES
from protocol.machines import contract
from protocol.machines.personal import Personal
from protocol.machines.relay import Relay
from protocol.mailbox import ChangeKind
from protocol.operations import Accept, Configure, ContactMade, Invite, Invited, SendText
from protocol.operations import Queued as QueuedAnswer
from protocol.timing import Timing
from protocol.wire import commands
from simulations.disk.chance import stream
from simulations.disk.promises import Accepted, Acquainted, Fact, Fetched, Queued, Reached, Sealed, Shown

Note: TypeAlias = Callable[[Fact], None]

START = 1_800_000_000.0
STEP_SECONDS = 0.001
SAVE_CLOCK_SECONDS = 60.0
MOST_BATCH = 12
TIMING = Timing(
    redial_first_seconds=0.5, redial_most_seconds=4.0, unreachable_seconds=10.0, reroute_seconds=30.0, gap_seconds=3.0,
    receipt_mean_seconds=1.0, full_first_seconds=2.0, full_most_seconds=8.0, missing_parent_seconds=20.0,
)  # fmt: skip
PEOPLE = ("alice", "bob")
RELAY = "relay"


class Habits(Struct, frozen=True):
    """How the files are kept. Small logs are folded into their files often, so that little traffic meets everything."""

    key: bytes | None
    """32 bytes where mailboxes and relay are encrypted."""
    checkpoint_pages: int = 24
    log_bytes: int = 65_536
    synchronous: str = "FULL"
    """The node's own; another one shows what a check that finds something looks like."""

    def apply(self, store: Any) -> None:
        """To a store that was just opened."""
        execute = store.read().connection.execute
        execute(f"PRAGMA wal_autocheckpoint = {self.checkpoint_pages}")
        execute(f"PRAGMA journal_size_limit = {self.log_bytes}")
        execute(f"PRAGMA synchronous = {self.synchronous}")


class SeededEntropy:
    """Of one process: what it drew before a crash does not come again."""

    def __init__(self, seed: str) -> None:
        self._secret, self._uniform = stream(seed, "secret"), stream(seed, "uniform")

    def secret(self, length: int) -> bytes:
        """For keys, ids and nonces."""
        return self._secret.randbytes(length)

    def uniform(self) -> float:
        """For jitter."""
        return self._uniform.random()


class WatchedSuite(RealSuite):
    """Remembers under which key each payload was sealed.

    Real but for ML-KEM, whose encapsulation draws OpenSSL's own randomness: no run would come again byte for byte. Its
    stand-in has the same sizes, hides nothing, and still gives another secret under another key.
    """

    def __init__(self, entropy: SeededEntropy) -> None:
        super().__init__()
        self._entropy = entropy
        self.keys: dict[bytes, bytes] = {}
        """By the payload's tag, 16 bytes."""

    def kem_public(self, seed: KemSeed) -> KemPublic:
        return KemPublic(hashlib.shake_256(seed).digest(1_184))

    def kem_check(self, public: KemPublic) -> None:
        assert len(public) == 1_184

    def kem_encapsulate(self, public: KemPublic) -> tuple[bytes, KemCiphertext]:
        secret = self._entropy.secret(32)
        return secret, KemCiphertext(_masked(secret, public) + bytes(1_088 - 32))

    def kem_decapsulate(self, seed: KemSeed, ciphertext: KemCiphertext) -> bytes:
        return _masked(ciphertext[:32], self.kem_public(seed))

    def seal(self, key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        sealed = super().seal(key, nonce, plaintext, associated)
        if len(plaintext) == PAYLOAD_BYTES:
            self.keys[sealed[-16:]] = key
        return sealed


class Participant:
    """One process."""

    def __init__(self, world: "World", name: str) -> None:
        self.world, self.name = world, name
        self.inbox: list[Event] = []
        self._entropy = SeededEntropy(f"{world.seed} {name} {world.incarnation()}")
        self.suite = WatchedSuite(self._entropy)
        self._delivered: dict[tuple[Connection, int, int], bytes] = {}
        self.store, machine = self._open()
        try:
            world.habits.apply(self.store)
            self.core = contract.Core(machine, self.store)
            self._offset = self._saved = self.store.service_offset()
            self._started_at = world.time
            with self.store.read() as tx:
                self._announced = _last_change(tx) if name in PEOPLE else 0
        except BaseException:
            self.store.read().connection.close()
            raise
        self.inbox.append(Started())

    def _open(self) -> tuple[Any, Any]:
        world = self.world
        path = world.directory / f"{self.name}.db"
        if self.name == RELAY:
            hold_room(path)
            return RelayStore(path, world.habits.key), Relay(self.suite, TIMING, world.relay_key)
        store = MailboxStore(path, world.habits.key)
        with store.transaction() as tx:
            if tx.profile.get(1) is None:
                tx.profile.save(new_profile(self.suite, self._entropy, self.name))
        return store, Personal(self.suite, self._entropy, TIMING)

    @property
    def wake(self) -> float | None:
        """In the world's time."""
        due = self.core.machine.next_wake
        return None if due is None else due - self._offset + self._started_at

    def step(self, batch: list[Event]) -> None:
        """One commit. Raises DiskBrokenError."""
        service = self._offset + self.world.time - self._started_at
        if service > self._saved + SAVE_CLOCK_SECONDS:
            self._saved = service
            with suppress(DiskFullError):
                self.store.save_service(service)
        for effect in self.core.step(batch, Now(service, START + self.world.time)):
            self._perform(effect)
        self.store.fold_log()

    def _perform(self, effect: Effect) -> None:
        world = self.world
        match effect:
            case Send():
                self._note_command(effect)
                world.carry(self, effect)
            case Dial():
                world.connect(self, effect.relay)
            case Disconnect():
                world.hang_up(self, effect.connection)
            case HangUp():
                for connection in world.connections(self):
                    world.hang_up(self, connection)
            case Answer():
                if isinstance(effect.result, QueuedAnswer):
                    world.note(Queued(self.name, world.asked.pop(effect.request)))
                elif isinstance(effect.result, ContactMade):
                    world.note(Acquainted(self.name))
                world.answers[effect.request] = effect.result
            case Announce():
                self._note_changes(effect.change)
            case _:
                pass

    def _note_command(self, effect: Send) -> None:
        match effect.command:
            case commands.Deposit():
                tag = parse_envelope(effect.command.envelope).body[-16:]
                key = self.suite.keys.get(tag)  # none for what an earlier process sealed and saved
                if key is not None:
                    self.world.note(Sealed(key, tag))
            case commands.Refused():
                self.world.refused[effect.command.code] += 1
            case commands.Accepted():
                self.world.note(Accepted(effect.command.digest))
            case commands.Ack():
                digest = self._delivered.get((effect.connection, effect.command.subscription, effect.command.sequence))
                if digest is not None:
                    self.world.note(Fetched(digest))
            case _:
                pass

    def note_arrival(self, connection: Connection, command: commands.Command) -> None:
        """A relay hands something out."""
        if isinstance(command, commands.Delivery):
            digest = parse_envelope(command.envelope).digest
            self._delivered[connection, command.subscription, command.sequence] = digest

    def _note_changes(self, last: int) -> None:
        with self.store.read() as tx:
            for number in range(self._announced + 1, last + 1):
                change = tx.changes.get(number)
                message = tx.messages.get(change.row) if change is not None else None
                if change is None or message is None or change.kind not in {ChangeKind.MESSAGE, ChangeKind.STATE}:
                    continue
                self.world.note(Shown(self.name, message.text))
                if message.mine:
                    self.world.note(Reached(self.name, message.text, change.state))
        self._announced = max(self._announced, last)


class World:
    """`note` is told each fact as it becomes true. `run`: tells the processes of one directory's lives apart."""

    def __init__(
        self, directory: Path, seed: int, habits: Habits, note: Note, run: int = 0, now: float = 0.0
    ) -> None:  # fmt: skip
        self.directory, self.seed, self.habits, self.note = directory, seed, habits, note
        self.time = now
        self.answers: dict[int, Any] = {}
        self.asked: dict[int, str] = {}
        self.chance = stream(seed, "world", run)
        self.relay_key = RelayKey(RealSuite().signing_key(b"r" * 32)[32:])
        self._run = run
        self._numbers = itertools.count(1)
        self._ends: dict[tuple[str, Connection], tuple[str, Connection]] = {}
        self.participants: dict[str, Participant] = {}
        self.refused: Counter[Code] = Counter()
        """What the relay answered instead."""
        self.watch: Callable[[Participant], None] = lambda _: None
        """Called after each step."""
        self.on_broken: Callable[[str, DiskBrokenError], None] | None = None
        """Called where a process ends because its disk can no longer be trusted; without it the error passes on."""

    def incarnation(self) -> str:
        """A name for the next process."""
        return f"{self._run}.{next(self._numbers)}"

    def start(self, *names: str) -> None:
        """Boot processes, the relay first. Raises what opening a store raises."""
        for name in names or (RELAY, *PEOPLE):
            self.participants[name] = Participant(self, name)

    def stop(self, name: str) -> None:
        """End a process: what it was about to do is dropped, its store closed. Raises what closing a store raises."""
        participant = self.participants.pop(name)
        self._drop_connections(name)
        participant.store.close()

    def abandon(self) -> None:
        """Let go of all files as a dying process does, without another write to them by our will."""
        for participant in self.participants.values():
            participant.store.read().connection.close()
        self.participants.clear()

    # Conversation

    def introduce(self) -> None:
        """Bob accepts Alice's invitation."""
        for name in PEOPLE:
            self.get(name, Configure((("ws://relay:1", self.relay_key),), None))
        invited = self.get(PEOPLE[0], Invite(1_440, None))
        assert isinstance(invited, Invited)
        self.get(PEOPLE[1], Accept(invited.link, None, None))
        self.run(5)

    def ask(self, name: str, operation: Any) -> int:
        """The request's number, for `answers`."""
        request = next(self._numbers)
        self.participants[name].inbox.append(Requested(request, operation))
        return request

    def get(self, name: str, operation: Any) -> Any:
        """The answer. Raises the exception that was answered."""
        request = self.ask(name, operation)
        self.run(60, until=lambda: request in self.answers)
        result = self.answers.pop(request)
        if isinstance(result, Exception):
            raise result
        return result

    def say(self, name: str, text: str) -> int:
        """Ask for a text to be sent; the request's number."""
        request = self.ask(name, SendText(1, text))
        self.asked[request] = text
        return request

    def talk(self, count: int, label: str) -> None:
        """Texts short and long from both, and now and then somebody who stops and starts again."""
        for number in range(count):
            name = self.chance.choice(PEOPLE)
            words = "x" * self.chance.choice((0, 0, 0, 40, 400, 3_000))
            self.say(name, f"{label} {number} {words}")
            self.run(self.chance.choice((0.0, 0.002, 0.004, 0.1, 2.0)))
            if self.chance.random() < 0.08:
                who = self.chance.choice((*PEOPLE, RELAY))
                self.stop(who)
                self.start(who)

    # Time and events

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Steps whoever has something to do, then lets time pass to the next wish."""
        end = self.time + seconds
        while not until():
            busy = [one for one in self.participants.values() if one.inbox]
            if busy and self.time <= end:
                self._step(self.chance.choice(busy))
                continue
            wakes = [(wake, one) for one in self.participants.values() if (wake := one.wake) is not None]
            due = min((wake for wake, _ in wakes), default=end + 1)
            if busy or due > end:
                break
            self.time = max(self.time, due)
            for wake, one in wakes:
                if wake <= self.time:
                    one.inbox.append(TimePassed())
        self.time = max(self.time, end) if not until() else self.time

    def _step(self, one: Participant) -> None:
        count = self.chance.randint(1, MOST_BATCH)
        batch, one.inbox = one.inbox[:count], one.inbox[count:]
        self.time += STEP_SECONDS
        try:
            one.step(batch)
        except DiskBrokenError as error:
            if self.on_broken is None:
                raise
            self.on_broken(one.name, error)
        else:
            self.watch(one)

    # Connections

    def connect(self, who: Participant, relay_key: RelayKey) -> None:
        """At once: between two steps the relay is always there."""
        relay = self.participants[RELAY]
        ours, theirs = Connection(next(self._numbers)), Connection(next(self._numbers))
        handshake_hash = HandshakeHash(self.chance.randbytes(32))
        self._ends[who.name, ours] = RELAY, theirs
        self._ends[RELAY, theirs] = who.name, ours
        relay.inbox.append(Opened(theirs, None, handshake_hash))
        who.inbox.append(Opened(ours, relay_key, handshake_hash))

    def connections(self, who: Participant) -> list[Connection]:
        """Open ones."""
        return [connection for name, connection in self._ends if name == who.name]

    def carry(self, who: Participant, effect: Send) -> None:
        """One command to the other end; with what is there already it makes one frame."""
        name, connection = self._ends.get((who.name, effect.connection), (None, None))
        peer = self.participants.get(name) if name is not None else None
        if peer is None or connection is None:
            return
        peer.note_arrival(connection, effect.command)
        last = peer.inbox[-1] if peer.inbox else None
        if isinstance(last, Received) and last.connection == connection and len(last.commands) < 8:
            peer.inbox[-1] = Received(connection, (*last.commands, effect.command))
        else:
            peer.inbox.append(Received(connection, (effect.command,)))

    def hang_up(self, who: Participant, connection: Connection) -> None:
        """Both ends learn of it."""
        name, theirs = self._ends.pop((who.name, connection), (None, None))
        if name is None or theirs is None:
            return
        del self._ends[name, theirs]
        who.inbox.append(Closed(connection))
        self.participants[name].inbox.append(Closed(theirs))

    def _drop_connections(self, gone: str) -> None:
        for name, connection in list(self._ends):
            if name == gone and (end := self._ends.pop((name, connection), None)) is not None:
                self._ends.pop(end, None)
                peer = self.participants.get(end[0])
                if peer is not None:
                    peer.inbox.append(Closed(end[1]))


def hold_room(path: Path) -> None:
    """A ballast without the cost of writing it: every image has one."""
    held = path.with_name(path.name + "-ballast")
    with held.open("ab") as file:
        file.truncate(ballast.BALLAST_BYTES)


def _masked(secret: bytes, public: KemPublic) -> bytes:
    return bytes(one ^ other for one, other in zip(secret, hashlib.shake_256(public).digest(32), strict=True))


def _last_change(tx: Any) -> int:
    return int(tx.connection.execute("SELECT coalesce(max(number), 0) FROM changes").fetchone()[0])


__all__ = ["PEOPLE", "RELAY", "Habits", "World"]
