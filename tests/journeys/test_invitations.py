"""An invitation makes one contact; who comes too late, or with a wrong link, is told what happened."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from node.cli.exits import BAD_TEXT, NO_INPUT, UNAVAILABLE
from protocol.limits import INVITATION_DAYS
from protocol.session.invitation import format_link, parse_link
from protocol.wire.addresses import format_address, parse_address
from tests.journeys.journey import Journey

pytestmark = pytest.mark.journey


@pytest.fixture
def three(journey: Journey) -> Journey:
    """Alice, Bob, Carol; nobody knows anybody."""
    journey.set_up()
    journey.make_person("carol")
    journey.start_node("carol")
    return journey


def swapped(link: str) -> str:
    """The same invitation, its other relay first."""
    parsed = parse_link(link)
    return format_link(tuple(reversed(parsed.relays)), parsed.secret, parsed.direct)


def states(journey: Journey, name: str) -> list[str]:
    return [row["state"] for row in journey.contacts(name)]


@pytest.mark.parametrize("other_relay_first", [True, False], ids=["at two relays", "at one relay"])
def test_of_two_who_open_an_invitation_at_once_one_becomes_the_contact(three: Journey, other_relay_first: bool) -> None:
    link = three.invite("alice")
    links = {"bob": link, "carol": swapped(link) if other_relay_first else link}
    with ThreadPoolExecutor() as pool:
        ended = dict(zip(links, pool.map(lambda name: three.kassiber(name, "accept", links[name]), links), strict=True))
    three.until(lambda: "active" in states(three, "bob") + states(three, "carol"), "nobody became a contact")
    (winner,) = [name for name in links if "active" in states(three, name)]
    (loser,) = links.keys() - {winner}
    assert ended[winner].returncode == 0
    if states(three, loser):  # both claimed, each at a relay; Alice took the first handshake
        three.until(lambda: states(three, loser) == ["refused"], "the loser was not told")
        assert b"this invitation was used by someone else, or withdrawn: ask for a new one" in three.done(
            loser, "contacts"
        )
    else:  # refused at the first step
        assert ended[loser].returncode == BAD_TEXT
        assert b"was used" in ended[loser].stderr
    (contact,) = three.contacts("alice")
    assert contact["name"] == {"bob": "Bob Buchfink", "carol": "Carol Kranich"}[winner]
    assert contact["safety_number"] == three.contacts(winner)[0]["safety_number"]
    three.talk(("alice", "hello"), (winner, "hello to you"), ("alice", "and goodbye"))
    assert three.texts(loser) == []
    again = three.accept(loser, three.invite("alice"), "alice")
    assert again != contact["safety_number"]


def test_an_invitation_is_good_once(friends: Journey) -> None:
    friends.make_person("carol")
    link = json.loads(friends.done("alice", "invite", "--json"))["link"]
    friends.start_node("carol")
    friends.accept("carol", link, "alice")
    friends.until(lambda: len([state for state in states(friends, "alice") if state == "active"]) == 2, "no contact")
    ended = friends.kassiber("bob", "accept", link)
    assert ended.returncode == BAD_TEXT
    assert b"was used" in ended.stderr
    assert len(friends.contacts("bob")) == 1


def test_an_expired_invitation_is_told(journey: Journey) -> None:
    journey.set_up()
    link = journey.invite("alice")
    clock = journey.place / "clock"
    clock.write_text(str(INVITATION_DAYS * 86_400 + 60.0), encoding="ascii")
    journey.launch("carol", "--clock", str(clock))
    journey.make_person("carol")
    ended = journey.kassiber("carol", "accept", link)
    assert ended.returncode == BAD_TEXT
    assert b"expired" in ended.stderr
    assert journey.done("carol", "contacts", "--json") == b""


def test_wrong_and_truncated_links_say_what_is_wrong(journey: Journey) -> None:
    journey.set_up()
    link = journey.invite("alice")
    head, _, fragment = link.partition("#")
    wrong = {
        link[:-1]: b"127 characters behind '#' where 128 should be. Copy the whole link",
        link[:-40]: b"88 characters behind '#' where 128 should be",
        head: b"This invitation link is cut",
        link + "A": b"129 characters behind '#' where 128 should be",
        f"{head}#{fragment[:-1]}!": b"'!' behind '#' is in no link",
        link.replace("/i#", "/r#"): b"This is a relay's address, not an invitation",
        link.replace("kassiber://127.0.0.1", "kassiber://"): b"is not a host: it should look like name:port",
        "https://example.org/": b"neither a link",
        "kassiber:": b"neither a link",
    }
    for given, says in wrong.items():
        ended = journey.kassiber("bob", "accept", given)
        assert ended.returncode in {BAD_TEXT, NO_INPUT}, (given, ended)
        assert says in ended.stderr, (given, ended)
        assert b"Traceback" not in ended.stderr
    assert journey.contacts("bob") == []
    journey.accept("bob", link, "alice")


def test_a_changed_secret_opens_nothing_and_burns_nothing(journey: Journey) -> None:
    journey.set_up()
    link = journey.invite("alice")
    parsed = parse_link(link)
    other = format_link(parsed.relays, type(parsed.secret)(bytes(32)), parsed.direct)
    ended = journey.kassiber("bob", "accept", other)
    assert ended.returncode == BAD_TEXT
    journey.accept("bob", link, "alice")


def test_a_relay_with_another_key_than_its_address_pins_is_told_and_not_used(journey: Journey) -> None:
    journey.start_relay("relay-1")
    journey.start_relay("relay-2")
    host, _ = parse_address(journey.addresses["relay-1"])
    _, other_key = parse_address(journey.addresses["relay-2"])
    journey.make_person("alice", format_address(host, other_key))
    journey.start_node("alice")
    (row,) = journey.ask("alice", "GET", "/v1/relays")["relays"]
    ended = journey.kassiber("alice", "invite")
    assert ended.returncode == UNAVAILABLE
    (row,) = journey.ask("alice", "GET", "/v1/relays")["relays"]
    assert (row["state"], row["error"]) == ("unreachable", "what answers there does not hold the key of its address")
    doctor = journey.kassiber("alice", "doctor")
    assert doctor.returncode != 0
    assert b"does not hold the key of its address" in doctor.stdout + doctor.stderr


def test_a_link_with_keys_and_places_mixed_up_claims_nothing_and_the_right_one_still_works(journey: Journey) -> None:
    journey.set_up()
    link = journey.invite("alice")
    parsed = parse_link(link)
    keys = [key for _, key in parsed.relays]
    crossed = tuple(zip([host for host, _ in parsed.relays], reversed(keys), strict=True))
    ended = journey.kassiber("bob", "accept", format_link(crossed, parsed.secret, parsed.direct))
    assert ended.returncode == UNAVAILABLE
    assert b"does not hold the key of its address" in ended.stderr
    journey.accept("bob", link, "alice")


def test_an_invitation_outlives_one_of_its_relays(journey: Journey) -> None:
    journey.set_up()
    link = journey.invite("alice")
    gone = str(parse_link(link).relays[0][0])
    (name,) = [name for name, address in journey.addresses.items() if gone.removeprefix("ws://") in address]
    journey.stop(name, signal.SIGKILL)
    journey.accept("bob", link, "alice")
    journey.talk(("alice", "one relay is enough"), ("bob", "so it is"))
