"""A person moves to another relay because the old one is gone for good: who follows, how soon, and what is lost.

One mover with many contacts, made as in `simulations.crowd`; the contacts do not know each other. The mover has queues
on the old relay alone. A third of the contacts has one relay, a third two, a third two of which one is the old relay.
"""

from typing import Any

from protocol.keys import RelayKey
from protocol.mailbox import ItemKind, MessageState, RouteState
from protocol.operations import Configure, SendText
from protocol.timing import Timing
from simulations.crowd import Plan, Population
from simulations.host import PersonHost, RelayHost

_NEVER_PURGED_SECONDS = 1e9
_DEFAULTS = Timing()
OLD, NEW, FIRST, SECOND, THIRD = range(5)
_RELAYS_OF_CONTACTS = ((FIRST,), (SECOND, THIRD), (OLD, FIRST))


class Migration(Population):
    """The mover is person 0 and knows contact n as number n; each contact knows the mover as number 1."""

    def __init__(self, contacts: int, *, seed: int = 0, timing: Timing = _DEFAULTS, kinds: int = 3) -> None:
        """`kinds`: of contacts by their relays, in the order above."""
        self._kinds = kinds
        super().__init__(
            Plan(seed=seed, people=contacts + 1, relays=5, kept_seconds=_NEVER_PURGED_SECONDS, timing=timing)
        )
        self.mover = self.people[0]
        self.contacts = self.people[1:]
        self.old, self.new = self.relays[OLD], self.relays[NEW]
        self.written: dict[tuple[int, bool], list[str]] = {}
        """By contact, and whether the mover wrote: every text that a node took into its outbox."""

    # The world before

    def _relays_of(self, number: int) -> tuple[tuple[str, RelayKey], ...]:
        chosen = (OLD,) if number == 0 else _RELAYS_OF_CONTACTS[number % self._kinds]
        return tuple((self.relays[one].host, self.relays[one].key) for one in chosen)

    def _pairs(self) -> list[tuple[PersonHost, PersonHost]]:
        """Every other contact was invited by the mover, the rest invited the mover."""
        mover, *contacts = self.people
        return [(mover, one) if one.index % 2 else (one, mover) for one in contacts]

    def introduce(self) -> None:
        super().introduce()
        self.number_of = {}
        identities = {}
        for person in self.contacts:
            with person.disk.look() as tx:
                identities[tx.profile.get(1).identity] = person.index
        with self.mover.disk.look() as tx:
            for contact in tx.contacts.find():
                self.number_of[identities[contact.identity]] = contact.id

    # What people do

    def move(self, *relays: RelayHost) -> None:
        """The mover's settings name these relays and no other."""
        self.mover.ask(Configure(tuple((relay.host, relay.key) for relay in relays), None), _expect)

    def write_to(self, contact: PersonHost) -> None:
        """The mover writes to a contact."""
        self._text(contact, by_mover=True)

    def write_from(self, contact: PersonHost) -> None:
        """A contact writes to the mover."""
        self._text(contact, by_mover=False)

    def _text(self, contact: PersonHost, *, by_mover: bool) -> None:
        self._texts += 1
        text = f"text {self._texts}"
        known = self.written.setdefault((contact.index, by_mover), [])

        def written(answer: Any) -> None:
            _expect(answer)
            known.append(text)

        sender, number = (self.mover, self.number_of[contact.index]) if by_mover else (contact, 1)
        sender.ask(SendText(number, text), written)

    # What became of it

    def trouble(self, contact: PersonHost) -> list[str]:
        """Why this contact has not followed, and what it and the mover lack of each other; empty if all is well."""
        found = []
        number = self.number_of[contact.index]
        with contact.disk.look() as tx:
            where = [(row.relay, row.state) for row in tx.routes.find(contact=1)]
            if where != [(self.new.key, RouteState.CLAIMED)]:
                found.append(f"it writes to {[(self._of_key[relay].name, state.name) for relay, state in where]}")
            found += self._lacks(tx, 1, self.written.get((contact.index, False), []), mine=True)
            found += self._lacks(tx, 1, self.written.get((contact.index, True), []), mine=False)
        with self.mover.disk.look() as tx:
            found += self._lacks(tx, number, self.written.get((contact.index, True), []), mine=True)
            found += self._lacks(tx, number, self.written.get((contact.index, False), []), mine=False)
            if tx.items.count(contact=number, kind=ItemKind.ROUTES):
                found.append("the mover does not know that it knows")
        return [f"{contact.name}: {what}" for what in found]

    def listens_at(self) -> set[str]:
        """The relays at which the mover has a queue."""
        with self.mover.disk.look() as tx:
            return {self._of_key[queue.relay].name for queue in tx.queues.find()}

    def has(self, contact: PersonHost) -> int:
        """Texts of this contact that the mover has."""
        with self.mover.disk.look() as tx:
            return int(tx.messages.count(contact=self.number_of[contact.index], mine=False))

    @staticmethod
    def _lacks(tx: Any, contact: int, texts: list[str], *, mine: bool) -> list[str]:
        rows = tx.messages.find(contact=contact, mine=mine)
        wanted = MessageState.DELIVERED if mine else MessageState.RECEIVED
        found = [f"{row.text!r} is {row.state.name}" for row in rows if row.state is not wanted or row.change is None]
        if sorted(row.text for row in rows) != sorted(texts):
            found.append(f"has {len(rows)} of {len(texts)} texts, mine: {mine}")
        return found


def _expect(answer: Any) -> Any:
    """Nobody here may be refused anything."""
    if isinstance(answer, Exception):
        raise answer
    return answer
