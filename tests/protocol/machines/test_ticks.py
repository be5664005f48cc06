"""What a node says by itself leaves at ticks of each contact, and nothing moves a tick (Spec 6 §5)."""

import itertools
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from protocol.delivery.items import LASTING_TICKS, TICKS
from protocol.effects import Effect, Send
from protocol.limits import MAX_RECEIPTS_PER_ITEM
from protocol.mailbox import ContactState, ItemKind
from protocol.operations import Accept, Invite, MarkSeen, SetContact, SetName
from protocol.timing import Timing
from protocol.wire.commands import Command, Delivery, Deposit
from tests.protocol.machines.world import FAST, Participant, Person, World

MEAN_SECONDS = 600.0
LONG_SECONDS = 40.0 * MEAN_SECONDS
RARELY = replace(FAST, receipt_mean_seconds=MEAN_SECONDS, gap_seconds=1.0, housekeeping_seconds=30.0 * LONG_SECONDS)


LASTING = replace(RARELY, receipt_gap_seconds=100.0, redial_most_seconds=MEAN_SECONDS, reroute_seconds=1e6)


class Wire(World):
    """Notes when each person deposits an envelope."""

    def __init__(self, directory: Path, seed: int = 0, timing: Timing = RARELY) -> None:
        super().__init__(directory, seed, timing)
        self.deposits: dict[str, list[float]] = {}

    def perform(self, who: Participant, effect: Effect) -> None:
        if isinstance(effect, Send) and isinstance(effect.command, Deposit):
            self.deposits.setdefault(who.name, []).append(self.time)
        super().perform(who, effect)


def friends(directory: Path, seed: int = 0, timing: Timing = RARELY) -> tuple[Wire, Person, Person]:
    """Two who have said nothing for long: no tick is to come, but where ticks last."""
    world = Wire(directory, seed, timing)
    relays = world.relay("first"), world.relay("second")
    alice, bob = world.person("alice"), world.person("bob")
    for person in (alice, bob):
        person.use(*relays)
    world.introduce(alice, bob)
    world.run(LONG_SECONDS)
    world.deposits.clear()
    return world, alice, bob


def tick(person: Person) -> float | None:
    """World time of the person's next tick; nil where none is to come."""
    with person.store.read() as tx:
        rows = tx.items.find(kind=ItemKind.TICK)
    return rows[0].due - person.offset + person.started_at if rows else None


def receipts(person: Person) -> int:
    """How many wait."""
    with person.store.read() as tx:
        return int(tx.items.count(kind=ItemKind.RECEIPT, sealed=None))


def test_a_text_is_followed_by_three_envelopes_each_way_and_then_by_silence(tmp_path: Path) -> None:
    world, alice, bob = friends(tmp_path)
    assert tick(alice) is None
    assert tick(bob) is None
    alice.send("A word")
    world.run(LONG_SECONDS)
    assert alice.states()["A word"] == "delivered"
    assert len(world.deposits["alice"]) == 1 + TICKS
    assert len(world.deposits["bob"]) == TICKS
    assert tick(alice) is None
    assert tick(bob) is None


def test_a_receipt_leaves_at_the_tick_and_not_before(tmp_path: Path) -> None:
    world, alice, bob = friends(tmp_path)
    alice.send("A word")
    world.run(1.0)
    due = tick(bob)
    assert due is not None
    world.run(due - world.time - 0.1)
    assert world.deposits.get("bob", []) == []
    assert alice.states()["A word"] == "relayed"
    world.run(1.0)
    assert world.deposits["bob"] == [pytest.approx(due, abs=0.01)]
    assert alice.states()["A word"] == "delivered"


