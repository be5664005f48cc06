"""A full disk costs a clear error, or a relay's `unavailable`; nothing is lost, and with room everything goes on."""

import signal
from collections.abc import Iterator

import pytest

from node.api.errors import ApiError
from node.cli.exits import IO_ERROR, OK
from tests.journeys.disk import empty, fill, small_disk
from tests.journeys.journey import Journey

pytestmark = pytest.mark.journey

LONG = "x" * 60_000
MOST = 400
"""Long texts until the space that a database has already is used up."""


@pytest.fixture
def alice_is_cramped(journey: Journey) -> Iterator[Journey]:
    """Alice's profile is on a small disk."""
    with small_disk(journey.place / "alice", 32):
        journey.set_up()
        journey.befriend("alice", "bob")
        yield journey
        journey.end()


@pytest.fixture
def relay_is_cramped(journey: Journey) -> Iterator[Journey]:
    """The only relay is on a small disk."""
    with small_disk(journey.place / "relay-1", 64):
        journey.start_relay("relay-1")
        for name in ("alice", "bob"):
            journey.make_person(name)
            journey.start_node(name)
        journey.befriend("alice", "bob")
        yield journey
        journey.end()


def say_until_full(journey: Journey, name: str) -> list[str]:
    """What was taken before the node said that its disk is full."""
    taken: list[str] = []

    def say_more() -> None:
        for number in range(MOST):
            journey.say(name, f"{number} {LONG}")
            taken.append(f"{number} {LONG}")

    with pytest.raises(ApiError, match="The disk is full") as refused:
        say_more()
    assert refused.value.code == "disk_full"
    return taken


def test_a_node_on_a_full_disk_says_so_loses_nothing_and_goes_on_with_room(alice_is_cramped: Journey) -> None:
    journey, disk = alice_is_cramped, alice_is_cramped.place / "alice"
    journey.talk(("alice", "with room"), ("bob", "yes"))
    fill(disk)
    taken = say_until_full(journey, "alice")
    ended = journey.kassiber("alice", "send", "Bob Buchfink", "no room")
    assert ended.returncode == IO_ERROR, ended
    assert b"The disk is full: nothing was changed. Free some space and try again." in ended.stderr
    journey.say("bob", "while your disk was full")
    journey.arrives("bob", "while your disk was full", "relayed")
    assert journey.texts("alice")[:2] == ["with room", "yes"]
    empty(disk)
    journey.arrives("bob", "while your disk was full")
    assert journey.kassiber("alice", "send", "Bob Buchfink", "room again").returncode == OK
    for text in [*taken, "room again"]:
        journey.arrives("alice", text)
    said = sorted(["with room", "yes", *taken, "while your disk was full", "room again"])
    for one in ("alice", "bob"):
        assert sorted(journey.texts(one)) == said


def test_a_node_that_starts_on_a_full_disk_says_so_or_runs_and_loses_nothing(alice_is_cramped: Journey) -> None:
    journey, disk = alice_is_cramped, alice_is_cramped.place / "alice"
    journey.talk(("alice", "with room"), ("bob", "yes"))
    fill(disk)
    taken = say_until_full(journey, "alice")
    journey.stop("alice", signal.SIGKILL)
    process = journey.spawn("alice", "up", *journey.profile_words("alice"))
    journey.until(
        lambda: process.poll() is not None or journey.client("alice").is_running(), "it neither runs nor ends"
    )
    if process.poll() is not None:
        assert process.returncode == IO_ERROR, journey.told()
        assert b"disk is full" in journey.log("alice").read_bytes()
    assert b"Traceback" not in journey.log("alice").read_bytes()
    empty(disk)
    if process.poll() is not None:
        journey.start_node("alice")
    for text in taken:
        journey.arrives("alice", text)
    assert journey.texts("bob") == ["with room", "yes", *taken]


def test_a_relay_on_a_full_disk_hands_out_what_it_has_and_takes_more_with_room(relay_is_cramped: Journey) -> None:
    journey, disk = relay_is_cramped, relay_is_cramped.place / "relay-1"
    journey.talk(("alice", "with room"), ("bob", "yes"))
    journey.stop("bob", signal.SIGKILL)
    held = [f"held {number}" for number in range(20)]
    for text in held:
        journey.say("alice", text)
    journey.arrives("alice", held[-1], "relayed")
    fill(disk)
    said = ["with room", "yes", *held]
    for number in range(MOST):
        said.append(f"{number} {LONG}")
        journey.say("alice", said[-1])
        if number >= 3 and journey.is_state("alice", said[-3], "queued"):
            break
    assert journey.is_state("alice", said[-1], "queued"), "the relay's disk never became full"
    assert journey.client("alice").is_running()
    assert journey.ask("alice", "GET", "/v1/relays")["relays"][0]["state"] == "connected"
    journey.start_node("bob")
    journey.until(lambda: set(held) <= set(journey.texts("bob")), "a full relay does not hand out what it holds")
    empty(disk)
    for text in said:
        if text != "yes":
            journey.arrives("alice", text)
    assert journey.texts("bob") == said
    assert b"Traceback" not in journey.log("relay-1").read_bytes()
