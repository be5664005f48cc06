"""Four relays, two of each person's own, over real sockets: what an entry and a destination get to know (Spec 12)."""

import signal
from collections.abc import Iterator

import pytest

from node.cli.stage import opened
from protocol.wire.addresses import parse_address
from tests.journeys.journey import Journey
from tests.journeys.mailbox import Mailbox
from tests.journeys.search import forms_of_key, found, memory_of
from tests.journeys.test_what_a_relay_sees import disk_and_log
from tests.journeys.wiretap import Wiretap

pytestmark = pytest.mark.journey

OWN = {"alice": ("relay-1", "relay-2"), "bob": ("relay-3", "relay-4")}
ADDRESSES = {"alice": "127.0.0.11", "bob": "127.0.0.12"}
RELAYS_ADDRESS = "127.0.0.1"
PEOPLE = {"alice", "bob"}


class Forwarded:
    """A conversation by way of entries, some of it still held."""

    def __init__(self, journey: Journey, taps: dict[str, Wiretap]) -> None:
        self.journey = journey
        self.taps = taps

    def talk(self) -> None:
        journey = self.journey
        for relay, tap in self.taps.items():
            place = ("--listen", f"127.0.0.2:{tap.port}", "--public", f"127.0.0.1:{tap.port}")
            journey.start_relay(relay, *place, "--forward", "any")
        for name, address in ADDRESSES.items():
            journey.launch(name, "--source", address)
            journey.make_person(name, *(journey.addresses[relay] for relay in OWN[name]))
            journey.start_node(name, "--forward")
        journey.accept("bob", journey.invite("alice"), "alice")
        journey.talk(("alice", "by way of another"), ("bob", "so is this"))
        journey.stop("bob", signal.SIGKILL)
        journey.say("alice", "for later")
        journey.arrives("alice", "for later", "relayed")

    def queues_elsewhere(self, relay: str) -> dict[str, set[bytes]]:
        """Names of all queues that are not on this relay, in every form."""
        _, own_key = parse_address(self.journey.addresses[relay])
        names: dict[str, set[bytes]] = {}
        for person in sorted(PEOPLE):
            rows = Mailbox(self.journey.place / person).rows("SELECT relay, send_id, receive_id FROM queues")
            for key, send_id, receive_id in rows:
                if key != own_key:
                    names[f"a queue of {person}'s elsewhere ({send_id.hex()})"] = forms_of_key(send_id)
                    names[f"its other end ({receive_id.hex()})"] = forms_of_key(receive_id)
        return names


@pytest.fixture(scope="module")
def forwarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forwarded]:
    taps = {relay: Wiretap("127.0.0.1", "127.0.0.2") for relays in OWN.values() for relay in relays}
    with opened(Journey(tmp_path_factory.mktemp("forwarded"))) as journey:
        forwarded = Forwarded(journey, taps)
        forwarded.talk()
        yield forwarded
    for tap in taps.values():
        tap.close()


@pytest.mark.parametrize("person", sorted(PEOPLE))
def test_only_a_persons_own_relays_ever_see_the_address(forwarded: Forwarded, person: str) -> None:
    (other,) = PEOPLE - {person}
    for relay in OWN[person]:
        seen = {tapped.seen_by_relay for tapped in forwarded.taps[relay].connections}
        assert ADDRESSES[person] in seen
        assert ADDRESSES[other] not in seen
        assert seen <= {ADDRESSES[person], RELAYS_ADDRESS}


def test_relays_have_spoken_to_each_other(forwarded: Forwarded) -> None:
    met = [
        relay
        for relay, tap in forwarded.taps.items()
        if RELAYS_ADDRESS in {one.seen_by_relay for one in tap.connections}
    ]
    assert met


@pytest.mark.parametrize("person", sorted(PEOPLE))
def test_no_relay_knows_a_queue_of_another_nor_an_address_that_is_not_its_peoples(
    forwarded: Forwarded, person: str
) -> None:
    """On its disk, in its log, and in its memory; what it does know of its own queues is found by the same search."""
    (other,) = PEOPLE - {person}
    journey = forwarded.journey
    for relay in OWN[person]:
        places = disk_and_log(journey, relay) | {f"memory of {relay}": memory_of(journey.pid(relay))}
        unknown = forwarded.queues_elsewhere(relay) | {"the other's address": {ADDRESSES[other].encode()}}
        assert found(unknown, places) == []
        _, own_key = parse_address(journey.addresses[relay])
        rows = Mailbox(journey.place / person).rows("SELECT relay, send_id FROM queues")
        known = {send_id.hex(): {send_id} for key, send_id in rows if key == own_key}
        assert len(found(known, {"disk": b"".join(disk_and_log(journey, relay).values())})) == len(known)


def test_what_was_held_comes_and_an_entry_that_dies_is_left_for_the_other(forwarded: Forwarded) -> None:
    journey = forwarded.journey
    journey.start_node("bob", "--forward")
    journey.arrives("alice", "for later")
    journey.stop("relay-1", signal.SIGKILL)
    journey.say("alice", "by the other entry")
    journey.arrives("alice", "by the other entry")
    journey.say("bob", "and back")
    journey.arrives("bob", "and back")
    assert journey.texts("alice") == journey.texts("bob")
    for name in sorted(PEOPLE):
        (other,) = PEOPLE - {name}
        for relay in OWN[other]:
            assert ADDRESSES[name] not in {tapped.seen_by_relay for tapped in forwarded.taps[relay].connections}


def test_a_relay_that_forwards_to_public_addresses_only_reaches_none_of_this_machine(journey: Journey) -> None:
    for relay in ("relay-1", "relay-2", "relay-3"):
        journey.start_relay(relay)
    journey.make_person("alice", journey.addresses["relay-1"], journey.addresses["relay-2"])
    journey.make_person("bob", journey.addresses["relay-3"])
    journey.start_node("alice", "--forward")
    journey.start_node("bob")
    refused = journey.kassiber("alice", "accept", journey.invite("bob"))
    assert refused.returncode != 0
    assert b"another relay could not reach it" in refused.stderr


def test_what_a_run_hid_by_its_options_no_command_shows_without_it(friends: Journey) -> None:
    """A node for the moment would send past the entry what waits for one."""
    friends.stop_politely("alice")
    friends.start_node("alice", "--forward")
    friends.stop_politely("alice")
    for words in (("send", "Bob Buchfink", "not like this"), ("inbox",)):
        refused = friends.kassiber("alice", *words)
        assert refused.returncode != 0
        assert b"The node last ran with --forward" in refused.stderr
    friends.start_node("alice")
    friends.stop_politely("alice")
    friends.done("alice", "send", "Bob Buchfink", "on purpose")
    friends.until(lambda: "on purpose" in friends.texts("bob"), "what was sent on purpose did not come")
