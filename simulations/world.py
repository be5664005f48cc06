"""A world of people and relays, built once and begun anew for each script.

Contacts are made by real invitations and handshakes, and what all disks then hold is kept: a script begins from there.
So a world costs its own messages and faults, not the making of its contacts.
"""

import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from protocol.crypto.suite import RealSuite, Suite
from protocol.delivery.contacts import new_profile
from protocol.errors import KassiberError
from protocol.keys import RelayKey
from protocol.limits import QUEUE_QUOTA_ENVELOPES
from protocol.operations import Accept, Configure, Invite, SendText
from protocol.timing import Timing
from simulations.dict_disk import mailbox_dicts, relay_dicts
from simulations.engine import Engine
from simulations.entropy import SeededEntropy
from simulations.host import Host, PersonHost
from simulations.mischief import CheatingRelay
from simulations.network import Network
from simulations.script import FaultKind, Say, Script
from simulations.storage import Disk, mailbox_disk, relay_disk
from simulations.toy import ToySuite

NAMES = (
    "Alice Anders", "Bob Berglund", "Carol Castellan", "Dave Danziger", "Erin Eastman", "Frank Fairweather",
    "Grace Goldblatt", "Heidi Hofstetter", "Ivan Iwanow", "Judy Jankowski",
)  # fmt: skip
"""Long enough not to come up in ciphertext by chance."""
SCALED = Timing(
    keep_alive_seconds=30.0,
    housekeeping_seconds=60.0,
    routes_again_seconds=60.0,
    dial_seconds=4.0,
    direct_dial_seconds=2.0,
    reply_seconds=8.0,
    redial_first_seconds=0.5,
    redial_most_seconds=8.0,
    unreachable_seconds=10.0,
    reroute_seconds=30.0,
    gap_seconds=3.0,
    receipt_mean_seconds=1.0,
    full_first_seconds=5.0,
    full_most_seconds=60.0,
    missing_parent_seconds=20.0,
)
"""Durations for worlds of two minutes: the defaults, scaled to about a tenth."""
_BREAKS_CUSTODY = frozenset((FaultKind.WITHHOLD, FaultKind.LIE_STORED))
LATENCY_SECONDS = 0.02
JITTER = 0.5
_TRY_AGAIN_SECONDS = 1.0


class Stage:
    """Disks that many worlds use in turn, with the contacts that all of them begin with."""

    def __init__(
        self, people: int, relays: int, contacts: tuple[tuple[int, int], ...], real_crypto: bool,
        store: Literal["sqlite", "dict"] = "sqlite", seed: int = 0,
    ) -> None:  # fmt: skip
        """`seed`: of what its people draw while they become contacts, such as which relay is whose first."""
        of_person, of_relay = (mailbox_disk, relay_disk) if store == "sqlite" else (mailbox_dicts, relay_dicts)
        self.disks: list[Disk[Any]] = [of_person() for _ in range(people)] + [of_relay() for _ in range(relays)]
        self.numbers: dict[tuple[int, int], int] = {}
        """(person, other person): under which number the first has the second as a contact."""
        world = World(self, Script(seed, people, relays, (), (), real_crypto=real_crypto), begin=False)
        for person in world.people:
            with person.disk.beside() as tx:
                tx.profile.save(new_profile(person.suite, person.entropy, person.name))
        world.boot()
        world.configure()
        for one, other in contacts:
            world.introduce(one, other)
        world.engine.run(world.engine.time + 10.0)
        self.numbers = world.numbers
        for host in world.hosts:
            host.save_clock()
            host.die()
        for disk in self.disks:
            disk.keep()


