"""People who reach each other by an entry only: everything arrives, and no relay but their own ever meets them."""

from pathlib import Path

import pytest

from protocol.errors import WorldError
from protocol.operations import Accept, Invite
from protocol.wire.commands import Claim, Command, Deposit, Descriptor, Reachable, Returned
from tests.protocol.machines.world import Participant, Person, RelayHost, World


class Forwarding(World):
    """Alice has the relays a and b, Bob c and d; who talks to whom is written down."""

    def __init__(self, directory: Path, seed: int = 0) -> None:
        super().__init__(directory, seed)
        self.met: set[tuple[str, str]] = set()
        self.said: list[tuple[str, str, Command]] = []
        self.a, self.b, self.c, self.d = (self.relay(name) for name in "abcd")
        self.alice, self.bob = self.person("alice", forward=True), self.person("bob", forward=True)
        self.alice.use(self.a, self.b)
        self.bob.use(self.c, self.d)

    def _carry(self, who: Participant, effect: object) -> None:
        other = self.ends.get((who.name, effect.connection))  # type: ignore[attr-defined]
        if other is not None:
            self.met.add((who.name, other[0].name))
            self.said.append((who.name, other[0].name, effect.command))  # type: ignore[attr-defined]
        super()._carry(who, effect)  # type: ignore[arg-type]

    def strangers(self) -> set[tuple[str, str]]:
        """People and relays that spoke to each other and are not each other's."""
        own = {("alice", "a"), ("alice", "b"), ("bob", "c"), ("bob", "d")}
        own |= {(relay, person) for person, relay in own}
        relays = {(one, other) for one in "abcd" for other in "abcd"}
        return self.met - own - relays

    def check(self, said: list[str], answered: list[str]) -> None:
        assert sorted(self.alice.texts()) == sorted(self.bob.texts()) == sorted(said + answered)
        assert set(self.alice.states().values()) | set(self.bob.states().values()) <= {"delivered"}
        assert self.strangers() == set()


def talk(world: Forwarding, count: int = 12) -> tuple[list[str], list[str]]:
    said, answered = [f"a{n}" for n in range(count)], [f"b{n}" for n in range(count)]
    for one, other in zip(said, answered, strict=True):
        world.alice.send(one)
        world.bob.send(other)
        world.run(1.7)
    return said, answered


def test_two_people_meet_and_talk_and_no_relay_but_their_own_meets_them(tmp_path: Path) -> None:
    world = Forwarding(tmp_path)
    world.introduce(world.alice, world.bob)
    said, answered = talk(world)
    world.run(120)
    world.check(said, answered)
    to_people = [
        command for _, other, command in world.said if other in "abcd" and isinstance(command, Deposit | Claim)
    ]
    assert to_people == []


def test_entries_that_crash_lose_nothing(tmp_path: Path) -> None:
    world = Forwarding(tmp_path)
    world.introduce(world.alice, world.bob)
    said, answered = [], []
    for number in range(10):
        said.append(f"a{number}")
        answered.append(f"b{number}")
        world.alice.send(said[-1])
        world.bob.send(answered[-1])
        world.run(2.3)
        victim = (world.a, world.c, world.b, world.d)[number % 4]
        victim.crash()
        world.run(3)
        victim.boot()
    world.run(900)
    world.check(said, answered)


def test_replies_that_are_lost_or_changed_cost_time_and_nothing_else(tmp_path: Path) -> None:
    world = Forwarding(tmp_path)
    world.introduce(world.alice, world.bob)
    number = 0

    def harm(command: Command) -> list[Command]:
        nonlocal number
        if isinstance(command, Returned):
            number += 1
            if number % 3 == 0:
                return []
            if number % 3 == 1:
                return [Returned(command.request, bytes(len(command.sealed)))]
        return [command]

    world.mischief = harm
    said, answered = talk(world, 6)
    world.run(200)
    world.mischief = lambda command: [command]
    world.run(1_500)
    world.check(said, answered)


