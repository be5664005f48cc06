"""What time passing costs does not grow with the number of contacts."""

from pathlib import Path

import pytest

from protocol.events import Now, TimePassed
from tests.protocol.machines.world import START, Person, World

ROUTE = "position, host, relay, direct, send_id, claim_seed, key, state, retry_at, failures, refused_since"
QUEUE = "invitation, position, host, relay, direct, key, receive_id, send_id, claim_seed, state, sealed, drop_at"


@pytest.fixture
def alice(tmp_path: Path) -> Person:
    world = World(tmp_path)
    relays = world.relay("first"), world.relay("second")
    alice, bob = world.person("alice"), world.person("bob")
    alice.use(*relays)
    bob.use(*relays)
    world.introduce(alice, bob)
    return alice


def statements(person: Person) -> int:
    """How many one TimePassed with nothing due takes, where nothing is remembered."""
    seen: list[str] = []
    assert person.core is not None
    person.store.connection.execute("UPDATE profile SET id = id")
    person.store.connection.set_trace_callback(seen.append)
    person.core.step([TimePassed()], Now(person.service(), START + person.world.time))
    person.store.connection.set_trace_callback(None)
    return len(seen)


def test_an_upkeep_with_nothing_due_takes_as_many_statements_for_a_hundred_contacts_as_for_one(alice: Person) -> None:
    before = statements(alice)
    for contact in range(2, 101):
        for table, columns in (("routes", ROUTE), ("queues", QUEUE)):
            alice.store.connection.execute(
                f"INSERT INTO {table} (contact, {columns}) SELECT ?, {columns} FROM {table} WHERE contact = 1",
                (contact,),
            )
    assert statements(alice) == before < 20
