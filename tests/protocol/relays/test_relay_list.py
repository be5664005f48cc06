"""Lists of relays: whoever writes one is told at once what nobody would read."""

import pytest

from protocol.crypto.suite import RealSuite
from protocol.errors import CallerError, Code, PeerError
from protocol.keys import Minute, PublisherKey, RelayKey, SigningKey
from protocol.limits import MAX_RELAY_LIST_BYTES
from protocol.relays.relay_list import ListedRelay, RelayList, parse_list, read_list, sign_list

SUITE = RealSuite()
ISSUED, EXPIRES = Minute(29_710_080), Minute(29_840_000)


def key(number: int) -> SigningKey:
    return SUITE.signing_key(bytes((number,)) * 32)


def relays(*operators: str) -> list[ListedRelay]:
    return [
        ListedRelay("ws://relay.example:7443", RelayKey(number.to_bytes(32, "big")), operator)
        for number, operator in enumerate(operators)
    ]


def listed(rows: list[ListedRelay], publisher: SigningKey, expires: Minute = EXPIRES) -> RelayList:
    return RelayList(PublisherKey(publisher[32:]), 1, ISSUED, expires, rows)


def test_a_signed_list_says_whose_it_is_and_reads_back() -> None:
    value = listed(relays("one", "two"), key(1))
    encoded = sign_list(SUITE, key(1), value)
    assert parse_list(encoded) == value
    assert read_list(SUITE, encoded, value.publisher, None, ISSUED)[0] == value


@pytest.mark.parametrize(
    ("rows", "expires", "says"),
    [
        (relays("one", "two")[::-1], EXPIRES, "order of their keys"),
        (relays(*["one"] * 9), EXPIRES, "one has 9 relays"),
        (relays("ONE"), EXPIRES, "'ONE' is no operator's name"),
        (relays(), EXPIRES, "length >= 1"),
        (relays("one"), ISSUED, "at least a minute"),
        ([ListedRelay("relay.example", RelayKey(bytes(32)), "one")], EXPIRES, "'relay.example' is not a host"),
    ],
)
def test_what_no_reader_would_take_is_not_signed(rows: list[ListedRelay], expires: Minute, says: str) -> None:
    with pytest.raises(CallerError, match=says):
        sign_list(SUITE, key(1), listed(rows, key(1), expires))


def test_nobody_signs_in_the_name_of_another() -> None:
    with pytest.raises(CallerError, match="another publisher"):
        sign_list(SUITE, key(2), listed(relays("one"), key(1)))


def test_a_huge_list_is_not_even_asked_whose_it_is() -> None:
    encoded = sign_list(SUITE, key(1), listed(relays("one"), key(1)))
    with pytest.raises(PeerError) as caught:
        parse_list(encoded.ljust(MAX_RELAY_LIST_BYTES + 1, b"\0"))
    assert caught.value.code is Code.TOO_LARGE


def test_no_changed_bit_is_read() -> None:
    value = listed(relays("one", "two"), key(1))
    encoded = sign_list(SUITE, key(1), value)
    for at in range(len(encoded)):
        for bit in range(8):
            changed = bytearray(encoded)
            changed[at] ^= 1 << bit
            with pytest.raises(PeerError):
                read_list(SUITE, bytes(changed), value.publisher, None, ISSUED)