@settings(max_examples=20)
@given(
    st.integers(0, 2**16),
    st.lists(st.sampled_from(["text", "long text", "answer", "look", "rename", "restart"]), max_size=6),
)
def test_nothing_that_comes_or_is_done_moves_a_tick(seed: int, doings: list[str]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        world, alice, bob = friends(Path(directory), seed)
        alice.send("First")
        world.run(1.0)
        due = tick(bob)
        assert due is not None
        for number, what in enumerate(doings):
            match what:
                case "text":
                    alice.send(f"Text {number}")
                case "long text":
                    alice.send(f"Text {number}" + "." * 9_000)
                case "answer":
                    bob.send(f"Answer {number}")
                case "look":
                    bob.get(MarkSeen(1, 1_000 + number))
                case "rename":
                    bob.get(SetContact(1, f"Name {number}", None))
                    bob.get(SetName(f"Robert {number}"))
                case "restart":
                    bob.crash()
                    bob.boot()
            world.run(1.0)
            if world.time < due:
                assert tick(bob) == pytest.approx(due, abs=0.01)
        if world.time < due:
            count = len(world.deposits.get("bob", []))
            world.run(due - world.time - 0.1)
            assert len(world.deposits.get("bob", [])) == count
            world.run(0.2)
            assert world.deposits["bob"][count] == pytest.approx(due, abs=0.01)


def test_receipts_ride_on_an_answer_and_the_tick_comes_all_the_same(tmp_path: Path) -> None:
    world, alice, bob = friends(tmp_path)
    alice.send("A question")
    world.run(1.0)
    due = tick(bob)
    assert due is not None
    assert due > world.time + 2.0
    bob.send("An answer")
    world.run(1.0)
    assert alice.states()["A question"] == "delivered"
    world.run(due - world.time + 0.1)
    assert len(world.deposits["bob"]) == 2


def test_one_envelope_leaves_at_a_tick_however_many_receipts_wait(tmp_path: Path) -> None:
    world, alice, bob = friends(tmp_path)
    for number in range(3 * MAX_RECEIPTS_PER_ITEM + 50):
        alice.send(f"Text {number}")
    world.run(5.0)
    before = receipts(bob)
    assert before > 3 * MAX_RECEIPTS_PER_ITEM - 50
    envelopes = len(world.deposits.get("bob", []))
    while receipts(bob):
        due = tick(bob)
        assert due is not None, "no receipt is left behind"
        world.run(due - world.time + 0.05)
        assert receipts(bob) == max(0, before - MAX_RECEIPTS_PER_ITEM)
        assert len(world.deposits["bob"]) == envelopes + 1
        before, envelopes = receipts(bob), envelopes + 1
    world.run(1.0)
    assert set(alice.states().values()) == {"delivered"}


def test_whoever_is_not_accepted_yet_gets_no_automatic_envelope(tmp_path: Path) -> None:
    world = Wire(tmp_path)
    relay = world.relay("relay")
    alice, bob = world.person("alice"), world.person("bob")
    alice.use(relay)
    bob.use(relay)
    link = alice.get(Invite(1_440, None)).link
    alice.crash()
    bob.get(Accept(link, None, None))
    bob.send("Are you there?")
    world.run(LONG_SECONDS)
    with bob.store.read() as tx:
        assert tx.contacts.get(1).state is ContactState.WAITING
    assert tick(bob) is None
    assert len(world.deposits["bob"]) == 3, "the handshake, the text, and on which queues bob is reached"
    assert world.deposits["bob"][-1] < 1.0


@pytest.mark.long
def test_a_tick_that_came_while_away_is_one_envelope_on_coming_back(tmp_path: Path) -> None:
    world, alice, bob = friends(tmp_path)
    alice.send("A word")
    world.run(1.0)
    bob.crash()
    world.run(LONG_SECONDS)
    bob.boot()
    world.run(LONG_SECONDS / 1_000.0)
    assert len(world.deposits.get("bob", [])) == 0, "its clock stood still while it was off"
    world.cut = {("bob", name) for name in ("first", "second")}
    for name, connection in list(world.ends):
        if name == "bob":
            world.close(bob, connection)
    world.run(LONG_SECONDS)
    assert world.deposits.get("bob", []) == []
    world.cut = set()
    world.run(FAST.redial_most_seconds * 2.0)
    assert len(world.deposits["bob"]) == 1
    assert alice.states()["A word"] == "delivered"


def test_a_text_that_its_relay_kept_back_is_asked_for_though_nobody_says_anything_else(tmp_path: Path) -> None:
    """What follows a text at ticks, empty as it is, shows that one before it has not come."""
    world, alice, bob = friends(tmp_path)
    kept: list[Command] = []

    def keep_one(command: Command) -> list[Command]:
        if isinstance(command, Delivery) and not kept:
            kept.append(command)
            return []
        return [command]

    world.mischief = keep_one
    alice.send("kept back")
    world.run(60)
    assert kept
    assert bob.texts() == []
    world.run(LONG_SECONDS)
    assert bob.texts() == ["kept back"]
    assert alice.states() == {"kept back": "delivered"}
    before = len(world.deposits["alice"]) + len(world.deposits["bob"])
    world.run(LONG_SECONDS)
    assert len(world.deposits["alice"]) + len(world.deposits["bob"]) == before, "reports must not answer each other"


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(times)]


