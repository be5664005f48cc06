"""Relays out of signed lists: a node without any takes two of different operators, and nothing from a bad list."""

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from node.cli.exits import BAD_TEXT, NO_INPUT, OK, UNAVAILABLE
from node.cli.stage import opened
from tests.journeys.journey import SCALED, Journey

pytestmark = pytest.mark.journey

OPERATORS = {"relay-1": "one.example", "relay-2": "two.example", "relay-3": "two.example"}
DAY = 86_400.0


def write_listing(journey: Journey, operators: dict[str, str]) -> Path:
    listing = journey.place / "listing"
    lines = [f"{journey.addresses[name]}  {operator}" for name, operator in operators.items()]
    listing.write_text("\n".join(["# a community's relays", "", *lines]), encoding="utf-8")
    return listing


def sign(journey: Journey, output: str, operators: dict[str, str], key: str = "publisher.key", days: int = 90) -> Path:
    path = journey.place / output
    listing = write_listing(journey, operators)
    words = ("--key", str(journey.place / key), "--output", str(path), "--days", str(days))
    ended = journey.run("relays", "sign", str(listing), *words)
    assert ended.returncode == OK, ended
    return path


def operators_of(journey: Journey, name: str) -> list[str]:
    """Of a node's own relays, by what the test knows."""
    known = {address: OPERATORS[relay] for relay, address in journey.addresses.items()}
    rows = [json.loads(line) for line in journey.done(name, "relays", "--json").splitlines()]
    return sorted(known[row["address"]] for row in rows)


def link_in(journey: Journey, name: str) -> str | None:
    """To the list that a relay offers."""
    link = r"^kassiber://127\.0\.0\.1:\d+/l#[A-Za-z0-9_-]{86}$"
    found = re.findall(link, journey.log(name).read_text(), re.MULTILINE)
    return found[-1] if found else None


def refused(journey: Journey, name: str, *words: str, stdin: bytes = b"") -> str:
    """What a person is told; nothing changes."""
    before = lists(journey, name), journey.done(name, "relays", "--json")
    ended = journey.kassiber(name, "relays", "follow", *words, stdin=stdin)
    assert ended.returncode == BAD_TEXT, ended
    assert b"Traceback" not in ended.stderr
    assert lists(journey, name) == before[0]
    return ended.stderr.decode()


def lists(journey: Journey, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in journey.done(name, "relays", "lists", "--json").splitlines()]


@pytest.fixture
def community(journey: Journey) -> Journey:
    """Three relays of two operators; Alice and Bob have none of their own, and their nodes run."""
    for name in OPERATORS:
        journey.start_relay(name)
    for name in ("alice", "bob"):
        assert journey.make_profile(name, []).wait(20) == 0
        journey.start_node(name)
    return journey


def test_two_without_relays_follow_a_list_from_a_file_and_from_a_relay_and_talk(community: Journey) -> None:
    listed = sign(community, "community.list", OPERATORS)
    community.stop("relay-3", signal.SIGTERM)
    community.start_relay("relay-3", "--list", str(listed))
    said = community.done("alice", "relays", "follow", str(listed)).decode()
    assert said.startswith("Following ")
    assert "compare its key" in said
    assert operators_of(community, "alice") == ["one.example", "two.example"]
    taken = json.loads(community.done("bob", "relays", "follow", community.addresses["relay-3"], "--json"))
    assert [row["operators"] for row in taken["chosen"]] != []
    assert operators_of(community, "bob") == ["one.example", "two.example"]
    assert lists(community, "alice")[0]["publisher"] == lists(community, "bob")[0]["publisher"] == taken["publisher"]
    named = [json.loads(line) for line in community.done("bob", "relays", "lists", "1", "--json").splitlines()]
    assert {row["address"]: row["operator"] for row in named} == {
        community.addresses[relay]: operator for relay, operator in OPERATORS.items()
    }
    community.befriend("alice", "bob")
    community.talk(("alice", "found you"), ("bob", "and I you"))
    dead = next(name for name, address in community.addresses.items() if address == taken["chosen"][0]["address"])
    community.stop(dead, signal.SIGKILL)
    community.talk(("alice", "one operator is gone"), ("bob", "the other is there"))


def test_a_list_comes_as_text_and_by_a_link_that_pins_its_publisher(community: Journey) -> None:
    listed = sign(community, "community.list", OPERATORS)
    other = sign(community, "other.list", OPERATORS, key="other.key")
    words = ("--key", str(community.place / "publisher.key"), "--output", str(listed), "--text")
    text = community.run("relays", "sign", str(community.place / "listing"), *words).stdout.splitlines()[-1]
    assert text.startswith(b"kassiber-relays:")
    broken = b"\n".join(text[at : at + 70] for at in range(0, len(text), 70))
    assert community.done("alice", "relays", "follow", "-", stdin=broken).startswith(b"Following ")
    assert refused(community, "alice", text.decode()[:-1])

    community.stop("relay-1", signal.SIGTERM)
    community.start_relay("relay-1", "--list", str(listed))
    link = community.until(lambda: link_in(community, "relay-1"), "relay-1 printed no link")
    assert community.done("bob", "relays", "follow", link).startswith(b"Following ")
    assert lists(community, "bob")[0]["source"] == link
    community.stop("relay-1", signal.SIGTERM)
    community.start_relay("relay-1", "--list", str(other))
    for again in (link, community.addresses["relay-1"]):
        assert "is not signed by" in refused(community, "bob", again)
    community.stop("relay-1", signal.SIGKILL)
    ended = community.kassiber("bob", "relays", "follow", link)
    assert ended.returncode == UNAVAILABLE
    assert b"cannot be asked for its list" in ended.stderr


