"""A node with lists of relays: what it takes and refuses, which relays it uses then, and what it learns of them."""

from pathlib import Path

import pytest

from protocol.crypto.suite import RealSuite
from protocol.effects import Disconnect
from protocol.errors import CallerError, Code
from protocol.events import Now, Received
from protocol.keys import Minute, PublisherKey, RelayKey, Request, SigningKey
from protocol.limits import MAX_FOLLOWED_LISTS
from protocol.operations import ChooseRelays, Configure, FollowList, ListTaken, RelaysChosen, UnfollowList
from protocol.relays.kept import RelayHealth
from protocol.relays.relay_list import ListedRelay, RelayList, sign_list
from protocol.wire.commands import Command, Delivery, Described
from tests.protocol.machines.test_moving import couple
from tests.protocol.machines.world import START, Person, RelayHost, World

SUITE = RealSuite()
NOW = int(START // 60)
DAY = 1_440


def key(publisher: int) -> SigningKey:
    return SUITE.signing_key(publisher.to_bytes(32, "big"))


def signed(
    *relays: tuple[RelayHost, str], publisher: int = 1, serial: int = 1, days: int = 30, issued: int = NOW
) -> bytes:
    rows = sorted((ListedRelay(relay.host, relay.key, operator) for relay, operator in relays), key=lambda row: row.key)
    whose = PublisherKey(key(publisher)[32:])
    value = RelayList(whose, serial, Minute(issued), Minute(issued + days * DAY), rows)
    return sign_list(SUITE, key(publisher), value)


def follow(person: Person, encoded: bytes, publisher: int | None = None, relay: RelayHost | None = None) -> ListTaken:
    whose = PublisherKey(key(publisher)[32:]) if publisher is not None else None
    taken: ListTaken = person.get(FollowList(encoded, whose, (relay.host, relay.key) if relay is not None else None))
    return taken


def own(person: Person) -> list[str]:
    reader = person.reader()
    try:
        return [host for host, _ in reader.relays()]
    finally:
        reader.close()


def serials(person: Person) -> list[int]:
    with person.store.read() as tx:
        return [row.serial for row in tx.relay_lists.find()]


def test_a_node_without_relays_takes_two_of_different_operators_and_others_keep_theirs(tmp_path: Path) -> None:
    operators = set()
    for seed in range(8):
        directory = tmp_path / str(seed)
        directory.mkdir()
        world = World(directory, seed)
        relays = [world.relay(name) for name in ("first", "second", "third")]
        encoded = signed((relays[0], "one"), (relays[1], "one"), (relays[2], "two"))
        alice, bob = world.person("alice"), world.person("bob")
        taken = follow(alice, encoded)
        assert sorted(relay.operators for relay in taken.chosen) == [("one",), ("two",)]
        assert own(alice) == [relay.host for relay in taken.chosen]
        operators.add(tuple(own(alice)))
        bob.use(relays[1])
        assert follow(bob, encoded).chosen == ()
        assert own(bob) == [relays[1].host]
        more = bob.get(ChooseRelays(2))
        assert isinstance(more, RelaysChosen)
        assert [relay.host for relay in more.relays] == [relays[2].host]
    assert len(operators) > 1, "everybody takes the same two"


def test_a_node_that_listens_itself_keeps_its_own_route(tmp_path: Path) -> None:
    world = World(tmp_path)
    first, second = world.relay("first"), world.relay("second")
    alice = world.person("alice")
    alice.get(Configure((), ("ws://alice.example:1", RelayKey(key(9)[32:]))))
    assert len(follow(alice, signed((first, "one"), (second, "two"))).chosen) == 2
    with alice.store.read() as tx:
        profile = tx.profile.get(1)
    assert b"alice.example" in profile.relays
    assert sorted(own(alice)) == [first.host, second.host]


def test_what_was_taken_is_known_after_a_crash_so_that_no_older_list_comes_back(tmp_path: Path) -> None:
    world = World(tmp_path)
    first, second = world.relay("first"), world.relay("second")
    alice = world.person("alice")
    older, newer = (signed((first, "one"), (second, name), serial=at) for at, name in ((7, "one"), (8, "two")))
    other = signed((first, "one"), (second, "three"), serial=8)
    assert follow(alice, newer).first
    alice.crash()
    alice.boot()
    for encoded, why in ((older, "it has number 7, and number 8 is known"), (other, "two different lists")):
        with pytest.raises(CallerError, match=why):
            follow(alice, encoded)
    assert not follow(alice, newer).first
    assert follow(alice, signed((first, "one"), serial=9)).number == 1
    assert serials(alice) == [9]


def test_a_list_from_a_relay_is_of_whoever_signed_the_last_one_from_there(tmp_path: Path) -> None:
    world = World(tmp_path)
    first, second = world.relay("first"), world.relay("second")
    alice = world.person("alice")
    follow(alice, signed((first, "one"), publisher=1), relay=first)
    foreign = signed((second, "two"), publisher=2)
    with pytest.raises(CallerError, match="is not signed by"):
        follow(alice, foreign, relay=first)
    with pytest.raises(CallerError, match="is not signed by"):
        follow(alice, foreign, publisher=1)
    assert follow(alice, foreign, relay=second).number == 2
    alice.get(UnfollowList(1))
    assert follow(alice, foreign, relay=first).number == 2
    with pytest.raises(CallerError, match="no list number 1"):
        alice.get(UnfollowList(1))


def test_a_refused_list_leaves_nothing_and_so_many_are_the_most(tmp_path: Path) -> None:
    world = World(tmp_path)
    first = world.relay("first")
    alice = world.person("alice")
    with pytest.raises(CallerError, match="is over: it ended 2 days ago"):
        follow(alice, signed((first, "one"), days=1, issued=NOW - 3 * DAY))
    with pytest.raises(CallerError, match="no list of relays"):
        follow(alice, b"something else")
    assert serials(alice) == []
    for publisher in range(1, MAX_FOLLOWED_LISTS + 1):
        assert "different operators are wanted" in str(
            follow(alice, signed((first, "one"), publisher=publisher)).too_few
        )
    with pytest.raises(CallerError, match="kassiber relays unfollow"):
        follow(alice, signed((first, "one"), publisher=99))
    assert len(serials(alice)) == MAX_FOLLOWED_LISTS


def test_no_relay_is_chosen_from_a_list_that_is_over_and_those_in_use_stay(tmp_path: Path) -> None:
    world = World(tmp_path)
    relays = [world.relay(name) for name in ("first", "second", "third")]
    alice = world.person("alice")
    follow(alice, signed(*zip(relays, ("one", "two", "three"), strict=True), days=2))
    before = own(alice)
    world.time += 3 * 86_400.0
    with pytest.raises(CallerError, match="your lists have 0 more"):
        alice.get(ChooseRelays(3))
    assert own(alice) == before
    with pytest.raises(CallerError, match="has 2 relays; 2 were wanted"):
        alice.get(ChooseRelays(2))
    with pytest.raises(CallerError, match="of at most 8"):
        alice.get(ChooseRelays(9))


def test_a_relay_that_moves_is_followed_by_who_took_it_from_the_list_and_by_nobody_else(tmp_path: Path) -> None:
    world = World(tmp_path)
    first, second, third = (world.relay(name) for name in ("first", "second", "third"))
    alice, bob = world.person("alice"), world.person("bob")
    follow(alice, signed((first, "one"), (second, "two")))
    bob.use(third)
    follow(bob, signed((first, "one"), (second, "two")))
    world.introduce(alice, bob)
    first.host = "ws://elsewhere:1"
    follow(alice, signed((first, "one"), (second, "two"), publisher=2))
    assert first.host not in own(alice), "another publisher moved it"
    third.host = "ws://elsewhere:3"
    for person in (alice, bob):
        follow(person, signed((first, "one"), (third, "three"), serial=2))
    world.run(30)
    assert sorted(own(alice)) == [first.host, second.host]
    assert own(bob) == ["ws://third:1"], "what a person named stays"
    with bob.store.read() as tx:
        assert {route.host for route in tx.routes.find(contact=1)} == {first.host, second.host}
    bob.send("found you there")
    world.run(30)
    assert bob.states() == {"found you there": "delivered"}


def test_the_two_directions_of_a_conversation_go_over_relays_of_different_operators(tmp_path: Path) -> None:
    """Alice is reached at a relay of `one`. Bob has another of `one`, and one of `two`: it is named first."""
    for seed in range(6):
        directory = tmp_path / str(seed)
        directory.mkdir()
        world = World(directory, seed)
        relays = [world.relay(name) for name in ("first", "second", "third")]
        encoded = signed(*zip(relays, ("one", "one", "two"), strict=True))
        alice, bob = world.person("alice"), world.person("bob")
        alice.use(relays[0])
        bob.use(relays[1], relays[2])
        follow(bob, encoded)
        world.introduce(alice, bob)
        with alice.store.read() as tx:
            assert [route.relay for route in tx.routes.find(contact=1)] == [relays[2].key, relays[1].key]


def health(person: Person, relay: RelayHost) -> RelayHealth:
    with person.store.read() as tx:
        row: RelayHealth = tx.relay_health.get(relay.key)
    return row


def test_a_relay_that_loses_what_it_took_shows(tmp_path: Path) -> None:
    world = World(tmp_path)
    alice, bob, _first, second = couple(world)
    for number in range(4):
        alice.send(f"text {number}")
        world.run(5)
    good = health(alice, second)
    assert good.kept >= 4
    assert good.missed == 0
    lost: list[Command] = []

    def lose_one(command: Command) -> list[Command]:
        if isinstance(command, Delivery) and not lost:
            lost.append(command)
            return []
        return [command]

    world.mischief = lose_one
    alice.send("lost on the way")
    world.run(1)
    alice.send("and after it")
    world.run(60)
    assert sorted(bob.texts())[:2] == ["and after it", "lost on the way"]
    bad = health(alice, second)
    assert bad.missed == 1
    assert bad.kept >= good.kept + 2


def test_how_long_connecting_takes_and_how_often_it_fails_is_kept(tmp_path: Path) -> None:
    world = World(tmp_path, latency=0.2)
    alice, _bob, first, _second = couple(world)
    row = health(alice, first)
    assert row.sessions == 1
    assert row.connect_seconds == pytest.approx(0.2)
    first.crash()
    world.run(30)
    assert health(alice, first).failures >= 2
    first.boot()
    world.run(30)
    assert health(alice, first).sessions == 2


def test_a_relay_that_describes_what_nobody_asked_for_is_hung_up_on(tmp_path: Path) -> None:
    world = World(tmp_path)
    alice, _bob, first, _second = couple(world)
    (connection,) = [ours for (name, ours), (peer, _) in world.ends.items() if name == "alice" and peer is first]
    assert alice.core is not None
    told = Received(connection, (Described(Request(1), 1, b"a list"),))
    assert alice.core.step([told], Now(alice.service(), START)) == [Disconnect(connection, Code.MALFORMED)]
