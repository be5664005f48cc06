"""A relay gone for good, and people who are never there at the same time: nothing is lost, nobody lifts a hand."""

import shutil
import signal

import pytest

from tests.journeys.journey import Journey

pytestmark = pytest.mark.journey

BEFORE = [("alice", "the first"), ("bob", "the second")]
AWAY = [f"while you were away, {number}" for number in range(5)]


def destroy(journey: Journey, relay: str) -> None:
    """With -9, and its disk with it."""
    journey.stop(relay, signal.SIGKILL)
    shutil.rmtree(journey.place / relay)


def all_there(journey: Journey, said: list[str]) -> None:
    """Each once at both ends, in the order in which they were said."""
    for one in ("alice", "bob"):
        assert journey.texts(one) == said


@pytest.mark.parametrize("relay", ["relay-1", "relay-2"])
def test_a_relay_destroyed_with_what_it_holds_loses_nothing(friends: Journey, relay: str) -> None:
    """Whichever it is: of one of the two directions it held what nobody had fetched."""
    friends.talk(*BEFORE)
    for absent, writer in (("bob", "alice"), ("alice", "bob")):
        friends.stop(absent, signal.SIGKILL)
        for text in AWAY:
            friends.say(writer, f"{writer}: {text}")
            friends.arrives(writer, f"{writer}: {text}", "relayed")
        if absent == "bob":
            destroy(friends, relay)
        friends.say(writer, f"{writer}: after that")
        friends.start_node(absent)
        for text in [*AWAY, "after that"]:  # the last of them may come first: what was lost is asked for
            friends.arrives(writer, f"{writer}: {text}")
    said = [text for _, text in BEFORE]
    for writer in ("alice", "bob"):
        said += [f"{writer}: {text}" for text in [*AWAY, "after that"]]
    all_there(friends, said)
    friends.talk(("alice", "it goes on"), ("bob", "it does"))


@pytest.mark.parametrize("relay", ["relay-1", "relay-2"])
def test_a_relay_destroyed_while_both_talk_is_left_without_a_hand(friends: Journey, relay: str) -> None:
    friends.talk(*BEFORE)
    said = [text for _, text in BEFORE]
    for number in range(30):
        if number == 15:
            destroy(friends, relay)
        name = ("alice", "bob")[number % 2]
        friends.say(name, f"{name} {number}")
        said.append(f"{name} {number}")
    for text in said[2:]:
        friends.arrives(text.partition(" ")[0], text)
    for one in ("alice", "bob"):
        assert sorted(friends.texts(one)) == sorted(said)
    friends.talk(("bob", "from one relay"), ("alice", "to the same"))


def test_two_who_are_never_there_at_the_same_time_talk(friends: Journey) -> None:
    friends.talk(*BEFORE)
    friends.stop_politely("bob")
    friends.say("alice", "goodbye")
    friends.arrives("alice", "goodbye", "relayed")
    friends.stop_politely("alice")
    friends.start_node("bob")
    friends.until(lambda: "goodbye" in friends.texts("bob"), "the relay did not hand it over")
    friends.say("bob", "too late")
    friends.arrives("bob", "too late", "relayed")
    friends.stop_politely("bob")
    friends.start_node("alice")
    friends.arrives("alice", "goodbye")
    friends.until(lambda: "too late" in friends.texts("alice"), "the relay did not hand it over")
    friends.start_node("bob")
    friends.arrives("bob", "too late")
    all_there(friends, [*[text for _, text in BEFORE], "goodbye", "too late"])


def test_what_was_queued_without_any_relay_leaves_when_one_is_back(friends: Journey) -> None:
    friends.talk(*BEFORE)
    friends.stop_politely("bob")
    for relay in ("relay-1", "relay-2"):
        friends.stop(relay, signal.SIGKILL)
    for text in AWAY:
        friends.say("alice", text)
    friends.stop("alice", signal.SIGKILL)
    friends.start_node("alice")
    assert {row["state"] for row in friends.inbox("alice") if row["text"] in AWAY} == {"queued"}
    friends.start_relay("relay-2")
    friends.arrives("alice", AWAY[-1], "relayed")
    friends.stop_politely("alice")
    friends.start_node("bob")
    friends.until(lambda: friends.texts("bob")[2:] == AWAY, "not all came")