@pytest.mark.long
def test_where_ticks_last_they_come_at_both_ends_though_nobody_says_anything(tmp_path: Path) -> None:
    world, alice, bob = friends(tmp_path, timing=LASTING)
    world.run(100.0 * MEAN_SECONDS)
    for name in ("alice", "bob"):
        assert len(world.deposits[name]) == pytest.approx(100, abs=40)
    assert tick(alice) is not None
    assert tick(bob) is not None


@pytest.mark.long
def test_where_ticks_last_a_text_makes_none_more_and_none_sooner(tmp_path: Path) -> None:
    """A receipt takes the place of nothing: when who was written to sends says nothing of what came."""
    world, alice, bob = friends(tmp_path, timing=LASTING)
    for number in range(40):
        due = tick(bob)
        assert due is not None
        alice.send(f"Text {number}")
        world.run(min(1.0, (due - world.time) / 2.0))
        assert tick(bob) == pytest.approx(due, abs=0.01)
        world.run(due - world.time + 0.05)
        assert alice.states()[f"Text {number}"] == "delivered"
    assert len(world.deposits["bob"]) == 40
    apart = gaps(world.deposits["bob"])
    assert sum(apart) / len(apart) == pytest.approx(MEAN_SECONDS, rel=0.5)


@pytest.mark.long
def test_who_has_many_contacts_sends_to_each_the_more_seldom(tmp_path: Path) -> None:
    world = Wire(tmp_path, timing=replace(LASTING, receipt_gap_seconds=MEAN_SECONDS))
    relay = world.relay("relay")
    alice = world.person("alice")
    others = [world.person(f"friend {number}") for number in range(3)]
    for person in (alice, *others):
        person.use(relay)
    for other in others:
        world.introduce(alice, other)
    world.run(10.0 * MEAN_SECONDS)
    world.deposits.clear()
    world.run(100.0 * MEAN_SECONDS)
    assert len(world.deposits["alice"]) == pytest.approx(100, abs=40), "to all three together"
    assert len(world.deposits["friend 0"]) == pytest.approx(100, abs=40)


def test_to_a_contact_that_is_away_ticks_end_and_begin_again_when_it_is_back(tmp_path: Path) -> None:
    world, alice, bob = friends(tmp_path, timing=LASTING)
    bob.crash()
    world.deposits.clear()
    world.run(100.0 * MEAN_SECONDS)
    assert tick(alice) is None
    assert 0 < len(world.deposits["alice"]) <= LASTING_TICKS
    bob.boot()
    world.run(5.0 * MEAN_SECONDS)
    assert tick(alice) is not None


def test_two_who_gave_each_other_up_begin_again_with_the_next_start(tmp_path: Path) -> None:
    world, alice, bob = friends(tmp_path, timing=LASTING)
    world.cut = {("bob", name) for name in ("first", "second")}
    for name, connection in list(world.ends):
        if name == "bob":
            world.close(bob, connection)
    world.run(100.0 * MEAN_SECONDS)
    assert tick(alice) is None
    bob.crash()
    world.cut = set()
    bob.boot()
    assert tick(bob) is not None
    world.run(10.0 * MEAN_SECONDS)
    assert tick(alice) is not None
