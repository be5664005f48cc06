"""Directory cards."""

from protocol.crypto.suite import RealSuite
from protocol.keys import Identity, Minute, RelayKey
from protocol.relays.card import Card, read_card, sign_card
from tests.vectors.runners.given import Given, Result

SUITE = RealSuite()


def card(given: Given) -> Result:
    """Signs, and reads the same."""
    relay, identity = RelayKey(given.raw("relay")), Identity(given.raw("identity"))
    expires, links = Minute(given.number("expires")), list(given.values["links"])
    value = Card(given.text("name"), relay, identity, given.number("serial"), expires, links)
    encoded = sign_card(SUITE, SUITE.signing_key(given.raw("seed")), value)
    assert read_card(SUITE, encoded, relay, Minute(given.number("now"))) == value
    return {"encoded": encoded}


def card_read(given: Given) -> Result:
    """Reads."""
    found = read_card(SUITE, given.raw("encoded"), RelayKey(given.raw("relay")), Minute(given.number("now")))
    return {"name": found.name}


RUNNERS = {"card": card, "card_read": card_read}
