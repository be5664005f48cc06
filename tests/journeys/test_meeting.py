"""Two strangers on one local network become contacts under one code, and nobody comes between them unseen."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from protocol.limits import MAX_VISIBLE_CALLERS
from tests.journeys.apart import Apart, Visible, set_apart
from tests.journeys.journey import SCALED
from tests.node.discovery.namespaces import Peer, ip, needs_namespaces

pytestmark = [pytest.mark.journey, needs_namespaces]

QUICK = replace(SCALED, visible_seconds=30.0, visible_pause_seconds=3.0, visible_answer_seconds=8.0)


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Apart]:
    """Alice and Bob, who never heard of each other."""
    with set_apart(tmp_path, QUICK, "--discovery") as journey:
        yield journey


def invitations(journey: Apart, name: str) -> list[str]:
    return [row["state"] for row in journey.ask(name, "GET", "/v1/invitations")["invitations"]]


def nothing_kept(journey: Apart) -> None:
    for name in ("alice", "bob"):
        assert journey.contacts(name) == []
        assert [state for state in invitations(journey, name) if state != "cancelled"] == []


def has_somebody(journey: Apart, name: str) -> bool:
    return [row["state"] for row in journey.contacts(name)] == ["active"]


def is_over(how: str, state: dict[str, Any]) -> bool:
    return bool(state["over"] == how)


def failed(with_whom: str, state: dict[str, Any]) -> bool:
    return state["call"] is None and with_whom in (state["trouble"] or "")


def test_they_see_each_other_compare_the_code_and_are_contacts(apart: Apart) -> None:
    alice, bob = Visible(apart, "alice"), Visible(apart, "bob", "--name", "Bob from the library")
    bob.sees("Alice Amsel")
    alice.types(str(alice.sees("Bob from the library")))
    assert alice.code() == bob.code()
    bob.types("yes")
    time.sleep(0.5)
    assert invitations(apart, "bob") == [], "made before both had said yes"
    alice.types("yes")
    assert [alice.ends(), bob.ends()] == [0, 0], (alice.lines, bob.lines)
    assert alice.states()[-1]["contact"] == 1
    assert [alice.states()[-1]["over"], bob.states()[-1]["over"]] == ["met", "met"]
    for name in ("alice", "bob"):
        apart.until(partial(has_somebody, apart, name), f"{name} has nobody")
    assert invitations(apart, "alice") == []
    assert invitations(apart, "bob") == ["used"]
    apart.talk(("alice", "nice to have met you"), ("bob", "and you"))
    numbers = {apart.contacts(name)[0]["safety_number"] for name in ("alice", "bob")}
    assert len(numbers) == 1


def test_whoever_stands_between_shows_two_codes_and_both_say_no(apart: Apart) -> None:
    mallory = Peer(apart.local.plug("mallory"), "Bob", "Bob Buchfink", program="between")
    try:
        alice, bob = Visible(apart, "alice"), Visible(apart, "bob")
        mallory.says("ready")
        alice.types(str(alice.sees("Bob")))
        assert alice.code() != bob.code()
        assert mallory.says("codes")[0].split()[1:] == [alice.code(), bob.code()]
        bob.until(lambda state: state["call"] and state["call"]["name"] == "Alice Amsel")
        alice.types("no")
        bob.types("no")
        for person in (alice, bob):
            person.until(partial(failed, "You said that the codes differ"))
        mallory.says("ended", 2)
        assert not [line for line in mallory.lines if line.startswith("frame")], "somebody said yes"
        nothing_kept(apart)
        alice.types(str(alice.sees("Bob Buchfink")))
        alice.says("wait")
        time.sleep(QUICK.visible_pause_seconds)
        alice.types(str(alice.sees("Bob Buchfink")))
        alice.until(lambda state: state["call"] and state["call"]["code"] and state["call"]["name"] == "Bob Buchfink")
        assert alice.states()[-1]["call"]["code"] == bob.states()[-1]["call"]["code"]
        assert [alice.interrupt(), bob.interrupt()] == [130, 130]
        nothing_kept(apart)
    finally:
        assert mallory.stop() == 0, mallory.lines


def test_where_one_says_no_the_other_ones_yes_is_worth_nothing(apart: Apart) -> None:
    """And where one says nothing."""
    alice, bob = Visible(apart, "alice"), Visible(apart, "bob")
    alice.types(str(alice.sees("Bob Buchfink")))
    bob.code()
    alice.types("yes")
    bob.types("no")
    alice.until(partial(failed, "hung up, or saw another code"))
    bob.until(partial(failed, "You said that the codes differ"))
    nothing_kept(apart)
    time.sleep(QUICK.visible_pause_seconds)
    bob.types(str(bob.sees("Alice Amsel")))
    alice.until(lambda state: state["call"] and state["call"]["code"] and not state["call"]["calling"])
    bob.types("yes")
    alice.until(partial(failed, "took too long"))
    assert [alice.interrupt(), bob.interrupt()] == [130, 130]
    nothing_kept(apart)


def test_whoever_calls_wrongly_floods_or_leaves_half_way_is_no_more_than_a_nuisance(apart: Apart) -> None:
    alice = Visible(apart, "alice")
    mallory = Peer(apart.local.plug("mallory"), "Alice Amsel", program="hostile_caller")
    try:
        mallory.says("again refused", 1, 40)
        mallory.says("done")
        assert mallory.says("flood closed at once")[0].split()[-1] == str(40 - MAX_VISIBLE_CALLERS)
        assert mallory.says("flood over")[0].split()[-1] == "40"
        assert "answered" not in mallory.lines
        assert alice.code() == mallory.says("code")[0].split()[1]
        alice.until(partial(failed, "hung up, or saw another code"))
        nothing_kept(apart)
        time.sleep(QUICK.visible_pause_seconds)
        bob = Visible(apart, "bob")
        alice.types(str(alice.sees("Bob Buchfink")))
        alice.until(lambda state: state["call"] and state["call"]["name"] == "Bob Buchfink" and state["call"]["code"])
        bob.code()
        for person in (alice, bob):
            person.types("yes")
        assert [alice.ends(), bob.ends()] == [0, 0], (alice.lines, bob.lines)
        assert "Traceback" not in "".join(apart.told())
    finally:
        assert mallory.stop() == 0, mallory.lines


def test_who_leaves_is_seen_no_more_and_the_time_ends_by_itself(apart: Apart) -> None:
    alice, bob = Visible(apart, "alice"), Visible(apart, "bob")
    alice.sees("Bob Buchfink")
    begun = time.monotonic()
    assert bob.interrupt() == 130
    alice.until(lambda state: state["version"] > 3 and not state["people"])
    assert time.monotonic() - begun < 10, "by its goodbye, not by its time to live"
    alice.until(partial(is_over, "time"), 40)
    assert alice.ends() == 69


def test_where_there_is_no_network_the_person_is_told_and_seen_once_there_is(apart: Apart) -> None:
    machine = apart.machines["alice"]
    ip("-n", machine, "link", "set", "wire", "down")
    alice, bob = Visible(apart, "alice"), Visible(apart, "bob")
    alice.until(lambda state: state["anywhere"] is False)
    ip("-n", machine, "link", "set", "wire", "up")
    ip("-n", machine, "addr", "replace", "10.99.0.1/24", "dev", "wire")
    bob.sees("Alice Amsel")
    alice.sees("Bob Buchfink")
    assert [alice.interrupt(), bob.interrupt()] == [130, 130]


def test_where_networks_are_not_trusted_the_person_is_told_what_to_do(apart: Apart) -> None:
    apart.stop_politely("bob")
    refused = apart.kassiber("bob", "meet")
    assert refused.returncode == 65
    assert b"kassiber up --discovery" in refused.stderr
    assert b"Traceback" not in refused.stderr
