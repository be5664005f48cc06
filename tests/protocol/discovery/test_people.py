"""Who is visible: a list that does not shift, and that no liar fills with addresses of elsewhere."""

import pytest

from protocol.discovery.people import (
    People,
    VisibleAnnouncement,
    Way,
    encode_visible_txt,
    make_visible_announcement,
    parse_visible_txt,
)
from protocol.discovery.tags import Endpoint
from protocol.errors import Code, PeerError
from protocol.limits import MAX_NEW_SIGHTINGS_PER_SECOND, MAX_VISIBLE_PEOPLE
from protocol.timing import Timing
from tests.protocol.discovery.place import ETHERNET, NETWORKS, WIRELESS, Dice, ipv4


def record(name: str = "Bob", seed: int = 1) -> bytes:
    return encode_visible_txt(make_visible_announcement(Dice(seed), name))


def way(last: int = 7, port: int = 40_001, txt: bytes = record(), interface: int = ETHERNET) -> Way:
    return Way(interface, Endpoint(ipv4(last, interface if interface == WIRELESS else 2), port), txt)


def instance(number: int) -> str:
    return f"{number:016x}"


def looking() -> People:
    people = People(Timing())
    people.attach(NETWORKS, 0.0)
    return people


def names(people: People, now: float = 0.0) -> list[tuple[int, str]]:
    return [(person.number, person.name) for person in people.now(now)]


def test_a_name_comes_as_it_was_sent() -> None:
    assert parse_visible_txt(record("Bücherwurm 🐛")).name == "Bücherwurm 🐛"


def test_a_person_on_two_interfaces_is_one_and_gone_only_from_both() -> None:
    people = looking()
    assert people.seen(instance(1), way(), 0.0)
    assert people.seen(instance(1), way(interface=WIRELESS), 0.1)
    assert not people.seen(instance(1), way(), 0.2)
    assert names(people) == [(1, "Bob")]
    assert people.gone(ETHERNET, False, instance(1))
    assert names(people) == [(1, "Bob")]
    people.gone(WIRELESS, False, instance(1))
    assert names(people) == []
    assert not people.gone(WIRELESS, False, instance(1))


def test_a_number_is_never_given_to_somebody_else() -> None:
    """Who types it means whom they saw: also where the same instance comes with another name."""
    people = looking()
    people.seen(instance(1), way(), 0.0)
    people.seen(instance(1), way(txt=record("Mallory")), 0.1)
    assert names(people) == [(2, "Mallory")]
    people.gone(ETHERNET, False, instance(1))
    people.seen(instance(2), way(), 0.2)
    assert names(people) == [(3, "Bob")]


def test_a_flood_leaves_those_in_the_list_that_were_there() -> None:
    people = looking()
    people.seen(instance(0), way(), 0.0)
    taken = sum(people.seen(instance(number), way(8), number / 1_000) for number in range(1, 1_001))
    assert taken < 2 * MAX_NEW_SIGHTINGS_PER_SECOND
    for number in range(2_000, 2_100):
        people.seen(instance(number), way(8), float(number))
    assert len(people.now(2.0)) == MAX_VISIBLE_PEOPLE
    assert names(people)[0] == (1, "Bob")


def test_nobody_is_visible_for_ever() -> None:
    people = looking()
    people.seen(instance(1), way(), 0.0)
    assert [len(people.now(now)) for now in (0.0, 419.0, 420.0)] == [1, 1, 0]


@pytest.mark.parametrize("bad", [way(port=0), Way(ETHERNET, Endpoint(ipv4(7, 3), 1), record()), way(txt=b"")])
def test_nobody_can_have_it_call_elsewhere(bad: Way) -> None:
    with pytest.raises(PeerError) as refused:
        looking().seen(instance(1), bad, 0.0)
    assert refused.value.code is Code.MALFORMED


def test_an_instance_that_no_node_makes_is_refused() -> None:
    with pytest.raises(PeerError):
        looking().seen("Bob's laptop", way(), 0.0)


def test_who_was_seen_on_an_interface_that_has_gone_is_gone() -> None:
    people = looking()
    people.seen(instance(1), way(), 0.0)
    people.attach({WIRELESS: NETWORKS[WIRELESS]}, 1.0)
    assert names(people) == []


def test_every_field_of_the_record_is_bounded() -> None:
    longest = encode_visible_txt(VisibleAnnouncement(bytes(16), "a" * 64))
    assert len(longest) == 93
    assert parse_visible_txt(longest).name == "a" * 64
