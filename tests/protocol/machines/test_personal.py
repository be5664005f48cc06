"""What the personal machine promises, in a small world with real crypto and real stores."""

import gc
import sqlite3
import weakref
from pathlib import Path

import pytest
from msgspec.structs import replace

from protocol.errors import CallerError, DiskFullError
from protocol.machines.personal import Personal
from protocol.operations import Accept, CancelInvitation, Invite, RemoveContact
from protocol.wire.commands import Command, Delivery
from tests.protocol.machines.world import FAST, Person, RelayHost, World


def couple(world: World) -> tuple[Person, Person, RelayHost, RelayHost]:
    first, second = world.relay("first"), world.relay("second")
    alice, bob = world.person("alice"), world.person("bob")
    alice.use(first, second)
    bob.use(first, second)
    world.introduce(alice, bob)
    return alice, bob, first, second


def check_delivered(alice: Person, bob: Person, said: list[str], answered: list[str]) -> None:
    """Everything is there once at both ends, in causal order, and known to be delivered."""
    assert sorted(alice.texts()) == sorted(bob.texts()) == sorted(said + answered)
    for mine, texts in ((said, bob.texts()), (answered, alice.texts())):
        assert [text for text in texts if text in mine] == mine
    assert set(alice.states().values()) <= {"delivered"}
    assert set(bob.states().values()) <= {"delivered"}


def test_what_is_said_arrives_once_and_in_order_at_both_ends(tmp_path: Path) -> None:
    world = World(tmp_path)
    alice, bob, _, _ = couple(world)
    said, answered = [f"a{n}" for n in range(40)], [f"b{n}" for n in range(40)]
    for one, other in zip(said, answered, strict=True):
        alice.send(one)
        bob.send(other)
        world.run(0.03)
    world.run(20)
    check_delivered(alice, bob, said, answered)


def test_the_two_directions_use_different_relays(tmp_path: Path) -> None:
    for seed in range(6):
        directory = tmp_path / str(seed)
        directory.mkdir()
        world = World(directory, seed)
        alice, bob, _, _ = couple(world)
        primaries = []
        for person in (alice, bob):
            with person.store.read() as tx:
                primaries.append(min(tx.routes.find(contact=1), key=lambda route: route.position).relay)
        assert primaries[0] != primaries[1]


def test_a_recipient_who_is_offline_longer_than_the_sender_is_up_gets_everything(tmp_path: Path) -> None:
    world = World(tmp_path)
    alice, bob, _, _ = couple(world)
    bob.crash()
    alice.send("while you were away")
    world.run(5)
    assert alice.states() == {"while you were away": "relayed"}
    alice.crash()
    world.run(1000)
    bob.boot()
    world.run(20)
    assert bob.texts() == ["while you were away"]
    alice.boot()
    world.run(20)
    assert alice.states() == {"while you were away": "delivered"}


@pytest.mark.parametrize("which", [0, 1])
def test_a_relay_destroyed_with_its_disk_loses_nothing(tmp_path: Path, which: int) -> None:
    world = World(tmp_path)
    alice, bob, *relays = couple(world)
    said, answered = [f"a{n}" for n in range(20)], [f"b{n}" for n in range(20)]
    for number, (one, other) in enumerate(zip(said, answered, strict=True)):
        if number == 8:
            bob.crash()
        if number == 10:
            relays[which].crash()
            relays[which].destroy_disk()
        if number == 14:
            bob.boot()
        alice.send(one)
        if bob.up:
            bob.send(other)
        world.run(0.5)
    world.run(200)
    check_delivered(alice, bob, said, [text for text in answered if text in bob.states()])


def test_a_relay_that_comes_back_with_an_empty_disk_is_used_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    alice, bob, first, second = couple(world)
    alice.send("before")
    bob.send("before too")
    world.run(5)
    first.crash()
    first.destroy_disk()
    first.boot()
    world.run(60)
    second.crash()
    second.destroy_disk()
    alice.send("after")
    bob.send("after too")
    world.run(200)
    check_delivered(alice, bob, ["before", "after"], ["before too", "after too"])


@pytest.mark.parametrize("restarted", [False, True])
def test_what_a_contact_reported_missing_is_sent_again_though_both_are_silent(tmp_path: Path, restarted: bool) -> None:
    """The report comes before the envelope is old enough; nobody says anything after that."""
    world = World(tmp_path, timing=replace(FAST, gap_seconds=8.0))
    alice, bob, _, _ = couple(world)
    withheld: list[Command] = []

    def withhold_one(command: Command) -> list[Command]:
        if withheld or not isinstance(command, Delivery):
            return [command]
        withheld.append(command)
        return []

    world.mischief = withhold_one
    alice.send("lost")
    world.run(0.5)
    alice.send("arrived")
    world.run(6)
    assert withheld
    assert bob.texts() == []
    if restarted:
        alice.crash()
        alice.boot()
    world.run(15)
    check_delivered(alice, bob, ["lost", "arrived"], [])


