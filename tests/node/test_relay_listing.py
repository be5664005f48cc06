"""A publisher signs a list: each next one has a higher number, and what is wrong is named by file and line."""

from pathlib import Path

import pytest

from node.relay_listing import sign_listing
from protocol.crypto.suite import RealSuite
from protocol.errors import CallerError
from protocol.keys import RelayKey
from protocol.relays.relay_list import parse_list
from protocol.wire.addresses import Host, format_address


def address(number: int) -> str:
    return format_address(Host.parse(f"ws://relay{number}.example:1"), RelayKey(number.to_bytes(32, "big")))


def test_the_next_list_has_a_higher_number_though_it_is_signed_in_the_same_minute(tmp_path: Path) -> None:
    listing, key, output = tmp_path / "listing", tmp_path / "key", tmp_path / "list"
    listing.write_text(f"# ours\n\n{address(2)} two.example\n  {address(1)}\tone.example  \n", encoding="utf-8")
    first = sign_listing(listing, key, output, 30)
    again = sign_listing(listing, key, output, 30)
    assert again.serial == first.serial + 1
    assert (again.publisher, again.relays, again.operators) == (first.publisher, 2, 2)
    assert key.stat().st_mode & 0o077 == 0
    value = parse_list(output.read_bytes())
    assert [relay.operator for relay in value.relays] == ["one.example", "two.example"]
    assert value.publisher == RealSuite().signing_key(key.read_bytes())[32:]
    assert value.expires - value.issued == 30 * 1_440


def test_what_is_wrong_is_named_and_the_list_that_stands_there_stays(tmp_path: Path) -> None:
    listing, key, output = tmp_path / "listing", tmp_path / "key", tmp_path / "list"
    listing.write_text(f"{address(1)} one.example\n", encoding="utf-8")
    sign_listing(listing, key, output, 30)
    before = output.read_bytes()
    for text, says in (
        (f"{address(1)} one.example\n{address(1)} two.example", "line 2: this relay is named before"),
        (f"{address(1)}", "line 1: a relay's address and its operator's name"),
        (f"{address(1)} One Example", "in one word each"),
        ("\n\nkassiber://relay.example:1 one.example", "line 3: .* is not a relay's address"),
        (f"{address(1)} One.example", "no operator's name"),
        ("# nothing", "names no relay"),
        ("\n".join(f"{address(number)} big.example" for number in range(9)), "big.example has 9 relays"),
        ("\n".join(f"{address(number)} operator-{number}" for number in range(257)), "Nobody would read"),
    ):
        listing.write_text(text, encoding="utf-8")
        with pytest.raises(CallerError, match=says):
            sign_listing(listing, key, output, 30)
    listing.write_bytes(b"\xff\xfe")
    with pytest.raises(CallerError, match="is no text"):
        sign_listing(listing, key, output, 30)
    assert output.read_bytes() == before


def test_nothing_else_is_written_over(tmp_path: Path) -> None:
    listing, output = tmp_path / "listing", tmp_path / "list"
    listing.write_text(f"{address(1)} one.example\n", encoding="utf-8")
    with pytest.raises(CallerError, match="is something else than a list"):
        sign_listing(listing, tmp_path / "key", listing, 30)
    sign_listing(listing, tmp_path / "key", output, 30)
    with pytest.raises(CallerError, match=r"is a list of .* and this key is"):
        sign_listing(listing, tmp_path / "other key", output, 30)