def test_a_destination_that_is_gone_for_good_is_left_for_the_next_route(tmp_path: Path) -> None:
    world = Forwarding(tmp_path)
    world.introduce(world.alice, world.bob)
    world.c.crash()
    world.alice.send("to whichever is left")
    world.run(600)
    assert world.bob.texts() == ["to whichever is left"]
    assert world.strangers() == set()


def test_whoever_has_no_relay_of_his_own_is_told_and_nobody_is_met_instead(tmp_path: Path) -> None:
    world = Forwarding(tmp_path)
    carol = world.person("carol", forward=True)
    invited = world.alice.get(Invite(60, None))
    with pytest.raises(Exception, match="relay"):
        carol.get(Accept(invited.link, None, None), seconds=90)
    world.run(60)
    assert not [pair for pair in world.met if "carol" in pair]


def test_with_one_relay_that_is_the_contacts_too_nothing_is_sent_rather_than_shown(tmp_path: Path) -> None:
    """Alice's only relay is Bob's only relay: there is no entry, and nothing is deposited."""
    world = World(tmp_path)
    one = world.relay("one")
    alice, bob = world.person("alice", forward=True), world.person("bob")
    alice.use(one)
    bob.use(one)
    invited = alice.get(Invite(60, None))
    bob.get(Accept(invited.link, None, None))
    world.run(20)
    deposits: list[Command] = []
    carry = world._carry

    def watching(who: Participant, effect: object) -> None:
        if who is alice and isinstance(effect.command, Deposit | Claim):  # type: ignore[attr-defined]
            deposits.append(effect.command)  # type: ignore[attr-defined]
        carry(who, effect)  # type: ignore[arg-type]

    world._carry = watching  # type: ignore[method-assign]
    alice.send("nobody carries this")
    world.run(120)
    assert deposits == []
    assert bob.texts() == []
    assert set(alice.states().values()) == {"queued"}


def test_a_descriptor_that_the_entry_forged_ends_the_session_with_it(tmp_path: Path) -> None:
    world = Forwarding(tmp_path)
    world.introduce(world.alice, world.bob)
    forged: list[Command] = []

    def forge(command: Command) -> list[Command]:
        if isinstance(command, Reachable) and not forged:
            old = command.descriptor
            forged.append(command)
            return [Reachable(command.request, Descriptor(old.epoch, old.key, old.until + 1, old.signature))]  # type: ignore[arg-type]
        return [command]

    for relay in (world.a, world.b, world.c, world.d):
        relay.crash()
        relay.boot()
    world.mischief = forge
    world.alice.send("all the same")
    world.run(200)
    assert forged
    assert world.bob.texts() == ["all the same"]


@pytest.mark.parametrize("swallowed", [Reachable, Returned])
def test_an_entry_that_says_nothing_is_hung_up_on_and_what_it_swallowed_goes_again(
    tmp_path: Path, swallowed: type[Command]
) -> None:
    world = Forwarding(tmp_path)
    world.introduce(world.alice, world.bob)
    for relay in (world.a, world.b, world.c, world.d):
        relay.crash()
        relay.boot()
    world.run(5)
    world.mischief = lambda command: [] if isinstance(command, swallowed) else [command]
    world.alice.send("said into silence")
    world.run(60)
    world.mischief = lambda command: [command]
    world.run(400)
    assert world.bob.texts() == ["said into silence"]
    assert set(world.alice.states().values()) == {"delivered"}


def test_people_who_forward_and_people_who_do_not_talk_to_each_other(tmp_path: Path) -> None:
    world = World(tmp_path)
    relays = [world.relay(name) for name in "abc"]
    alice, bob = world.person("alice", forward=True), world.person("bob")
    alice.use(*relays[:2])
    bob.use(relays[2])
    world.introduce(bob, alice)
    alice.send("by way of another")
    bob.send("straight")
    world.run(100)
    assert sorted(alice.texts()) == sorted(bob.texts()) == ["by way of another", "straight"]


__all__ = ["Person", "RelayHost", "WorldError"]
