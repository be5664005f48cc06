"""Signed lists of relays."""

from protocol.crypto.suite import RealSuite
from protocol.keys import Minute, PublisherKey, RelayKey
from protocol.relays.links import format_list_link, from_file, parse_source, to_text
from protocol.relays.parts import cut_part
from protocol.relays.relay_list import HeldList, ListedRelay, RelayList, read_list, sign_list
from tests.vectors.runners.given import Given, Result
from tests.vectors.scenario import from_hex

SUITE = RealSuite()


def relay_list(given: Given) -> Result:
    """Signs, and reads the same."""
    key = SUITE.signing_key(given.raw("seed"))
    publisher = PublisherKey(key[32:])
    relays = [ListedRelay(host, RelayKey(from_hex(key)), operator) for host, key, operator in given.values["relays"]]
    issued, expires = Minute(given.number("issued")), Minute(given.number("expires"))
    value = RelayList(publisher, given.number("serial"), issued, expires, relays)
    encoded = sign_list(SUITE, key, value)
    assert read_list(SUITE, encoded, publisher, None, issued)[0] == value
    return {"encoded": encoded}


def relay_list_read(given: Given) -> Result:
    """Reads, beside the list that is held."""
    serial = given.number("held_serial")
    held = HeldList(serial, given.raw("held_digest")) if serial else None
    publisher, now = PublisherKey(given.raw("publisher")), Minute(given.number("now"))
    _, found = read_list(SUITE, given.raw("encoded"), publisher, held, now)
    return {"serial": found.serial, "digest": found.digest}


def relay_list_part(given: Given) -> Result:
    """What a relay answers."""
    parts, chunk = cut_part(given.raw("encoded"), given.number("part"))
    return {"parts": parts, "chunk": chunk}


def relay_list_text(given: Given) -> Result:
    """Reads, and writes one line of the same."""
    written = given.text("text")
    encoded = from_file(written.encode())
    assert to_text(encoded) == "".join(written.split())
    return {"encoded": encoded}


def relay_list_link(given: Given) -> Result:
    """Reads, and writes the same."""
    written = given.text("link")
    source = parse_source(written)
    assert source.publisher is not None
    assert format_list_link(source.host, source.relay, source.publisher) == "".join(written.split())
    return {"host": str(source.host), "relay": source.relay, "publisher": source.publisher}


RUNNERS = {
    "relay_list": relay_list,
    "relay_list_read": relay_list_read,
    "relay_list_part": relay_list_part,
    "relay_list_text": relay_list_text,
    "relay_list_link": relay_list_link,
}
