"""What an announcement shows: always the same size and shape, and nothing that comes twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.discovery.announcement import (
    TXT_BYTES,
    Announcement,
    check_instance,
    encode_txt,
    make_announcement,
    make_instance,
    parse_txt,
)
from protocol.discovery.tags import EPOCHS_AFTER, EPOCHS_BEFORE, epoch_of, is_tagged, tag
from protocol.errors import Code, PeerError
from protocol.limits import DISCOVERY_TAGS
from tests.protocol.discovery.place import EPOCH, HERE, Dice, secret


@given(st.integers(0, DISCOVERY_TAGS), st.integers(0, 2**32))
def test_every_announcement_has_64_different_tags_and_one_size(contacts: int, seed: int) -> None:
    announcement = make_announcement(Dice(seed), [secret(number) for number in range(contacts)], HERE, EPOCH)
    assert len(set(announcement.tags)) == DISCOVERY_TAGS
    assert len(encode_txt(announcement)) == TXT_BYTES == 413
    assert parse_txt(encode_txt(announcement)) == announcement


@given(st.integers(1, DISCOVERY_TAGS), st.integers(0, 2**32))
def test_each_contact_recognises_it_and_no_stranger_does(contacts: int, seed: int) -> None:
    secrets = [secret(number) for number in range(contacts)]
    said = make_announcement(Dice(seed), secrets, HERE, EPOCH)
    assert all(is_tagged(one, said.nonce, EPOCH, HERE, said.tags) for one in secrets)
    assert not any(is_tagged(secret(number), said.nonce, EPOCH, HERE, said.tags) for number in range(1_000, 1_100))


def test_no_tag_comes_twice_in_ten_announcements_of_one_node() -> None:
    dice, secrets = Dice(1), [secret(number) for number in range(30)]
    tags = [tag for _ in range(10) for tag in make_announcement(dice, secrets, HERE, EPOCH).tags]
    assert len(set(tags)) == len(tags)


def test_where_a_contacts_tag_stands_says_nothing() -> None:
    """In 6,400 announcements each of the 64 places has the tag about 100 times (standard deviation 10)."""
    dice, places = Dice(2), [0] * DISCOVERY_TAGS
    for _ in range(100 * DISCOVERY_TAGS):
        said = make_announcement(dice, [secret(1)], HERE, EPOCH)
        places[said.tags.index(tag(secret(1), said.nonce, EPOCH, HERE))] += 1
    assert min(places) > 50
    assert max(places) < 150


@pytest.mark.parametrize("later", range(-4, 5))
def test_it_is_recognised_for_its_whole_life_and_not_much_longer(later: int) -> None:
    said = make_announcement(Dice(3), [secret(1)], HERE, EPOCH)
    expected = -EPOCHS_AFTER <= later <= EPOCHS_BEFORE
    assert is_tagged(secret(1), said.nonce, EPOCH + later, HERE, said.tags) is expected


@pytest.mark.parametrize("wall", [-1e12, -1.0, 0.0, 599.9, 2**32 * 600.0, 1e18])
def test_no_clock_is_too_wrong(wall: float) -> None:
    epoch = epoch_of(wall)
    assert 0 <= epoch < 2**32
    said = make_announcement(Dice(4), [secret(1)], HERE, epoch)
    assert is_tagged(secret(1), said.nonce, epoch, HERE, said.tags)


@given(st.binary(max_size=500) | st.binary(min_size=TXT_BYTES, max_size=TXT_BYTES))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(PeerError) as refused:
        parse_txt(data)
    assert refused.value.code is (Code.MALFORMED if len(data) == TXT_BYTES else Code.SIZE)


@given(st.integers(0, TXT_BYTES - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_read_as_it_stands(place: int, change: int) -> None:
    record = bytearray(encode_txt(make_announcement(Dice(5), [], HERE, EPOCH)))
    record[place] ^= change
    try:
        said: Announcement | None = parse_txt(bytes(record))
    except PeerError:
        said = None
    assert said is None or encode_txt(said) == record


@pytest.mark.parametrize(
    "name",
    [
        "",
        "0123456789abcde",
        "0123456789ABCDEF",
        "0123456789abcdef0",
        "laptop",
        "0123456789abcdeg",
        "0123456789abcdef\n",
    ],
)
def test_an_instance_with_a_name_of_its_own_is_refused(name: str) -> None:
    with pytest.raises(PeerError) as refused:
        check_instance(name)
    assert refused.value.code is Code.MALFORMED


def test_instances_are_taken_and_never_come_twice() -> None:
    names = [make_instance(Dice(seed)) for seed in range(100)]
    for name in names:
        check_instance(name)
    assert len(set(names)) == 100
