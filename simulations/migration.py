"""A person leaves a relay, dead or alive, and everybody follows: real machines and links, stores in dicts.

One *mover* has its queues on one relay only. That relay may die for good, with texts to the mover that nobody has
fetched. The mover names other relays; contacts that are online are told at once, the others when they come back.
"""

import random
from functools import partial
from typing import Any

from msgspec import Struct

from protocol.delivery.contacts import new_profile
from protocol.keys import RelayKey
from protocol.limits import QUEUE_QUOTA_ENVELOPES
from protocol.mailbox import ItemKind, MessageState
from protocol.operations import Accept, Configure, Invite, SendText
from protocol.timing import Timing
from protocol.traffic.policies import RECEIPT_MEAN_SECONDS
from protocol.wire.commands import Preset
from simulations.dict_disk import mailbox_dicts, relay_dicts
from simulations.engine import Engine
from simulations.entropy import CounterEntropy
from simulations.host import PersonHost, RelayHost
from simulations.network import Network
from simulations.toy import ToySuite

OLD = 0
"""The mover's relay until it dies. Some contacts have queues there too."""
NEW = (1, 2)
"""The mover's relays afterwards; nobody else's."""
COMMON = (3, 4, 5)
"""The contacts' relays, two each."""
_INTRODUCTION_SECONDS = 90.0
_INTRODUCTIONS_A_SECOND = 10.0
_LATENCY_SECONDS = 0.02
_JITTER = 0.5

DIRECT = Timing(receipt_mean_seconds=RECEIPT_MEAN_SECONDS[Preset.DIRECT])


class Plan(Struct, frozen=True, kw_only=True):
    """What happens."""

    seed: int = 0
    contacts: int = 200
    on_old_relay: int = 4
    """Each contact whose number this divides has one of its own two queues on the relay that dies."""
    offline_seconds: float = 43_200.0
    """Every second contact is offline when the relay dies, and comes back within so long of it."""
    online_seconds: float = 3_600.0
    """How long a contact stays when it comes back; by then it must have followed."""
    old_relay_dies: bool = True
    texts: bool = True
    """Whether anybody has anything to say: everybody before the move and whoever comes back, the mover after it."""
    timing: Timing = DIRECT