def test_a_list_that_is_bad_changes_nothing_and_its_fault_is_named(community: Journey) -> None:
    first = sign(community, "community.list", OPERATORS).read_bytes()
    old = community.place / "old.list"
    old.write_bytes(first)
    newer = sign(community, "community.list", {"relay-1": "one.example", "relay-2": "two.example"})
    publisher = json.loads(community.done("alice", "relays", "follow", str(newer), "--json"))["publisher"]

    told = refused(community, "alice", str(old))
    assert f"This list is an old one of {publisher}: it has number" in told
    assert "take the next one from elsewhere" in told

    forged = community.place / "forged.list"
    forged.write_bytes(newer.read_bytes()[:-1] + bytes((newer.read_bytes()[-1] ^ 1,)))
    assert f"is not signed by {publisher}" in refused(community, "alice", str(forged))
    foreign = sign(community, "foreign.list", OPERATORS, key="foreign.key")
    assert "is not signed by" in refused(community, "alice", str(foreign), "--publisher", publisher)
    assert "should be 43 characters" in refused(community, "alice", str(foreign), "--publisher", publisher[1:])
    assert "should be 43 characters" in refused(community, "alice", str(foreign), "--publisher", "-a-key-may-begin-so")

    huge = community.place / "huge.list"
    huge.write_bytes(bytes(70_000))
    assert "65,536 are the most" in refused(community, "alice", str(huge))
    assert "no list of relays, or it is damaged" in refused(community, "alice", str(community.place / "listing"))
    assert community.kassiber("alice", "relays", "follow", "nowhere").returncode == NO_INPUT
    assert "offers no list of relays" in refused(community, "alice", community.addresses["relay-2"])
    wrong = community.addresses["relay-2"].partition("#")[0] + "#" + community.addresses["relay-1"].partition("#")[2]
    assert "does not hold the key of its address" in refused(community, "alice", wrong)


def test_a_list_of_one_operator_is_kept_and_no_relay_is_taken_from_it_alone(community: Journey) -> None:
    alone = sign(community, "alone.list", {"relay-2": "two.example", "relay-3": "two.example"})
    said = community.done("alice", "relays", "follow", str(alone)).decode()
    assert "2 relays of different operators are wanted" in said
    assert operators_of(community, "alice") == []
    assert community.kassiber("alice", "relays", "choose").returncode == BAD_TEXT
    more = sign(community, "more.list", {"relay-1": "one.example"}, key="other.key")
    assert b"Took " in community.done("alice", "relays", "follow", str(more))
    assert operators_of(community, "alice") == ["one.example", "two.example"]
    assert b"has 2 relays" in community.kassiber("alice", "relays", "choose").stderr
    community.done("alice", "relays", "remove", community.addresses["relay-1"])
    assert b"of one.example" in community.done("alice", "relays", "choose")
    community.done("alice", "relays", "unfollow", "1")
    assert [row["list"] for row in lists(community, "alice")] == [2]
    assert operators_of(community, "alice") == ["one.example", "two.example"]


def test_a_list_that_is_over_is_not_taken_and_the_doctor_says_that_one_is(journey: Journey) -> None:
    for name in OPERATORS:
        journey.start_relay(name)
    listed = sign(journey, "community.list", OPERATORS, days=2)
    clock = journey.place / "clock"
    clock.write_text("0", encoding="ascii")
    for name in ("alice", "bob"):
        journey.launch(name, "--clock", str(clock))
        assert journey.make_profile(name, []).wait(20) == 0
        journey.start_node(name)
    journey.done("alice", "relays", "follow", str(listed))
    clock.write_text(str(3 * DAY), encoding="ascii")
    told = refused(journey, "bob", str(listed))
    assert "is over: it ended 1 day ago" in told
    assert "set the clock" in told
    assert operators_of(journey, "alice") == ["one.example", "two.example"]
    journey.done("alice", "relays", "remove", journey.addresses["relay-1"])
    assert "your lists have 0 more" in journey.kassiber("alice", "relays", "choose").stderr.decode()
    examined = journey.kassiber("alice", "doctor").stdout.decode()
    assert "is over" in examined


def test_a_running_node_takes_the_next_list_by_itself_and_says_when_its_relay_offers_an_old_one(tmp_path: Path) -> None:
    with opened(Journey(tmp_path, replace(SCALED, list_renewal_seconds=0.4))) as journey:
        for name in OPERATORS:
            journey.start_relay(name)
        old = sign(journey, "old.list", OPERATORS).read_bytes()
        listed = journey.place / "community.list"
        listed.write_bytes(old)

        def offer() -> None:
            journey.stop("relay-1", signal.SIGTERM)
            journey.start_relay("relay-1", "--list", str(listed))

        offer()
        assert journey.make_profile("alice", []).wait(20) == 0
        journey.start_node("alice")
        journey.done("alice", "relays", "follow", journey.addresses["relay-1"])
        before = lists(journey, "alice")[0]["serial"]
        sign(journey, "community.list", {"relay-1": "one.example", "relay-2": "two.example"})
        offer()
        journey.until(lambda: lists(journey, "alice")[0]["serial"] > before, "the next list did not come")
        assert lists(journey, "alice")[0]["relays"] == 2
        listed.write_bytes(old)
        offer()
        error = journey.until(
            lambda: "an old one" in (lists(journey, "alice")[0]["error"] or "") and lists(journey, "alice")[0]["error"],
            "nobody noticed",
        )
        assert lists(journey, "alice")[0]["relays"] == 2
        assert error in journey.kassiber("alice", "doctor").stdout.decode()
        assert journey.addresses["relay-1"].partition("#")[2].encode() not in journey.log("alice").read_bytes()
