"""People are found under a name at a relay that keeps cards, for as long as they want to be, and by nobody else's."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from node.cli.stage import opened
from protocol.limits import MAX_CARD_INVITATIONS
from tests.journeys.journey import SCALED, Journey

pytestmark = pytest.mark.journey

QUICK = replace(SCALED, card_renewal_seconds=2.0)


@pytest.fixture
def strangers(tmp_path: Path) -> Iterator[Journey]:
    """Alice, Bob and Carol, who know nobody; of two relays the first keeps cards."""
    with opened(Journey(tmp_path, QUICK)) as journey:
        journey.start_relay("relay-1", "--cards")
        journey.start_relay("relay-2")
        for name in ("alice", "bob", "carol"):
            journey.make_person(name)
            journey.start_node(name)
        yield journey


def place(journey: Journey, relay: str = "relay-1") -> str:
    return journey.addresses[relay].partition("://")[2].partition("/")[0]


def states(journey: Journey, name: str) -> list[str]:
    return [row["state"] for row in journey.contacts(name)]


def still_open(journey: Journey, name: str) -> int:
    rows = journey.ask(name, "GET", "/v1/invitations")["invitations"]
    return sum(row["state"] == "open" for row in rows)


def listed(journey: Journey, name: str) -> list[int]:
    (row,) = journey.ask(name, "GET", "/v1/cards")["cards"]
    return [number for number, _ in row["links"]]


def test_one_card_makes_many_contacts_until_it_is_withdrawn(strangers: Journey) -> None:
    printed = strangers.done("alice", "card", "publish", "alice.amsel", "--relay", place(strangers)).decode()
    assert f"alice.amsel@{place(strangers)}" in printed
    assert still_open(strangers, "alice") == MAX_CARD_INVITATIONS
    before = listed(strangers, "alice")
    strangers.done("bob", "accept", f"alice.amsel@{place(strangers)}", "--name", "Alice")
    strangers.done("carol", "accept", f"alice.amsel@{strangers.addresses['relay-1']}")
    strangers.until(lambda: states(strangers, "alice") == ["active", "active"], "alice has not both")
    strangers.talk(("bob", "found you"))
    strangers.say("alice", "here I am")
    strangers.arrives("alice", "here I am")
    strangers.until(lambda: still_open(strangers, "alice") == MAX_CARD_INVITATIONS, "no new invitations")
    strangers.until(lambda: set(listed(strangers, "alice")) - set(before), "the card was not renewed")
    (row,) = [json.loads(line) for line in strangers.done("alice", "card", "--json").splitlines()]
    assert (row["name"], len(row["links"]), row["brought"]) == ("alice.amsel", MAX_CARD_INVITATIONS, True)
    strangers.done("alice", "card", "withdraw", "alice.amsel")
    assert still_open(strangers, "alice") == 0
    again = strangers.kassiber("carol", "accept", f"alice.amsel@{place(strangers)}")
    assert again.returncode == 65
    assert b"Nobody is found as 'alice.amsel'" in again.stderr
    assert states(strangers, "bob") == ["active"], "who is a contact stays one"


def test_a_name_is_its_first_owners_also_after_the_relay_was_down(strangers: Journey) -> None:
    strangers.done("alice", "card", "publish", "amsel")
    stolen = strangers.kassiber("bob", "card", "publish", "amsel")
    assert stolen.returncode == 65
    assert b"somebody else's" in stolen.stderr
    assert strangers.ask("bob", "GET", "/v1/cards")["cards"] == []
    assert still_open(strangers, "bob") == 0, "invitations of a card that nobody keeps"
    strangers.stop_politely("relay-1")
    strangers.start_relay("relay-1", "--cards")
    strangers.until(lambda: strangers.kassiber("carol", "accept", f"amsel@{place(strangers)}").returncode == 0, "lost")
    strangers.until(partial(_has, strangers, "alice"), "alice has nobody")


def test_a_card_that_is_withdrawn_while_its_relay_is_down_goes_once_it_is_up(strangers: Journey) -> None:
    strangers.done("alice", "card", "publish", "amsel")
    strangers.stop_politely("relay-1")
    later = strangers.kassiber("alice", "card", "withdraw", "amsel")
    assert later.returncode == 69
    assert b"tried again" in later.stderr
    strangers.start_relay("relay-1", "--cards")
    strangers.until(lambda: strangers.ask("alice", "GET", "/v1/cards")["cards"] == [], "it is still there")
    again = strangers.kassiber("bob", "accept", f"amsel@{place(strangers)}")
    assert b"Nobody is found as 'amsel'" in again.stderr
    assert still_open(strangers, "alice") == 0


def _has(journey: Journey, name: str) -> bool:
    return states(journey, name) == ["active"]


def test_whoever_asks_wrongly_is_told_what_to_do(strangers: Journey) -> None:
    for words, code, said in [
        (("card", "publish", "alice", "--relay", place(strangers, "relay-2")), 65, b"keeps no cards"),
        (("card", "publish", "Alice!"), 65, b"cannot be a card's name"),
        (("card", "publish", "alice", "--relay", "192.0.2.9:1"), 65, b"none of your relays"),
        (("card", "withdraw", "alice"), 65, b"You have no card 'alice'"),
        (("accept", f"nobody@{place(strangers)}"), 65, b"Nobody is found as 'nobody'"),
        (("accept", f"alice@{place(strangers, 'relay-2')}"), 65, b"or it keeps no cards"),
        (("accept", "alice@192.0.2.9:1"), 65, b"Give its whole address"),
    ]:
        refused = strangers.kassiber("alice", *words)
        assert (refused.returncode, b"Traceback" in refused.stderr) == (code, False), (words, refused)
        assert said in refused.stderr, (words, refused.stderr)
    assert still_open(strangers, "alice") == 0
    strangers.done("alice", "card", "publish", "alice")
    own = strangers.kassiber("alice", "accept", f"alice@{place(strangers)}")
    assert own.returncode == 65
    assert b"your own invitation" in own.stderr


def test_where_all_invitations_are_taken_the_person_is_asked_to_wait(strangers: Journey) -> None:
    strangers.done("alice", "card", "publish", "alice")
    for number in listed(strangers, "alice"):
        strangers.ask("alice", "DELETE", f"/v1/invitations/{number}")
    refused = strangers.kassiber("bob", "accept", f"alice@{place(strangers)}")
    if refused.returncode:  # else the card was renewed already
        assert refused.returncode == 69
        assert b"There will be others" in refused.stderr
        strangers.until(
            lambda: strangers.kassiber("bob", "accept", f"alice@{place(strangers)}").returncode == 0, "not renewed"
        )
    strangers.until(partial(_has, strangers, "bob"), "bob has nobody")
