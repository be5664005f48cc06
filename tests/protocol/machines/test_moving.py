"""What becomes of queues on relays that a person leaves, in a small world with real crypto and real stores."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from protocol.limits import MAX_RETIRING_PER_CONTACT, RETENTION_DAYS
from protocol.machines.personal import Personal
from protocol.mailbox import QueueState
from protocol.operations import Accept, Invite
from tests.protocol.machines.world import FAST, Person, RelayHost, World

DAY = 86_400
SLOW = replace(FAST, redial_most_seconds=7_200.0, housekeeping_seconds=14_400.0)
"""For worlds of weeks, in which somebody dials what is dead."""


def couple(world: World) -> tuple[Person, Person, RelayHost, RelayHost]:
    """Alice with one relay, Bob with another."""
    first, second = world.relay("first"), world.relay("second")
    alice, bob = world.person("alice"), world.person("bob")
    alice.use(first)
    bob.use(second)
    world.introduce(alice, bob)
    return alice, bob, first, second


def queues_at(person: Person, relay: RelayHost) -> list[QueueState]:
    with person.store.read() as tx:
        return [queue.state for queue in tx.queues.find(relay=relay.key)]


@pytest.mark.long
def test_two_who_both_moved_meet_at_a_queue_that_was_kept_for_whoever_had_not_confirmed(tmp_path: Path) -> None:
    """Bob is away when Alice leaves her relay; his own dies with her announcement. Her old queue is all he knows."""
    world = World(tmp_path, timing=SLOW)
    alice, bob, first, second = couple(world)
    third, fourth = world.relay("third"), world.relay("fourth")
    bob.crash()
    alice.use(third)
    world.run(60)
    second.crash()
    world.run(10 * DAY)
    assert queues_at(alice, first) == [QueueState.RETIRING]
    bob.boot()
    bob.use(fourth)
    bob.send("I had to move")
    world.run(2 * 3_600)
    alice.send("so had I")
    world.run(60)
    assert alice.conversation() == bob.conversation() == ["I had to move", "so had I"]
    assert set(bob.states().values()) == set(alice.states().values()) == {"delivered"}
    world.run(2 * 3_600)
    assert queues_at(alice, first) == []


@pytest.mark.long
def test_a_contact_that_was_away_for_longer_than_relays_keep_anything_follows_too(tmp_path: Path) -> None:
    world = World(tmp_path, timing=SLOW)
    alice, bob, first, _second = couple(world)
    third = world.relay("third")
    bob.crash()
    first.crash()
    alice.use(third)
    alice.send("I had to move")
    world.run((RETENTION_DAYS + 1) * DAY)
    bob.boot()
    bob.send("I was away")
    world.run(3_600)
    assert sorted(alice.conversation()) == sorted(bob.conversation()) == ["I had to move", "I was away"]
    assert set(bob.states().values()) == set(alice.states().values()) == {"delivered"}


def test_a_queue_that_nobody_ever_confirms_to_have_left_is_dropped_in_the_end(tmp_path: Path) -> None:
    world = World(tmp_path, timing=replace(SLOW, retire_most_days=12.0))
    alice, bob, first, _second = couple(world)
    bob.crash()
    alice.use(world.relay("third"))
    world.run(11 * DAY)
    assert queues_at(alice, first) == [QueueState.RETIRING]
    world.run(2 * DAY)
    assert queues_at(alice, first) == []


@pytest.mark.long
def test_a_relay_that_died_is_forgotten_once_nothing_can_be_left_in_its_queues(tmp_path: Path) -> None:
    world = World(tmp_path, timing=SLOW)
    alice, _bob, first, _second = couple(world)
    first.crash()
    alice.use(world.relay("third"))
    world.run(10 * DAY)
    assert queues_at(alice, first) == [QueueState.DROPPING]
    world.run(21 * DAY)
    assert queues_at(alice, first) == []
    assert alice.core is not None
    machine = alice.core.machine
    assert isinstance(machine, Personal)
    assert first.key not in {relay for relay, _ in machine._hosts.hosts}


@pytest.mark.long
def test_a_node_that_is_cut_off_itself_forgets_no_relay(tmp_path: Path) -> None:
    world = World(tmp_path, timing=SLOW)
    alice, _bob, first, second = couple(world)
    third = world.relay("third")
    alice.use(third)
    world.run(30)
    for relay in (first, second, third):
        relay.crash()
    world.run(40 * DAY)
    assert queues_at(alice, first) == [QueueState.DROPPING]


def test_an_invitation_that_is_accepted_after_a_move_makes_a_contact_that_moves_too(tmp_path: Path) -> None:
    world = World(tmp_path)
    first, second, third = world.relay("first"), world.relay("second"), world.relay("third")
    alice, bob = world.person("alice"), world.person("bob")
    alice.use(first)
    bob.use(second)
    invited = alice.get(Invite(1_440, None))
    alice.use(third)
    bob.get(Accept(invited.link, None, None))
    world.run(30)
    assert queues_at(alice, first) == [QueueState.RETIRING]
    assert queues_at(alice, third) == [QueueState.READY]
    first.crash()
    bob.send("by the new relay")
    world.run(30)
    assert alice.texts() == ["by the new relay"]
    assert bob.states() == {"by the new relay": "delivered"}


def test_somebody_who_moves_again_and_again_keeps_a_bounded_number_of_old_queues(tmp_path: Path) -> None:
    world = World(tmp_path)
    alice, bob, first, _second = couple(world)
    other = world.relay("third")
    bob.crash()
    for _ in range(MAX_RETIRING_PER_CONTACT):
        alice.use(other)
        world.run(5)
        alice.use(first)
        world.run(5)
    left = [*queues_at(alice, first), *queues_at(alice, other)]
    assert sorted(left) == [QueueState.READY] + [QueueState.RETIRING] * MAX_RETIRING_PER_CONTACT
    bob.boot()
    bob.send("found you")
    world.run(30)
    assert alice.texts() == ["found you"]


def test_more_relays_than_a_contact_is_told_of_change_nothing_where_one_is_added(tmp_path: Path) -> None:
    """Which three of them a contact has is drawn once."""
    for seed in range(4):
        directory = tmp_path / str(seed)
        directory.mkdir()
        world = World(directory, seed)
        relays = [world.relay(f"relay{number}") for number in range(5)]
        alice, bob = world.person("alice"), world.person("bob")
        alice.use(*relays[:3])
        bob.use(relays[0])
        world.introduce(alice, bob)
        alice.use(*relays[:4])
        alice.use(*relays)
        world.run(5)
        assert [queues_at(alice, relay) for relay in relays] == [[QueueState.READY]] * 3 + [[]] * 2
