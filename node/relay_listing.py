"""Makes a signed list of relays out of a publisher's text file (Spec 11 §1)."""

import time
from pathlib import Path

from msgspec import Struct

from node.files import write_private
from node.relay import load_key
from protocol.crypto.suite import RealSuite
from protocol.errors import CallerError, PeerError
from protocol.keys import Minute, PublisherKey, RelayKey
from protocol.relays.links import MAX_LIST_FILE_BYTES, format_publisher, from_file
from protocol.relays.relay_list import ListedRelay, RelayList, parse_list, sign_list
from protocol.wire.addresses import parse_address

_DAY_MINUTES = 1_440
_suite = RealSuite()


class SignedList(Struct, frozen=True):
    encoded: bytes
    publisher: str
    serial: int
    relays: int
    operators: int


def sign_listing(listing: Path, key_file: Path, output: Path, days: int) -> SignedList:
    """Sign what `listing` names, and replace `output` by it.

    The number is the minute of signing, or one more than that of the list that stands in `output`, if that is later.
    Raises CallerError: a line, a name, a duration or a key that is wrong; OSError.
    """
    relays = _relays(listing)
    key = load_key(key_file)
    publisher = PublisherKey(key[32:])
    issued = Minute(int(time.time() // 60))
    serial = max(issued, _serial_before(output, publisher) + 1)
    ordered = sorted(relays, key=lambda relay: relay.key)
    value = RelayList(publisher, serial, issued, Minute(issued + days * _DAY_MINUTES), ordered)
    encoded = sign_list(_suite, key, value)
    write_private(output, encoded)
    return SignedList(
        encoded, format_publisher(publisher), serial, len(relays), len({relay.operator for relay in relays})
    )


def _relays(listing: Path) -> list[ListedRelay]:
    relays: dict[RelayKey, ListedRelay] = {}
    for number, line in _lines(listing):
        relay = _relay(listing, number, line)
        if relay.key in relays:
            raise CallerError(f"{listing}, line {number}: this relay is named before, as {relays[relay.key].host}.")
        relays[relay.key] = relay
    if not relays:
        raise CallerError(f"{listing} names no relay: an address and its operator's name are wanted on each line.")
    return list(relays.values())


def _lines(listing: Path) -> list[tuple[int, str]]:
    """Numbered from 1, without empty ones and comments."""
    try:
        text = listing.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise CallerError(f"{listing} is no text. Did you mean it for --output?") from None
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    return [(number, line) for number, line in lines if line and not line.startswith("#")]


def _relay(listing: Path, number: int, line: str) -> ListedRelay:
    words = line.split()
    if len(words) != 2:
        raise CallerError(
            f"{listing}, line {number}: a relay's address and its operator's name are wanted, in one word each."
        )
    try:
        host, key = parse_address(words[0])
    except CallerError as error:
        raise CallerError(f"{listing}, line {number}: {error}") from None
    return ListedRelay(str(host), key, words[1])


def _serial_before(output: Path, publisher: PublisherKey) -> int:
    """Of the list that stands there. Raises CallerError: something else stands there."""
    if not output.exists():
        return 0
    with output.open("rb") as file:
        data = file.read(MAX_LIST_FILE_BYTES)
    try:
        value = parse_list(from_file(data))
    except (PeerError, CallerError):
        raise CallerError(f"{output} is something else than a list of relays; name another file.") from None
    if value.publisher != publisher:
        raise CallerError(
            f"{output} is a list of {format_publisher(value.publisher)}, and this key is "
            f"{format_publisher(publisher)}. Name that key, or another file."
        )
    return value.serial
