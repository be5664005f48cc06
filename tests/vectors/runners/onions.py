"""Onions, their replies, and descriptors."""

from typing import Any

from protocol.crypto.suite import RealSuite
from protocol.forwarding.descriptor import check_descriptor
from protocol.forwarding.onion import open_onion, open_reply, seal_onion, seal_reply
from protocol.keys import DhPrivate, DhPublic, Minute, RelayKey, Signature
from protocol.wire.commands import Descriptor
from protocol.wire.onions import Cover, OnionClaim, OnionClaimed, OnionDeposit, OnionStored, Unwanted
from tests.vectors.runners.given import Given, PlayedEntropy, Result
from tests.vectors.scenario import from_hex

SUITE = RealSuite()
_CONTENTS: dict[int, Any] = {1: OnionDeposit, 2: OnionClaim, 3: Cover}
_ANSWERS: dict[int, Any] = {1: OnionStored, 2: OnionClaimed, 3: Unwanted}


def _value(shape: Any, fields: dict[str, Any]) -> Any:
    plain = {name: from_hex(value) if isinstance(value, str) else value for name, value in fields.items()}
    return shape(**plain)


def onion(given: Given) -> Result:
    """Seals, and opens the same."""
    relay, private = RelayKey(given.raw("relay")), DhPrivate(given.raw("private"))
    content = _value(_CONTENTS[given.number("content")], given.values["fields"])
    sealed, key = seal_onion(
        SUITE, PlayedEntropy(given.raw("ephemeral")), relay, given.number("epoch"), SUITE.dh_public(private), content
    )
    assert open_onion(SUITE, relay, private, sealed) == (content, key)
    return {"onion": sealed, "reply_key": key}


def onion_open(given: Given) -> Result:
    """Opens."""
    open_onion(SUITE, RelayKey(given.raw("relay")), DhPrivate(given.raw("private")), given.raw("onion"))
    return {}


def onion_reply(given: Given) -> Result:
    """Seals, and reads the same."""
    answer = _value(_ANSWERS[given.number("answer")], given.values["fields"])
    sealed = seal_reply(SUITE, given.raw("reply_key"), answer)
    assert open_reply(SUITE, given.raw("reply_key"), sealed) == answer
    return {"sealed": sealed}


def onion_reply_read(given: Given) -> Result:
    """Reads."""
    open_reply(SUITE, given.raw("reply_key"), given.raw("sealed"))
    return {}


def descriptor(given: Given) -> Result:
    """Believes, or not."""
    found = Descriptor(
        given.number("epoch"),
        DhPublic(given.raw("key")),
        Minute(given.number("until")),
        Signature(given.raw("signature")),
    )
    check_descriptor(SUITE, RelayKey(given.raw("relay")), found, Minute(given.number("now")))
    return {}


RUNNERS = {
    "onion": onion,
    "onion_open": onion_open,
    "onion_reply": onion_reply,
    "onion_reply_read": onion_reply_read,
    "descriptor": descriptor,
}
