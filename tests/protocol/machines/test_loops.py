"""What a node with constant links sends to itself, and what it learns of relays by it (Spec 10 §9)."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from protocol.limits import EACH_CONTACT
from protocol.mailbox import OwnQueue, QueueState
from protocol.operations import Configure
from protocol.relays.kept import RelayHealth
from protocol.traffic.policies import Stream
from protocol.wire.commands import Command, Delivery, Deposit, Forward, Onion, Returned
from tests.protocol.machines.world import FAST, Participant, Person, RelayHost, World

TIMING = replace(FAST, loop_seconds=120.0, loop_pause_seconds=5.0)


class Looping(World):
    """Alice's links are constant; what is said is written down. `drops` decides which commands of whom never arrive."""

    def __init__(self, directory: Path, *, groups: int = 0) -> None:
        super().__init__(directory, timing=TIMING)
        self.said: list[tuple[str, str, Command]] = []
        self.drops: Callable[[str, str, Command], bool] = lambda who, to, command: False
        self.a, self.b = self.relay("a"), self.relay("b")
        self.alice = self.person("alice", constant=True, groups=groups)

    def _carry(self, who: Participant, effect: object) -> None:
        other = self.ends.get((who.name, effect.connection))  # type: ignore[attr-defined]
        if other is not None:
            self.said.append((who.name, other[0].name, effect.command))  # type: ignore[attr-defined]
            if self.drops(who.name, other[0].name, effect.command):  # type: ignore[attr-defined]
                return
        wait = 0.0 if effect.stream is Stream.PAYLOAD else 20.0 * self.random.random()  # type: ignore[attr-defined]
        carry = super()._carry
        self.at(self.time + wait, lambda: carry(who, effect))  # type: ignore[arg-type]

    def count(self, kind: type[Command], who: str, to: str) -> int:
        return sum(said[:2] == (who, to) and isinstance(said[2], kind) for said in self.said)


def health(person: Person, relay: RelayHost) -> RelayHealth:
    with person.store.transaction() as tx:
        row = tx.relay_health.get(relay.key)
    assert row is not None
    return row  # type: ignore[no-any-return]


def loop_queues(person: Person) -> list[OwnQueue]:
    with person.store.transaction() as tx:
        found = tx.queues.find(contact=None, invitation=None)
    return [queue for queue in found if queue.state is not QueueState.DROPPING]


def test_loops_go_by_each_relay_to_the_other_and_come_back(tmp_path: Path) -> None:
    world = Looping(tmp_path)
    world.alice.use(world.a, world.b)
    world.run(300)
    for relay, other in ((world.a, world.b), (world.b, world.a)):
        row = health(world.alice, relay)
        assert row.loops_returned > 10
        assert (row.loops_lost, row.drops) == (0, False)
        assert world.count(Delivery, relay.name, "alice") > 5
        forwards, deposits = world.count(Forward, "alice", relay.name), world.count(Deposit, "alice", relay.name)
        assert forwards > 2 * world.count(Delivery, other.name, "alice") * 0.8  # drops beside them
        assert deposits == 0  # never straight
    assert world.alice.alarms == []


def test_loops_rest_drops_do_not(tmp_path: Path) -> None:
    world = Looping(tmp_path)
    world.timing = replace(TIMING, loop_pause_seconds=100.0)
    world.alice.crash()
    world.alice.boot()
    world.alice.use(world.a, world.b)
    world.run(390)
    assert world.count(Delivery, "a", "alice") == world.count(Delivery, "b", "alice") == 4
    assert world.count(Forward, "alice", "a") > 15


def test_a_relay_tells_no_loop_from_a_drop_or_a_text_by_its_form(tmp_path: Path) -> None:
    world = Looping(tmp_path)
    world.alice.use(world.a, world.b)
    world.run(200)
    onions = {len(command.onion) for _, _, command in world.said if isinstance(command, Forward | Onion)}
    replies = {len(command.sealed) for _, to, command in world.said if isinstance(command, Returned) and to == "alice"}
    assert len(onions) == 1
    assert replies == {512, 3_900}  # the longer of the claim alone (Spec 12 §8)


def test_a_relay_that_loses_what_it_stored_is_named(tmp_path: Path) -> None:
    world = Looping(tmp_path)
    world.alice.use(world.a, world.b)
    world.run(60)
    before = health(world.alice, world.a).loops_lost
    world.drops = lambda who, to, command: (who, to) == ("b", "alice") and isinstance(command, Delivery)
    world.run(3 * TIMING.loop_seconds + 60)
    assert before == 0
    assert health(world.alice, world.b).missing_stored > 0.3
    assert health(world.alice, world.b).missing_forwarded == 0.0
    assert world.alice.alarms == [world.b.host]  # once
    assert health(world.alice, world.a).loops_lost == 0


