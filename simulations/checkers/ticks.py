"""What leaves by itself leaves at a tick of its contact, and nothing that happens moves a tick (Spec 6 §5)."""

from collections.abc import Sequence
from typing import Any

from protocol.effects import Effect
from protocol.events import Event, Now
from protocol.machines.personal import Personal
from protocol.mailbox import ItemKind, PersonalTransaction
from simulations.checkers import Violation
from simulations.host import PersonHost
from simulations.world import World

_TICKS = f"SELECT contact, due FROM items WHERE kind = {ItemKind.TICK.value}"
_NEWEST = "SELECT (SELECT max(id) FROM envelopes), (SELECT max(number) FROM changes)"
_AUTOMATIC = f"""
    SELECT e.contact FROM envelopes e WHERE e.id > ? AND e."index" > 0
    AND NOT EXISTS (SELECT 1 FROM items i WHERE i.sealed = e.id
        AND i.kind NOT IN ({ItemKind.RECEIPT.value}, {ItemKind.PAIR.value}))
    AND NOT EXISTS (SELECT 1 FROM changes c JOIN messages m ON m.id = c.row
        WHERE c.number > ? AND c.kind = 2 AND c.state = 3 AND m.contact = e.contact)
"""
"""Sealed since, with nothing in it that a person did. What was delivered in the same step has taken its items along."""
_FORGOTTEN = f"""
    SELECT count(*) FROM items i JOIN contacts c ON c.id = i.contact
    WHERE i.kind = {ItemKind.RECEIPT.value} AND i.sealed IS NULL AND i.arrived = 0 AND c.state = 2
    AND i.contact NOT IN (SELECT contact FROM items WHERE kind = {ItemKind.TICK.value})
"""


class _Watched:
    """A person's machine, looked at before and after each event. What is found is kept: a machine would contain it."""

    def __init__(self, person: PersonHost, machine: Personal, found: list[str]) -> None:
        self._person = person
        self._machine = machine
        self._found = found

    @property
    def next_wake(self) -> float | None:
        return self._machine.next_wake

    def __getattr__(self, name: str) -> Any:
        return getattr(self._machine, name)

    def handle(self, event: Event, tx: PersonalTransaction, now: Now) -> Sequence[Effect]:
        run = self._person.disk.connection.execute
        before = dict(run(_TICKS).fetchall())
        envelope, change = run(_NEWEST).fetchone()
        effects = self._machine.handle(event, tx, now)
        if dict(run(_TICKS).fetchall()) != before:
            self._look_at_ticks(before, now.service)
        for (contact,) in run(_AUTOMATIC, (envelope or 0, change or 0)).fetchall():
            if before.get(contact, now.service + 1.0) > now.service:
                self._found.append(f"an automatic envelope of {self._person.name} left at no tick")
        return effects

    def _look_at_ticks(self, before: dict[int, float], service: float) -> None:
        run = self._person.disk.connection.execute
        after = dict(run(_TICKS).fetchall())
        contacts = {number for (number,) in run("SELECT id FROM contacts").fetchall()}
        for contact, due in before.items():
            if due > service and contact in contacts and after.get(contact) != due:
                self._found.append(f"a tick of {self._person.name} moved before it came")


class TickWatch:
    """Over everybody of a world that has not begun yet."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._found: list[str] = []
        for person in world.people:
            self._wrap(person)

    def _wrap(self, person: PersonHost) -> None:
        make = person.machine
        person.machine = lambda: _Watched(person, make(), self._found)  # type: ignore[method-assign,assignment,return-value]

    def check(self) -> None:
        """At the end. Raises Violation."""
        if self._found:
            raise Violation("ticks", self._found[0])
        for person in self._world.people:
            if person.disk.connection.execute(_FORGOTTEN).fetchone()[0]:
                raise Violation("ticks", f"{person.name} owes a receipt, and no tick is to come")
