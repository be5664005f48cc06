"""Two contacts come to recognise each other nearby, where both of them want it, and only there."""

from pathlib import Path

import pytest

from protocol.delivery import pairing
from protocol.envelope.items import DISCOVERY
from protocol.mailbox import ItemKind, Pair
from tests.protocol.machines.test_personal import couple
from tests.protocol.machines.world import FAST, Person, RelayHost, World

DAY = 86_400.0


def acquainted(world: World, alice_features: int, bob_features: int) -> tuple[Person, Person, RelayHost, RelayHost]:
    """Both with these features from the start."""
    first, second = world.relay("first"), world.relay("second")
    people = []
    for name, features in (("alice", alice_features), ("bob", bob_features)):
        person = world.person(name)
        switch(person, features)
        person.use(first, second)
        people.append(person)
    world.introduce(*people)
    world.run(20)
    return people[0], people[1], first, second


def switch(person: Person, features: int) -> None:
    """Started again with other features."""
    person.features = features
    person.crash()
    person.boot()


def pair(person: Person) -> Pair:
    with person.store.read() as tx:
        (found,) = tx.pairs.find()
        assert isinstance(found, Pair)
        return found


def tagged(person: Person) -> bytes | None:
    now = pair(person)
    with person.store.read() as tx:
        return pairing.tagged_with(tx, now)


def check_recognised(alice: Person, bob: Person) -> None:
    """Each looks for what the other is tagged with, and the two directions differ."""
    assert tagged(alice) in pairing.looked_for(pair(bob))
    assert tagged(bob) in pairing.looked_for(pair(alice))
    assert tagged(alice) != tagged(bob)


def test_two_who_list_it_have_a_secret_for_each_direction(tmp_path: Path) -> None:
    alice, bob, _, _ = acquainted(World(tmp_path), DISCOVERY, DISCOVERY)
    check_recognised(alice, bob)
    alice.send("and we still talk")
    assert bob.world.run(20, until=lambda: bob.texts() == ["and we still talk"])


@pytest.mark.parametrize(("alice_features", "bob_features"), [(DISCOVERY, 0), (0, DISCOVERY)])
def test_who_does_not_list_it_is_told_nothing(tmp_path: Path, alice_features: int, bob_features: int) -> None:
    for person in acquainted(World(tmp_path), alice_features, bob_features)[:2]:
        with person.store.read() as tx:
            assert [row for row in tx.pairs.find() if row.own is not None or row.theirs is not None] == []
            assert tx.items.find(kind=ItemKind.PAIR) == []


def test_without_the_feature_nothing_is_kept_at_all(tmp_path: Path) -> None:
    for person in acquainted(World(tmp_path), 0, 0)[:2]:
        with person.store.read() as tx:
            assert tx.pairs.find() == []


def test_contacts_of_old_learn_it_when_both_have_switched_it_on(tmp_path: Path) -> None:
    world = World(tmp_path)
    alice, bob, _, _ = couple(world)
    switch(alice, DISCOVERY)
    world.run(20)
    assert tagged(alice) is None
    switch(bob, DISCOVERY)
    world.run(20)
    check_recognised(alice, bob)


def test_a_secret_is_replaced_after_a_week_and_the_old_one_forgotten(tmp_path: Path) -> None:
    world = World(tmp_path)
    alice, bob, _, _ = acquainted(world, DISCOVERY, DISCOVERY)
    before = pair(alice).own
    world.run(FAST.pair_days * DAY + 2 * FAST.housekeeping_seconds)
    assert pair(alice).own_version == 2
    assert pair(alice).own != before
    check_recognised(alice, bob)
    world.run(2 * FAST.housekeeping_seconds)
    assert pair(alice).own_before is None
    assert pair(bob).theirs_before == before


def test_while_a_new_secret_is_on_its_way_the_old_one_is_used(tmp_path: Path) -> None:
    """However long the contact is away: it is never looked for in vain, nor is another secret made meanwhile."""
    world = World(tmp_path)
    alice, bob, _, _ = acquainted(world, DISCOVERY, DISCOVERY)
    before = pair(alice).own
    bob.crash()
    world.run(3 * FAST.pair_days * DAY)
    assert pair(alice).own_version == 2
    assert tagged(alice) == before
    bob.boot()
    world.run(60)
    check_recognised(alice, bob)
    bob.send("I am back")
    world.run(60)
    assert tagged(alice) == pair(alice).own != before
    check_recognised(alice, bob)


def test_a_contact_that_is_removed_leaves_no_secret(tmp_path: Path) -> None:
    from protocol.operations import RemoveContact

    alice, _, _, _ = acquainted(World(tmp_path), DISCOVERY, DISCOVERY)
    alice.get(RemoveContact(1))
    with alice.store.read() as tx:
        assert tx.pairs.find() == []
