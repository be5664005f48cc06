"""Contacts that share no session: no relay sees two of a node's queues on one, and everything arrives as ever."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from protocol.effects import Dial, Send
from protocol.envelope.envelope import parse_envelope
from protocol.keys import SHARED, Connection, Group, RelayKey
from protocol.limits import EACH_CONTACT, MAX_ISOLATED_CONTACTS
from protocol.operations import Accept, Invite, RemoveContact, SendText
from protocol.wire.commands import Claim, Command, Create, Deposit, Drop, Prove, Role
from tests.protocol.machines.world import FAST, Participant, Person, RelayHost, World

SPREAD = 20.0
TIMING = replace(FAST, isolation_spread_seconds=SPREAD)


class Apart(World):
    """Alice keeps her contacts apart; what she said on each connection, and when she dialled, is written down."""

    def __init__(
        self, directory: Path, contacts: int = 3, *, forward: bool = False, groups: int = EACH_CONTACT
    ) -> None:
        super().__init__(directory, timing=TIMING)
        self.said: dict[Connection, list[Command]] = {}
        self.dials: list[tuple[float, Dial]] = []
        self.own = [self.relay(name) for name in ("a", "b")]
        self.theirs = [self.relay(name) for name in ("c", "d")]
        self.alice = self.person("alice", groups=groups, forward=forward)
        self.alice.use(*self.own)
        self.friends: list[Person] = []
        for number in range(contacts):
            friend = self.person(f"friend {number}")
            friend.use(*self.theirs)
            self.friends.append(friend)

    def perform(self, who: Participant, effect: Any) -> None:
        if who.name == "alice" and isinstance(effect, Send):
            self.said.setdefault(effect.connection, []).append(effect.command)
        if who.name == "alice" and isinstance(effect, Dial):
            self.dials.append((self.time, effect))
        super().perform(who, effect)

    def meet(self) -> None:
        for number, friend in enumerate(self.friends):
            if number % 2:
                self.introduce(friend, self.alice)
            else:
                self.introduce(self.alice, friend)
        self.run(60)

    def sessions(self) -> dict[tuple[RelayKey, Group], object]:
        """That stand now."""
        hosts = self.alice.core.machine._hosts.hosts  # type: ignore[union-attr]
        return {key: host.session for key, host in hosts.items() if host.session is not None}

    def contacts_on(self, connection: Connection) -> set[object]:
        """Whose queues and routes this connection's commands are about, by Alice's own mailbox."""
        with self.alice.store.transaction() as tx:
            queues = {queue.receive_id: queue.contact for queue in tx.queues.find()}
            created = {queue.send_id: queue.contact for queue in tx.queues.find()}
            routes = {route.send_id: route.contact for route in tx.routes.find()}
        found: set[object] = set()
        for command in self.said[connection]:
            match command:
                case Create():
                    found.add(created.get(command.send_id, "gone"))
                case Prove(_, name, Role.RECIPIENT):
                    found.add(queues.get(name, "gone"))
                case Prove(_, name, Role.SENDER):
                    found.add(routes.get(name, "gone"))
                case Deposit():
                    found.add(routes.get(parse_envelope(command.envelope).send_id, "gone"))
                case Claim():
                    if command.id in routes:
                        found.add(routes[command.id])
                case _:
                    pass
        return found

    def check(self, said: dict[int, list[str]]) -> None:
        for contact, texts in said.items():
            assert sorted(self.alice.texts(contact)) == sorted(texts)
            assert set(self.alice.states(contact).values()) <= {"delivered"}
            assert sorted(self.friends[contact - 1].texts()) == sorted(texts)
        for connection in self.said:
            assert len(self.contacts_on(connection)) <= 1, self.said[connection]


def talk(world: Apart) -> dict[int, list[str]]:
    said: dict[int, list[str]] = {}
    for round_ in range(3):
        for contact, friend in enumerate(world.friends, 1):
            said.setdefault(contact, []).extend((f"to {contact} {round_}", f"from {contact} {round_}"))
            world.alice.send(f"to {contact} {round_}", contact)
            friend.send(f"from {contact} {round_}")
        world.run(2)
    return said


def test_no_connection_ever_concerns_two_contacts(tmp_path: Path) -> None:
    world = Apart(tmp_path)
    world.meet()
    said = talk(world)
    world.run(200)
    world.check(said)
    concerned = [world.contacts_on(connection) for connection in world.said]
    assert {1} in concerned
    assert {2} in concerned
    assert {3} in concerned


def test_contacts_of_one_group_share_connections_and_those_of_two_do_not(tmp_path: Path) -> None:
    world = Apart(tmp_path, contacts=4, groups=2)
    world.meet()
    said = talk(world)
    world.run(200)
    for contact, texts in said.items():
        assert sorted(world.alice.texts(contact)) == sorted(texts)
        assert set(world.alice.states(contact).values()) <= {"delivered"}
    concerned = [world.contacts_on(connection) & {1, 2, 3, 4} for connection in world.said]
    assert all(contacts <= {1, 3} or contacts <= {2, 4} for contacts in concerned)
    assert {1, 3} in concerned
    assert {2, 4} in concerned
    assert {group for _, group in world.sessions()} >= {Group(1), Group(2)}


def test_without_isolation_they_do_share_connections(tmp_path: Path) -> None:
    """The same search finds what it looks for where there is something to find."""
    world = Apart(tmp_path)
    world.alice.crash()
    world.alice.groups = 0
    world.alice.boot()
    world.meet()
    talk(world)
    world.run(200)
    assert max(len(world.contacts_on(connection)) for connection in world.said) == len(world.friends)


def test_by_an_entry_too_each_contact_has_connections_of_its_own(tmp_path: Path) -> None:
    world = Apart(tmp_path, forward=True)
    world.meet()
    said = talk(world)
    world.run(600)
    world.check(said)
    relays = {dial.relay for _, dial in world.dials}
    assert relays == {relay.key for relay in world.own}
    groups = {dial.group for _, dial in world.dials}
    assert {Group(1), Group(2), Group(3)} <= groups
    assert SHARED not in groups


def test_relays_that_crash_lose_nothing_and_see_no_two_come_back_together(tmp_path: Path) -> None:
    world = Apart(tmp_path)
    world.meet()
    said = talk(world)
    for relay in (*world.own, *world.theirs):
        relay.crash()
        world.run(5)
        relay.boot()
    more = talk(world)
    world.run(600)
    world.check({contact: said[contact] + more[contact] for contact in said})


@pytest.mark.parametrize("again", [False, True])
def test_a_start_spreads_its_dials_at_random(tmp_path: Path, again: bool) -> None:
    world = Apart(tmp_path, contacts=4)
    world.meet()
    world.alice.crash()
    world.run(5)
    if again:
        world.alice.boot()
        world.run(SPREAD + 5)
        world.alice.crash()
    world.dials.clear()
    started = world.time
    world.alice.boot()
    world.run(SPREAD + 5)
    times = sorted(time - started for time, dial in world.dials)
    assert len(times) >= 8
    assert {dial.group for _, dial in world.dials} == {Group(1), Group(2), Group(3), Group(4)}
    assert times[-1] <= SPREAD + 0.1
    assert times[-1] - times[0] > SPREAD / 3
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.0


def test_a_relay_that_ends_all_sessions_at_once_is_not_dialled_for_all_at_once(tmp_path: Path) -> None:
    world = Apart(tmp_path, contacts=4)
    world.meet()
    world.dials.clear()
    world.own[0].crash()
    at = world.time
    world.own[0].boot()
    world.run(SPREAD + 5)
    times = sorted(time - at for time, dial in world.dials if dial.relay == world.own[0].key)
    assert len(times) == 4
    assert times[-1] - times[0] > SPREAD / 4


def test_what_a_person_does_now_waits_for_no_other(tmp_path: Path) -> None:
    world = Apart(tmp_path)
    world.meet()
    world.alice.crash()
    world.alice.boot()
    world.dials.clear()
    world.alice.ask(SendText(2, "now"))
    assert {dial.group for _, dial in world.dials} == {Group(2)}
    world.run(2)
    assert world.alice.states(2)["now"] in {"relayed", "delivered"}


def test_a_contacts_session_that_cannot_be_had_holds_nobody_else_up(tmp_path: Path) -> None:
    """Of one relay: it may be the proxy's way there that fails, for this contact alone."""
    world = Apart(tmp_path)
    world.meet()
    dial = world._dial

    def failing(who: Participant, incarnation: int, effect: Dial) -> None:
        if effect.group == 1 and effect.relay == world.theirs[0].key:
            world.cut.add(("alice", "c"))
        dial(who, incarnation, effect)
        world.cut.clear()

    world._dial = failing  # type: ignore[method-assign]
    for name in ("c", "d"):
        relay = world.relays[next(key for key, one in world.relays.items() if one.name == name)]
        relay.crash()
        relay.boot()
    said = talk(world)
    world.run(400)
    world.check(said)
    with world.alice.store.transaction() as tx:
        assert tx.troubles.get(world.theirs[0].key, Group(1)) is not None
        assert tx.troubles.get(world.theirs[0].key, SHARED) is None
    assert not [key for key, host in world.sessions().items() if key == (world.theirs[0].key, 1)]
    assert [key for key in world.sessions() if key[0] == world.theirs[0].key]


