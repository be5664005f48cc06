"""A steady world of many nodes: each writes to its contacts at random, and texts are receipted at ticks.

Real machines, real links, every byte that would be on a wire; stores in dicts. Contacts are made by invitations and
handshakes, many at a time. What a person's node would keep for ever is purged here, so that memory stays bounded:
settled messages but the newest of each side, changes that readers have seen, digests and keys older than
`Plan.kept_seconds`. Nothing in a world without faults refers to those again.
"""

import random
from functools import partial
from typing import Any

from msgspec import Struct

from protocol.crypto.suite import KEM_KEYS, RealSuite, Suite
from protocol.delivery.contacts import new_profile
from protocol.keys import RelayKey
from protocol.limits import QUEUE_QUOTA_ENVELOPES
from protocol.mailbox import InvitationState, Message, MessageState
from protocol.operations import Accept, Configure, Invite, SendText
from protocol.timing import Timing
from simulations.dict_disk import mailbox_dicts, relay_dicts
from simulations.engine import Engine
from simulations.entropy import CounterEntropy
from simulations.host import PersonHost, RelayHost
from simulations.network import Network
from simulations.toy import ToySuite

LATENCY_SECONDS = 0.02
JITTER = 0.5
_INTRODUCTIONS_A_SECOND = 50.0
_INTRODUCTION_SECONDS = 60.0
"""In which the last of them is over."""
_INVITATION_MINUTES = 1_440
_PROMPT = Timing(receipt_mean_seconds=1.0)
"""So that little is under way at a time."""
_TEXT = "left at the station with the grey umbrella and a list of names that nobody may read"


class Plan(Struct, frozen=True, kw_only=True):
    """What a world is made of."""

    seed: int = 0
    people: int
    relays: int
    contacts: int = 4
    """Of each person; even, since people stand in a ring and know their neighbours on both sides."""
    relays_each: int = 1
    """On how many relays a person has queues for each contact."""
    texts_a_minute: float = 1.0
    """Of each person, to a contact at random; a Poisson process."""
    real_crypto: bool = False
    kept_seconds: float = 15.0
    """What is settled is purged once it is older than this, and before it is three times as old."""
    timing: Timing = _PROMPT


