"""What leaves by itself leaves at a tick of its contact, and nothing that happens moves a tick (Spec 6 §5)."""

from collections.abc import Sequence
from typing import Any

from protocol.effects import Effect
from protocol.events import Event, Failed, Now
from protocol.machines.personal import Personal
from protocol.mailbox import ItemKind, PersonalTransaction
from simulations.checkers import Violation
from simulations.host import PersonHost
from simulations.world import World

_STATE = f"""
    SELECT max(id), 0 FROM envelopes UNION ALL SELECT max(number), 0 FROM changes
    UNION ALL SELECT contact, due FROM items WHERE kind = {ItemKind.TICK.value}
"""
"""The newest envelope and change, then the ticks."""
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
    """A person's machine, looked at before and after each event. What is found is kept: a machine would contain it.

    What was seen after an event stands before the next one, unless something else has been written since, or what
    was written has been undone: of that it hears as an exception, or as `Failed`.
    """

    def __init__(self, person: PersonHost, machine: Personal, found: list[str]) -> None:
        self._person = person
        self._machine = machine
        self._found = found
        self._connection = person.disk.connection
        self._seen_at = -1
        """How many rows the connection had changed when `_ticks` and `_newest` were read."""
        self._ticks: dict[int, float] = {}
        self._newest: tuple[int, int] = (0, 0)

    @property
    def next_wake(self) -> float | None:
        return self._machine.next_wake

    def __getattr__(self, name: str) -> Any:
        return getattr(self._machine, name)

    def handle(self, event: Event, tx: PersonalTransaction, now: Now) -> Sequence[Effect]:
        connection = self._connection
        if connection.total_changes != self._seen_at:
            self._look()
        before, (envelope, change), changes = self._ticks, self._newest, connection.total_changes
        self._seen_at = -1
        effects = self._machine.handle(event, tx, now)
        if connection.total_changes != changes:
            self._look()
            if self._ticks != before:
                self._look_at_ticks(before, now.service)
            if self._newest[0] > envelope:
                for (contact,) in connection.execute(_AUTOMATIC, (envelope, change)).fetchall():
                    if before.get(contact, now.service + 1.0) > now.service:
                        self._found.append(f"an automatic envelope of {self._person.name} left at no tick")
        self._seen_at = -1 if type(event) is Failed else connection.total_changes
        return effects

    def _look(self) -> None:
        (envelope, _), (change, _), *ticks = self._connection.execute(_STATE).fetchall()
        self._newest = envelope or 0, change or 0
        self._ticks = dict(ticks)

    def _look_at_ticks(self, before: dict[int, float], service: float) -> None:
        for contact, due in before.items():
            if due > service and self._ticks.get(contact) != due and self._is_there(contact):
                self._found.append(f"a tick of {self._person.name} moved before it came")

    def _is_there(self, contact: int) -> bool:
        return self._connection.execute("SELECT 1 FROM contacts WHERE id = ?", (contact,)).fetchone() is not None


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
