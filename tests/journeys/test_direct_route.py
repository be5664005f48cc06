"""Nodes that reach each other need no relay; where they cannot, the relays carry it, on the same protocol."""

import signal

import pytest

from tests.journeys.journey import Journey, free_port

pytestmark = pytest.mark.journey


@pytest.fixture
def places() -> dict[str, tuple[str, str]]:
    """`--listen` of both."""
    hosts = {"alice": "127.0.0.31", "bob": "127.0.0.32"}
    return {name: ("--listen", f"{host}:{free_port(host)}") for name, host in hosts.items()}


def listening(journey: Journey, places: dict[str, tuple[str, str]], *relays: str) -> None:
    """Both, with these relays, not acquainted yet."""
    for name, words in places.items():
        made = journey.make_profile(name, relays)
        assert made.wait(20) == 0, journey.told()
        journey.start_node(name, *words)


def test_without_any_relay_two_nodes_talk(journey: Journey, places: dict[str, tuple[str, str]]) -> None:
    listening(journey, places)
    journey.befriend("alice", "bob")
    assert [row["direct"] for name in places for row in journey.contacts(name)] == [True, True]
    journey.talk(("alice", "nobody between us"), ("bob", "only a wire"), ("alice", "\0" * 20_000))
    journey.stop("bob", signal.SIGKILL)
    journey.say("alice", "are you there?")
    assert journey.is_state("alice", "are you there?", "queued")
    journey.start_node("bob", *places["bob"])
    journey.arrives("alice", "are you there?")
    for one in places:
        assert [text for text in journey.texts(one) if text[0]] == [
            "nobody between us",
            "only a wire",
            "\0" * 20_000,
            "are you there?",
        ]


def test_with_all_relays_dead_the_direct_route_carries_on(journey: Journey, places: dict[str, tuple[str, str]]) -> None:
    for relay in ("relay-1", "relay-2"):
        journey.start_relay(relay)
    listening(journey, places, *journey.addresses.values())
    journey.befriend("alice", "bob")
    journey.talk(("alice", "with relays"))
    for relay in ("relay-1", "relay-2"):
        journey.stop(relay, signal.SIGKILL)
    journey.talk(("alice", "without"), ("bob", "them"))


def test_with_the_direct_route_gone_a_relay_carries_it(journey: Journey, places: dict[str, tuple[str, str]]) -> None:
    """Bob comes back elsewhere, where Alice cannot know him to be."""
    for relay in ("relay-1", "relay-2"):
        journey.start_relay(relay)
    listening(journey, places, *journey.addresses.values())
    journey.befriend("alice", "bob")
    journey.talk(("alice", "directly"), ("bob", "yes"))
    journey.stop("bob", signal.SIGKILL)
    journey.say("alice", "where are you?")
    journey.arrives("alice", "where are you?", "relayed")
    journey.start_node("bob", "--listen", f"127.0.0.33:{free_port('127.0.0.33')}")
    journey.arrives("alice", "where are you?")
    journey.talk(("bob", "I moved"), ("alice", "I see"))
    journey.stop("alice", signal.SIGKILL)
    journey.start_node("alice", *places["alice"])
    journey.talk(("alice", "still me"), ("bob", "still me too"))
    for one in places:
        assert journey.texts(one) == [
            "directly", "yes", "where are you?", "I moved", "I see", "still me", "still me too",
        ]  # fmt: skip
