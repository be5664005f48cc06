"""Signed lists of relays."""

from protocol.crypto.suite import RealSuite
from protocol.keys import Minute, PublisherKey, RelayKey
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


RUNNERS = {"relay_list": relay_list, "relay_list_read": relay_list_read}