class Population:
    """Everybody, from the first invitation on. Made by `Population(plan)`, then `introduce` and `run`."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.engine = Engine()
        self.chance = random.Random(f"population {plan.seed}")
        self.network = Network(self.engine, LATENCY_SECONDS, JITTER, lambda source, destination: self.chance.random)
        self.sent = 0
        """Texts that a node took into its outbox."""
        self.suite: Suite = RealSuite(KEM_KEYS * plan.people) if plan.real_crypto else ToySuite()
        self.relays = [
            RelayHost(
                self.engine, self.network, plan.people + number, f"relay{number}", self.suite, plan.timing,
                CounterEntropy(f"{plan.seed} relay {number}"), relay_dicts(), QUEUE_QUOTA_ENVELOPES,
            )
            for number in range(plan.relays)
        ]  # fmt: skip
        self._of_key: dict[RelayKey, RelayHost] = {relay.key: relay for relay in self.relays}
        self.people = [self._person(number) for number in range(plan.people)]
        self._marks = [0] * plan.people
        self._texts = 0
        self._unmet = 0

    def _person(self, number: int) -> PersonHost:
        person = PersonHost(
            self.engine, self.network, number, f"Person {number}", self.suite, self.plan.timing,
            CounterEntropy(f"{self.plan.seed} {number}"), mailbox_dicts(), self._of_key.get,
        )  # fmt: skip
        with person.disk.beside() as tx:
            tx.profile.save(new_profile(person.suite, person.entropy, person.name))
        return person

    # Contacts

    def introduce(self) -> None:
        """Boot everybody, and make every pair of neighbours contacts. Raises TimeoutError."""
        for host in (*self.relays, *self.people):
            host.boot()
        for person in self.people:
            person.ask(Configure(self._relays_of(person.index), None), _expect)
        pairs = self._pairs()
        self._unmet = len(pairs)
        for number, (one, other) in enumerate(pairs):
            self.engine.at(1.0 + number / _INTRODUCTIONS_A_SECOND, partial(self._invite, one, other))
        until = 1.0 + len(pairs) / _INTRODUCTIONS_A_SECOND + _INTRODUCTION_SECONDS
        self.engine.run(until)
        if self._unmet:
            raise TimeoutError(f"{self._unmet} of {len(pairs)} introductions are not over")
        for number, person in enumerate(self.people):
            self._share(person)
            self.engine.after(self.plan.kept_seconds * number / len(self.people), partial(self._purge, person))
        for relay in self.relays:
            self.engine.after(self.plan.kept_seconds * self.chance.random(), partial(self._purge_relay, relay))

    def _relays_of(self, number: int) -> tuple[tuple[str, RelayKey], ...]:
        first, relays = number % len(self.relays), self.relays
        chosen = [relays[(first + more) % len(relays)] for more in range(self.plan.relays_each)]
        return tuple((relay.host, relay.key) for relay in chosen)

    def _pairs(self) -> list[tuple[PersonHost, PersonHost]]:
        ring = self.people.copy()
        self.chance.shuffle(ring)
        count, reach = len(ring), self.plan.contacts // 2
        assert self.plan.contacts == 2 * reach < count
        return [(ring[at], ring[(at + far) % count]) for far in range(1, reach + 1) for at in range(count)]

    def _invite(self, one: PersonHost, other: PersonHost) -> None:
        def invited(answer: Any) -> None:
            other.ask(Accept(_expect(answer).link, None, None), made)

        def made(answer: Any) -> None:
            _expect(answer)
            self._unmet -= 1

        one.ask(Invite(_INVITATION_MINUTES, None), invited)

    def _share(self, person: PersonHost) -> None:
        """One copy of each relay's address, instead of one a row."""
        with person.disk.beside() as tx:
            for table in (tx.queues, tx.routes):
                for row in table.find():
                    relay = self._of_key[row.relay]
                    table.update(row.id, host=relay.host, relay=relay.key)

    # Texts

    def write(self) -> None:
        """From now on everybody writes."""
        for person in self.people:
            self.engine.after(self._pause(), partial(self._write, person))

    def run(self, seconds: float) -> None:
        """Virtual seconds."""
        self.engine.run(self.engine.time + seconds)

    def _pause(self) -> float:
        return self.chance.expovariate(self.plan.texts_a_minute / 60.0)

    def _write(self, person: PersonHost) -> None:
        self._texts += 1
        contact = 1 + int(self.plan.contacts * self.chance.random())
        person.ask(SendText(contact, f"{self._texts} {_TEXT}"), self._written)
        self.engine.after(self._pause(), partial(self._write, person))

    def _written(self, answer: Any) -> None:
        _expect(answer)
        self.sent += 1

    # What became of them

    def undelivered(self) -> int:
        """Texts whose receipt has not come, now."""
        return sum(
            row.mine and row.state is not MessageState.DELIVERED
            for person in self.people
            for row in self._messages(person)
        )

    def shown(self) -> int:
        """Texts that have been received, ever: each message is one's own or the contact's."""
        with_own = 0
        for person in self.people:
            with person.disk.look() as tx:
                with_own += tx.messages.last
        return with_own - self.sent

    @staticmethod
    def _messages(person: PersonHost) -> list[Message]:
        with person.disk.look() as tx:
            found: list[Message] = tx.messages.find()
            return found

    # What nobody needs any more

    def _purge(self, person: PersonHost) -> None:
        """Whatever was there at the last purge is old enough."""
        mark = self._marks[person.index]
        with person.disk.beside() as tx:
            self._marks[person.index] = tx.changes.last
            tx.changes.remove_all([number for number in tx.changes.rows if number <= mark])
            tx.messages.remove_all(_settled(tx.messages.rows.values(), mark))
            tx.invitations.remove_where(state=InvitationState.USED)
            tx.forget(self.engine.time - self.plan.kept_seconds)
        for table in tx.tables():
            table.shrink()
        self.engine.after(self.plan.kept_seconds, partial(self._purge, person))

    def _purge_relay(self, relay: RelayHost) -> None:
        with relay.disk.beside() as tx:
            tx.digests.expire(self.engine.time - self.plan.kept_seconds, 2**31)
        self.engine.after(self.plan.kept_seconds, partial(self._purge_relay, relay))


def _settled(messages: Any, mark: int) -> list[int]:
    """Shown up to change number `mark` and with nothing to come; but the newest such of each side of a conversation.

    What a contact may still name as parent is its own last, the newest that it has seen of ours, or younger.
    """
    newest: dict[tuple[int, bool], int] = {}
    old: list[int] = []
    for row in messages:
        if row.change is None or row.change > mark or (row.mine and row.state is not MessageState.DELIVERED):
            continue
        side = row.contact, row.mine
        former = newest.get(side)
        if former is not None:
            old.append(min(former, row.id))
        newest[side] = row.id if former is None else max(former, row.id)
    return old


def _expect(answer: Any) -> Any:
    """Nobody here may be refused anything."""
    if isinstance(answer, Exception):
        raise answer
    return answer