def test_a_long_text_that_relays_lost_comes_in_full_once_anything_later_comes(tmp_path: Path) -> None:
    world = World(tmp_path)
    alice, bob, first, second = couple(world)
    bob.crash()
    lost = "a long story " * 4_000
    alice.send(lost)
    world.run(5)
    assert alice.states() == {lost: "relayed"}
    for relay in (first, second):
        relay.crash()
        relay.destroy_disk()
        relay.boot()
    bob.boot()
    world.run(20)
    alice.send("later")
    world.run(200)
    assert set(alice.states().values()) == {"delivered"}
    assert bob.conversation() == [lost, "later"]


def test_an_invitation_opened_by_two_people_makes_one_contact(tmp_path: Path) -> None:
    """Over two relays: each of the two reaches another relay first."""
    world = World(tmp_path)
    first, second = world.relay("first"), world.relay("second")
    alice, bob, carol = world.person("alice"), world.person("bob"), world.person("carol")
    for person in (alice, bob, carol):
        person.use(first, second)
    world.cut = {("bob", "first"), ("carol", "second")}
    for person in (bob, carol):
        person.crash()
        person.boot()
    invited = alice.get(Invite(1_440, None))
    alice.crash()
    requests = {person: person.ask(Accept(invited.link, None, None)) for person in (bob, carol)}
    world.run(60)
    world.cut = set()
    alice.boot()
    world.run(120)
    assert all(request in person.answers for person, request in requests.items())
    states = {person.name: [row.state for row in person.reader().contacts()] for person in (alice, bob, carol)}
    assert states["alice"] == ["active"]
    assert sorted(states["bob"] + states["carol"]) == ["active", "refused"]
    winner = bob if states["bob"] == ["active"] else carol
    loser = carol if winner is bob else bob
    with pytest.raises(CallerError, match="used by someone else"):
        loser.send("am I in?")
    alice.send("welcome")
    winner.send("thank you")
    world.run(20)
    check_delivered(alice, winner, ["welcome"], ["thank you"])
    first.crash()
    first.destroy_disk()
    alice.send("still there?")
    world.run(100)
    assert "still there?" in winner.texts()


def test_an_invitation_is_used_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    alice, _bob, first, second = couple(world)
    carol, dave = world.person("carol"), world.person("dave")
    carol.use(first, second)
    dave.use(first)
    invited = alice.get(Invite(1_440, None))
    carol.get(Accept(invited.link, None, None))
    world.run(5)
    with pytest.raises(CallerError, match="used already, withdrawn, or has expired"):
        dave.get(Accept(invited.link, None, None))
    with pytest.raises(CallerError, match="your own invitation"):
        alice.get(Accept(alice.get(Invite(1_440, None)).link, None, None))


def test_who_waits_already_is_told_how_a_new_invitation_helps(tmp_path: Path) -> None:
    world = World(tmp_path)
    alice, _, first, second = couple(world)
    carol = world.person("carol")
    carol.use(first, second)
    one, other = (alice.get(Invite(1_440, None)).link for _ in range(2))
    alice.crash()
    carol.get(Accept(one, None, None))
    with pytest.raises(CallerError, match=r"You wait for this person already, as contact 1: .* remove contact 1"):
        carol.get(Accept(other, None, None))
    carol.get(RemoveContact(1))
    carol.get(Accept(other, None, None))
    alice.boot()
    world.run(20)
    carol.send("at last", contact=2)
    world.run(20)
    assert "at last" in alice.texts(2) + alice.texts(3)
    with pytest.raises(CallerError, match="You have this contact already: alice, contact 2"):
        carol.get(Accept(alice.get(Invite(1_440, None)).link, None, None))


def test_a_request_that_was_refused_leaves_nothing_in_memory(tmp_path: Path) -> None:
    world = World(tmp_path)
    alice, bob, _, _ = couple(world)
    refused: list[weakref.ref[CallerError]] = []
    for operation in (Accept(alice.get(Invite(1_440, None)).link, None, None), RemoveContact(99)):
        with pytest.raises(CallerError) as caught:
            bob.get(operation)
        refused.append(weakref.ref(caught.value))
        del caught
    world.run(20)
    gc.collect()
    assert [ref() for ref in refused] == [None, None]