class Migration:
    """One world. `introduce`, `move`, then `finish`; `stray` and `lost` tell what went wrong."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.engine = Engine()
        self.chance = random.Random(f"migration {plan.seed}")
        self.network = Network(self.engine, _LATENCY_SECONDS, _JITTER, lambda source, destination: self.chance.random)
        suite = ToySuite()
        first = plan.contacts + 1
        self.relays = [
            RelayHost(
                self.engine, self.network, first + number, f"relay{number}", suite, plan.timing,
                CounterEntropy(f"{plan.seed} relay {number}"), relay_dicts(), QUEUE_QUOTA_ENVELOPES,
            )
            for number in range(1 + len(NEW) + len(COMMON))
        ]  # fmt: skip
        of_key: dict[RelayKey, RelayHost] = {relay.key: relay for relay in self.relays}
        self.people = [
            PersonHost(
                self.engine, self.network, number, f"Person {number}", suite, plan.timing,
                CounterEntropy(f"{plan.seed} {number}"), mailbox_dicts(), of_key.get,
            )
            for number in range(first)
        ]  # fmt: skip
        for person in self.people:
            with person.disk.beside() as tx:
                tx.profile.save(new_profile(suite, person.entropy, person.name))
        self.mover, self.contacts = self.people[0], self.people[1:]
        self.stray: list[str] = []
        """Contacts that after their time online still had another route to the mover than the new ones."""
        self._numbers: dict[int, int] = {}
        self.written = 0
        """Texts that were handed to somebody's node."""

    # From the first invitation to the death of the relay

    def introduce(self) -> None:
        """Everybody is online and becomes a contact of the mover's."""
        for host in (*self.relays, *self.people):
            host.boot()
        self._use(self.mover, (OLD,))
        for person in self.contacts:
            self._use(person, self._relays_of(person.index))
            self.engine.at(1.0 + person.index / _INTRODUCTIONS_A_SECOND, partial(self._invite, person))
        self.engine.run(self.plan.contacts / _INTRODUCTIONS_A_SECOND + _INTRODUCTION_SECONDS)
        if len(self._numbers) < self.plan.contacts:
            raise TimeoutError(f"{self.plan.contacts - len(self._numbers)} introductions are not over")

    def move(self) -> None:
        """The mover is away; everybody writes to it; half go; the relay dies; the mover comes back, and moves."""
        self.mover.die()
        for person in self.contacts if self.plan.texts else ():
            self._write(person, 1, "before")
        self.engine.run(self.engine.time + 60.0)
        leaving = self.contacts[::2]
        for person in leaving:
            person.die()
        if self.plan.old_relay_dies:
            self.relays[OLD].die(power=True)
        for person in leaving:
            self.engine.after(self.chance.uniform(60.0, self.plan.offline_seconds), partial(self._come_back, person))
        self.mover.boot()
        self._use(self.mover, NEW)
        for contact in self._numbers.values() if self.plan.texts else ():
            self._write(self.mover, contact, "from the mover")
        for person in self.contacts[1::2]:
            self.engine.after(self.plan.online_seconds, partial(self._look, person))

    def run(self, seconds: float) -> None:
        """Virtual seconds."""
        self.engine.run(self.engine.time + seconds)

    def finish(self) -> None:
        """Until everybody who was offline has been online for its time."""
        self.run(self.plan.offline_seconds + self.plan.online_seconds + 60.0)

    # What became of it

    def lost(self) -> list[str]:
        """Texts that are not shown exactly once at the other side, or whose arrival is not known to who wrote them."""
        found = []
        for person in self.contacts:
            contact = self._numbers[person.index]
            for reader, theirs, writer, mine in (
                (self.mover, contact, person, 1),
                (person, 1, self.mover, contact),
            ):
                with reader.disk.look() as tx:
                    shown = [row.text for row in tx.messages.find(contact=theirs, mine=False) if row.change is not None]
                with writer.disk.look() as tx:
                    written = tx.messages.find(contact=mine, mine=True)
                found += [
                    f"{row.text!r} of {writer.name}: {row.state.name}, shown {shown.count(row.text)} times"
                    for row in written
                    if shown.count(row.text) != 1 or row.state is not MessageState.DELIVERED
                ]
                if len(shown) != len(written):
                    found.append(f"{reader.name} shows {len(shown)} texts of {writer.name}'s {len(written)}")
        return found

    def unconfirmed(self) -> int:
        """Contacts that the mover does not know to have its routes."""
        with self.mover.disk.look() as tx:
            return len({item.contact for item in tx.items.find(kind=ItemKind.ROUTES)})

    def queues_left(self) -> int:
        """Of the mover's, on the relay that it left."""
        with self.mover.disk.look() as tx:
            return len(tx.queues.find(relay=self.relays[OLD].key))

    # Parts

    def _relays_of(self, number: int) -> tuple[int, ...]:
        one, other = COMMON[number % len(COMMON)], COMMON[(number + 1) % len(COMMON)]
        return (OLD, one) if number % self.plan.on_old_relay == 0 else (one, other)

    def _use(self, person: PersonHost, relays: tuple[int, ...]) -> None:
        named = tuple((self.relays[number].host, self.relays[number].key) for number in relays)
        person.ask(Configure(named, None), _expect)

    def _invite(self, person: PersonHost) -> None:
        def invited(answer: Any) -> None:
            person.ask(Accept(_expect(answer).link, None, None), made)

        def made(answer: Any) -> None:
            _expect(answer)
            self.engine.after(5.0, partial(self._number, person))

        self.mover.ask(Invite(1_440, None), invited)

    def _number(self, person: PersonHost) -> None:
        with person.disk.look() as tx:
            identity = tx.profile.get(1).identity
        with self.mover.disk.look() as tx:
            (contact,) = tx.contacts.find(identity=identity)
        self._numbers[person.index] = contact.id

    def _write(self, person: PersonHost, contact: int, what: str) -> None:
        self.written += 1
        person.ask(SendText(contact, f"{what}, {person.index} to {contact}"), _expect)

    def _come_back(self, person: PersonHost) -> None:
        person.boot()
        if self.plan.texts:
            self._write(person, 1, "back")
        self.engine.after(self.plan.online_seconds, partial(self._leave, person))

    def _leave(self, person: PersonHost) -> None:
        self._look(person)
        person.die()

    def _look(self, person: PersonHost) -> None:
        new = {self.relays[number].key for number in NEW}
        with person.disk.look() as tx:
            routes = tx.routes.find(contact=1)
            undelivered = [row for row in tx.messages.find(mine=True) if row.state is not MessageState.DELIVERED]
        if {route.relay for route in routes} != new or undelivered:
            self.stray.append(f"{person.name}: {len(routes)} routes, {len(undelivered)} texts not delivered")


def _expect(answer: Any) -> Any:
    """Nobody here may be refused anything."""
    if isinstance(answer, Exception):
        raise answer
    return answer