class World:
    """One run of one script."""

    def __init__(
        self, stage: Stage, script: Script, *, timing: Timing = SCALED, latency: float = LATENCY_SECONDS,
        begin: bool = True, engine: Engine | None = None, person: type[PersonHost] = PersonHost,
        relay: type[CheatingRelay] = CheatingRelay, suite: Suite | None = None,
    ) -> None:  # fmt: skip
        """`engine`, `person`, `relay`: what time passes in, and what lives in it (default: the engine's own).

        `suite`: in place of the script's own crypto, with its sizes.
        """
        self.script = script
        self.engine = engine or Engine()
        self.chance = random.Random(f"latency {script.seed}")
        self.network = Network(self.engine, latency, JITTER, partial(_stream, script.seed))
        self.fired: Counter[FaultKind] = Counter()
        """How often each kind of fault struck."""
        self.accepted: dict[int, Say] = {}
        """By number: what a node said is durable in its outbox."""
        self.numbers = dict(stage.numbers)
        self.met: list[tuple[int, tuple[int, int]]] = []
        """Invitations that two people were given: inviter, and the two."""
        self.rotated: set[int] = set()
        """People who left a relay, and may not have come back to it."""
        self.healed = False
        self.gone: set[int] = set()
        """Relays that nobody will see again."""
        self.distrusted: set[int] = set()
        """Relays whose disk may lack what they took custody of."""
        self.down_seconds: dict[int, float] = {}
        """How long a host that crashes stays down."""
        suite = suite or (RealSuite() if script.real_crypto else ToySuite())
        if begin:
            for disk in stage.disks:
                disk.crash_point = None
                disk.go_back()
        drawn = f"{script.seed}" if begin else f"stage {script.seed}"  # a world never repeats what its stage drew
        self.people = [
            person(
                self.engine, self.network, number, person_name(number), suite, timing,
                SeededEntropy(f"{drawn} {number}"), stage.disks[number], self.relay_of,
            )
            for number in range(script.people)
        ]  # fmt: skip
        self.relays = [
            relay(
                self.engine, self.network, script.people + number, f"relay{number}", suite, timing,
                SeededEntropy(f"{drawn} relay {number}"), stage.disks[script.people + number],
                QUEUE_QUOTA_ENVELOPES,
            )
            for number in range(script.relays)
        ]  # fmt: skip
        self.hosts: list[Host] = [*self.people, *self.relays]
        self._of_key: dict[RelayKey, CheatingRelay] = {relay.key: relay for relay in self.relays}
        self._of_identity: dict[bytes, PersonHost] = {}
        for somebody in self.people if begin else ():
            with somebody.disk.look() as tx:
                self._of_identity[tx.profile.get(1).identity] = somebody

    def relay_of(self, key: RelayKey) -> CheatingRelay | None:
        """By its key."""
        return self._of_key.get(key)

    def person_of(self, identity: bytes) -> PersonHost:
        """By the 64 bytes of an identity."""
        return self._of_identity[identity]

    def boot(self) -> None:
        """Everybody."""
        for relay in self.relays:
            relay.boot()
        for person in self.people:
            person.boot()

    def all_relays(self) -> tuple[tuple[str, RelayKey], ...]:
        """As a person's settings name them."""
        return tuple((relay.host, relay.key) for relay in self.relays)

    # People's wishes

    def configure(self) -> None:
        """Everybody uses every relay."""
        for person in self.people:
            self.get(person, Configure(self.all_relays(), None))

    def introduce(self, one: int, other: int) -> None:
        """By an invitation that nothing goes wrong with."""
        invited = self.get(self.people[one], Invite(1_440, None))
        made = self.get(self.people[other], Accept(invited.link, None, None))
        self.numbers[other, one] = made.contact
        self.engine.run(self.engine.time + 2.0)
        with self.people[one].disk.look() as tx:
            self.numbers[one, other] = max(contact.id for contact in tx.contacts.find())

    def get(self, person: PersonHost, operation: Any, seconds: float = 60.0) -> Any:
        """The machine's answer, in virtual time. Raises what it answered with; TimeoutError."""
        answers: list[Any] = []
        person.ask(operation, answers.append)
        self.engine.run(self.engine.time + seconds, lambda: bool(answers))
        if not answers:
            raise TimeoutError(f"{person.name} had no answer to {operation}")
        if isinstance(answers[0], KassiberError):
            raise answers[0]
        return answers[0]

    def say(self, line: Say) -> None:
        """People try again: until their node is up, has room, and has the text in its outbox."""
        sender, contact = self.people[line.sender], self.numbers.get((line.sender, line.recipient))
        if contact is None:
            return
        life, errors = sender.lives, []

        def answered(result: Any) -> None:
            if isinstance(result, KassiberError):
                errors.append(result)
            else:
                self.accepted[line.number] = line

        def look() -> None:
            if line.number in self.accepted:
                return
            if sender.lives == life and sender.up and not errors:
                self.engine.after(_TRY_AGAIN_SECONDS, look)
            elif self._is_there(sender, text_of(line)):
                self.accepted[line.number] = line
            else:
                self.say(line)

        if sender.up:
            sender.ask(SendText(contact, text_of(line)), answered)
        self.engine.after(_TRY_AGAIN_SECONDS, look)

    @staticmethod
    def _is_there(sender: PersonHost, text: str) -> bool:
        with sender.disk.look() as tx:
            return bool(tx.messages.count(mine=True, text=text))

    def heal(self) -> None:
        """Everything that can be mended is, at once; who is down starts."""
        self.healed = True
        self.network.mend()
        for relay in self.relays:
            relay.behave()
            if relay.quota != QUEUE_QUOTA_ENVELOPES:
                relay.quota = QUEUE_QUOTA_ENVELOPES
                relay.die()
        for host in self.hosts:
            host.disk.make_room()
            host.disk.crash_point = None
            host.wall_offset, host.rate = 0.0, 1.0
            if not host.up and host.index not in self.gone:
                host.boot()
        for number in sorted(self.rotated):
            self.people[number].ask(Configure(self.all_relays(), None), lambda result: None)

    def strike(self, kind: FaultKind, times: int = 1) -> None:
        """A fault has struck."""
        self.fired[kind] += times
        if kind in _BREAKS_CUSTODY:
            self.distrusted.update(relay.index for relay in self.relays)

    def distrust(self, relay: CheatingRelay) -> None:
        """It may lack what it took custody of."""
        self.distrusted.add(relay.index)


def _stream(seed: int, source: int, destination: int) -> Callable[[], float]:
    return random.Random((seed << 32) + (source << 16) + destination).random


def person_name(number: int) -> str:
    """A name nobody else has."""
    return NAMES[number] if number < len(NAMES) else f"Person {number}"


def text_of(line: Say) -> str:
    """A text that no other line has, of `bytes` bytes at least where its number leaves room."""
    return f"message {line.number} from {line.sender} to {line.recipient} ".ljust(line.bytes, "~")
