"""No state is shown before it is true, none goes back, and what was shown stays: as the local API's clients see it."""

from collections.abc import Callable

from protocol.envelope.envelope import parse_envelope
from protocol.keys import RelayKey
from protocol.mailbox import ChangeKind, MessageState
from simulations.checkers import Violation
from simulations.host import PersonHost
from simulations.world import World

_NEW = """
    SELECT c.number, c.kind, c.state, m.id, m.message_id, m.contact, m.mine, k.identity
    FROM changes c JOIN messages m ON m.id = c.row JOIN contacts k ON k.id = m.contact
    WHERE c.number > ? AND c.kind <= 2 ORDER BY c.number
"""
_CARRIED = """
    SELECT DISTINCT e.envelope, r.relay FROM items i JOIN envelopes e ON e.id = i.sealed JOIN routes r ON r.id = e.route
    WHERE i.message_id = ? AND i.contact = ? AND i.kind = 1 AND e.stored_at IS NOT NULL
"""

_NEVER_STORED = "SELECT 1 FROM items WHERE message_id = ? AND contact = ? AND kind = 1 AND stored = 0 AND arrived = 0"


class Witness:
    """Follows one node with a cursor, over all its lives, and compares what it says with what others hold."""

    def __init__(self, world: World, person: PersonHost) -> None:
        self._world = world
        self._person = person
        self._cursor = self._latest()
        self._states: dict[int, int] = {}
        self.shown = 0

    def _latest(self) -> int:
        row = self._person.disk.connection.execute("SELECT max(number) FROM changes").fetchone()
        return int(row[0] or 0)

    def look(self, _person: PersonHost) -> None:
        """At what is new. Raises Violation."""
        rows = self._person.disk.connection.execute(_NEW, (self._cursor,)).fetchall()
        for number, kind, state, row, message_id, contact, mine, identity in rows:
            self._cursor = number
            if kind == ChangeKind.MESSAGE:
                if row in self._states:
                    raise Violation("truth", f"{self._person.name} was shown one message twice")
                self._states[row] = state
                self.shown += 1
            else:
                self._advance(row, state)
            if mine and state == MessageState.DELIVERED:
                self._check_delivered(message_id, identity)
            elif mine and state == MessageState.RELAYED:
                self._check_relayed(message_id, contact)
        self._cursor = max(self._cursor, self._latest())

    def _advance(self, row: int, state: int) -> None:
        before = self._states.get(row)
        if before is not None and state <= before:
            raise Violation("truth", f"a message of {self._person.name} went from state {before} to {state}")
        self._states[row] = state

    def _check_delivered(self, message_id: bytes, identity: bytes) -> None:
        reader = self._world.person_of(identity)
        found = reader.disk.connection.execute(
            "SELECT 1 FROM messages WHERE message_id = ? AND mine = 0", (message_id,)
        ).fetchone()
        if found is None:
            raise Violation("truth", f"{self._person.name} was told delivered, and {reader.name} has nothing")

    def _check_relayed(self, message_id: bytes, contact: int) -> None:
        """Every envelope of it under way is, or was, at its relay: it remembers the digest."""
        world = self._world
        if self._person.disk.connection.execute(_NEVER_STORED, (message_id, contact)).fetchone() is not None:
            raise Violation("truth", f"{self._person.name} was told relayed of a part that no relay took")
        for envelope, key in self._person.disk.connection.execute(_CARRIED, (message_id, contact)).fetchall():
            relay = world.relay_of(RelayKey(key))
            if (
                relay is not None
                and relay.index not in world.distrusted
                and not relay.remembers(parse_envelope(envelope).digest)
            ):
                raise Violation("truth", f"{self._person.name} was told relayed, and {relay.name} never had it")


def watch(world: World) -> list[Witness]:
    """A witness for each person, told of every change."""
    witnesses = [Witness(world, person) for person in world.people]
    for witness, person in zip(witnesses, world.people, strict=True):
        look: Callable[[PersonHost], None] = witness.look
        person.announced = look
    return witnesses