def test_an_entry_that_brings_nothing_on_and_says_nothing_is_named(tmp_path: Path) -> None:
    world = Looping(tmp_path)
    world.alice.use(world.a, world.b)
    world.run(60)
    world.drops = lambda who, to, command: (who, to) == ("alice", "a") and isinstance(command, Forward)
    world.run(4 * TIMING.loop_seconds)
    assert world.alice.alarms == [world.a.host]
    assert health(world.alice, world.a).missing_stored == 0.0
    assert health(world.alice, world.b).loops_lost == 0


@pytest.mark.long
def test_a_relay_that_is_down_or_says_that_it_cannot_is_blamed_for_nothing(tmp_path: Path) -> None:
    world = Looping(tmp_path)
    world.alice.use(world.a, world.b)
    world.run(60)
    for _ in range(3):
        world.b.crash()
        world.run(TIMING.loop_seconds)
        world.b.boot()
        world.run(TIMING.loop_seconds)
    assert health(world.alice, world.a).loops_lost == health(world.alice, world.b).loops_lost == 0
    returned = health(world.alice, world.b).loops_returned
    world.run(200)
    assert health(world.alice, world.b).loops_returned > returned
    assert world.alice.alarms == []


@pytest.mark.long
def test_a_relay_whose_disk_is_gone_gets_a_queue_again(tmp_path: Path) -> None:
    world = Looping(tmp_path)
    world.alice.use(world.a, world.b)
    world.run(60)
    world.b.crash()
    world.b.destroy_disk()
    world.b.boot()
    world.run(600)
    returned = health(world.alice, world.b).loops_returned
    world.run(200)
    assert health(world.alice, world.b).loops_returned > returned


def test_queues_for_loops_follow_the_relays_and_survive_the_node(tmp_path: Path) -> None:
    world = Looping(tmp_path)
    world.alice.use(world.a)
    world.run(30)
    assert loop_queues(world.alice) == []  # of one relay there is no other
    world.alice.use(world.a, world.b)
    world.run(30)
    kept = {queue.relay: queue.send_id for queue in loop_queues(world.alice)}
    assert set(kept) == {world.a.key, world.b.key}
    world.alice.crash()
    world.alice.boot()
    world.run(60)
    assert {queue.relay: queue.send_id for queue in loop_queues(world.alice)} == kept
    c = world.relay("c")
    world.alice.get(Configure(((world.a.host, world.a.key), (c.host, c.key)), None))
    world.run(60)
    assert {queue.relay for queue in loop_queues(world.alice)} == {world.a.key, c.key}
    assert health(world.alice, c).loops_returned > 0


def test_where_contacts_share_no_session_loops_are_sent_on_one_of_their_own(tmp_path: Path) -> None:
    world = Looping(tmp_path, groups=EACH_CONTACT)
    world.alice.use(world.a, world.b)
    world.run(300)
    assert health(world.alice, world.a).loops_returned > 5
    assert health(world.alice, world.b).loops_returned > 5


def test_an_entry_is_given_as_long_as_links_make_it_wait(tmp_path: Path) -> None:
    world = Looping(tmp_path)
    world.latency = 40.0
    world.timing = replace(TIMING, travel_seconds=45.0, loop_seconds=600.0)
    world.alice.crash()
    world.alice.boot()
    world.alice.ask(Configure(((world.a.host, world.a.key), (world.b.host, world.b.key)), None))
    world.run(1_200)
    for relay in (world.a, world.b):
        assert health(world.alice, relay).sessions == 1
        assert health(world.alice, relay).loops_returned > 2


def test_nothing_of_it_where_links_are_not_constant(tmp_path: Path) -> None:
    world = Looping(tmp_path)
    bob = world.person("bob")
    bob.use(world.a, world.b)
    world.run(300)
    assert loop_queues(bob) == []
    assert world.count(Forward, "bob", "a") == 0


@pytest.mark.long
def test_texts_pass_beside_loops(tmp_path: Path) -> None:
    world = Looping(tmp_path)
    bob = world.person("bob", constant=True)
    world.alice.use(world.a, world.b)
    bob.use(world.b, world.a)
    world.introduce(world.alice, bob)
    for number in range(10):
        world.alice.send(f"a{number}")
        bob.send(f"b{number}")
        world.run(5)
    world.run(300)
    assert sorted(world.alice.texts()) == sorted(bob.texts())
    assert len(bob.texts()) == 20
    assert set(world.alice.states().values()) == {"delivered"}
