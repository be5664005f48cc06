"""Who leaves a relay takes everybody along, and whoever is away is waited for."""

import pytest
from msgspec.structs import replace

from simulations.migration import DIRECT, Migration, Plan


def moved(plan: Plan) -> Migration:
    migration = Migration(plan)
    migration.introduce()
    migration.move()
    return migration


@pytest.mark.parametrize("seed", [0, 1])
def test_two_hundred_contacts_follow_from_a_dead_relay_within_their_next_hour_and_nothing_is_lost(seed: int) -> None:
    """It was the mover's only relay, and died with a text of every contact; half of them were offline when it did."""
    migration = moved(Plan(seed=seed))
    migration.finish()
    assert migration.stray == []
    assert migration.lost() == []
    assert migration.written == 200 + 200 + 100
    assert migration.unconfirmed() == 0


def test_contacts_with_nothing_to_say_confirm_too() -> None:
    migration = moved(Plan(contacts=40, texts=False, offline_seconds=7_200.0))
    migration.run(600.0)
    away = len([person for person in migration.contacts if not person.up])
    assert 10 < away <= migration.unconfirmed() <= 20
    migration.finish()
    assert migration.stray == []
    assert migration.unconfirmed() == 0


def test_queues_on_the_old_relay_stay_until_each_contact_has_confirmed_and_then_go() -> None:
    timing = replace(DIRECT, retire_days=0.05, housekeeping_seconds=600.0)
    migration = moved(Plan(contacts=40, texts=False, old_relay_dies=False, timing=timing, offline_seconds=7_200.0))
    migration.run(60.0)
    assert migration.queues_left() == 40
    back = len([person for person in migration.contacts if person.up])
    while migration.engine.time < 6_000.0:
        migration.run(600.0)
        assert migration.queues_left() >= migration.unconfirmed()
    assert 0 < migration.queues_left() < 40
    assert back == 20
    migration.finish()
    assert migration.queues_left() == 0