def test_a_forgotten_contacts_queues_are_dropped_on_a_connection_of_their_own(tmp_path: Path) -> None:
    world = Apart(tmp_path)
    world.meet()
    world.said.clear()
    world.alice.get(RemoveContact(2))
    world.run(SPREAD * 2)
    dropped = [connection for connection, commands in world.said.items() if any(type(c) is Drop for c in commands)]
    assert len(dropped) == 2
    for connection in dropped:
        assert {type(command) for command in world.said[connection]} == {Prove, Drop}
    with world.alice.store.transaction() as tx:
        assert tx.queues.find(contact=None) == []
    world.run(2 * TIMING.housekeeping_seconds)
    known = world.alice.core.machine._hosts.hosts  # type: ignore[union-attr]
    assert {group for _, group in known} == {Group(1), Group(3)}


def test_more_contacts_than_can_be_kept_apart_are_refused(tmp_path: Path) -> None:
    world = Apart(tmp_path, contacts=1)
    world.meet()
    with world.alice.store.transaction() as tx:
        one = tx.contacts.get(1)
        for number in range(MAX_ISOLATED_CONTACTS - 1):
            tx.contacts.add(replace(one, id=0, identity=number.to_bytes(64, "big")))
    invited = world.friends[0].get(Invite(60, None))
    with pytest.raises(Exception, match="isolation"):
        world.alice.get(Accept(invited.link, None, None))


__all__ = ["Person", "RelayHost"]