def test_a_withdrawn_or_expired_invitation_opens_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    alice, bob, _, _ = couple(world)
    carol = world.person("carol")
    invited = alice.get(Invite(1_440, None))
    alice.get(CancelInvitation(invited.invitation))
    world.run(2)
    with pytest.raises(CallerError, match="used already, withdrawn, or has expired"):
        carol.get(Accept(invited.link, None, None))
    short = alice.get(Invite(5, None))
    world.run(600)
    with pytest.raises(CallerError, match="expired"):
        carol.get(Accept(short.link, None, None))
    assert bob.reader().contacts()[0].state == "active"


def test_a_file_works_like_a_link_and_a_joiner_without_relays_adopts_them(tmp_path: Path) -> None:
    world = World(tmp_path)
    first, second = world.relay("first"), world.relay("second")
    alice, bob = world.person("alice"), world.person("bob")
    alice.use(first, second)
    invited = alice.get(Invite(1_440, None))
    bob.get(Accept(None, invited.file, "Alice"))
    world.run(5)
    bob.send("from a file")
    world.run(5)
    assert alice.texts() == ["from a file"]
    assert len(bob.reader().relays()) == 2
    assert bob.reader().contacts()[0].name == "Alice"


def test_long_and_strange_texts_arrive_character_for_character(tmp_path: Path) -> None:
    world = World(tmp_path)
    alice, bob, _, _ = couple(world)
    texts = ["x" * 100_000, "\0nul\0", "e\u0301 is not \u00e9", "\u202eabc", "\U0010ffff" * 1_000, "line\r\nline\n"]
    for text in texts:
        alice.send(text)
    world.run(60)
    assert bob.texts() == texts


@pytest.mark.parametrize("seed", range(8))
def test_crashes_anywhere_lose_and_double_nothing(tmp_path: Path, seed: int) -> None:
    world = World(tmp_path, seed)
    alice, bob, first, second = couple(world)
    everyone = [alice, bob, first, second]
    said: dict[str, list[str]] = {"alice": [], "bob": []}
    for number in range(60):
        for person in (alice, bob):
            if person.up:
                text = f"{person.name} {number}"
                person.send(text)
                said[person.name].append(text)
        victim = world.random.choice(everyone)
        if victim.up and world.random.random() < 0.4:
            victim.crash()
        for other in everyone:
            if not other.up and world.random.random() < 0.5:
                other.boot()
        world.run(world.random.random() * 0.2)
    for other in everyone:
        if not other.up:
            other.boot()
    world.run(300)
    check_delivered(alice, bob, said["alice"], said["bob"])


def test_hosts_that_nobody_names_any_more_are_forgotten(tmp_path: Path) -> None:
    """A contact that names ever new hosts makes no memory grow."""
    world = World(tmp_path)
    alice, bob, first, _second = couple(world)
    third = world.relay("third")
    bob.use(first, third)
    world.run(5)
    alice.send("through the new one")
    bob.use(first)
    world.run(30)
    alice.send("and on")
    world.run(8 * 86_400)
    assert alice.core is not None
    machine = alice.core.machine
    assert isinstance(machine, Personal)
    known = {relay for relay, _ in machine._hosts.hosts}
    assert third.key not in known
    assert first.key in known
    assert bob.texts() == ["through the new one", "and on"]


def fill_disk_at(person: Person, commit: int) -> None:
    """The commit after so many others fails as on a full disk; the next ones pass."""
    writer = person.store.transaction()
    left = [commit]

    def full() -> None:
        left[0] -= 1
        if left[0] < 0:
            del writer.before_commit
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

    writer.before_commit = full


@pytest.mark.parametrize("commit", range(6))
def test_whoever_waits_gets_one_answer_though_a_step_on_the_way_to_it_was_undone(tmp_path: Path, commit: int) -> None:
    world = World(tmp_path)
    alice, bob, _, _ = couple(world)
    carol = world.person("carol")
    carol.use(world.relay("third"))
    for person, operation in (
        (alice, Invite(1_440, None)),
        (carol, Accept(bob.get(Invite(60, None)).link, None, None)),
    ):
        answers: list[object] = []
        fill_disk_at(person, commit)
        request = person.ask(operation)
        for _ in range(120):
            world.run(1)
            answers += [person.answers.pop(request)] if request in person.answers else []
        assert len(answers) == 1, answers
        assert isinstance(answers[0], DiskFullError) == (commit == 0)
