"""Directory cards: under which name an owner is found at a relay, and how to become its contact (Spec 13).

A card is signed by the owner's identity, for one relay. Who reads it takes one of the invitations that it lists.
"""

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct

from protocol.crypto.labels import SIGN_CARD
from protocol.crypto.suite import Suite, sha256
from protocol.errors import CallerError, Code, PeerError
from protocol.keys import IdentityField, Minute, MinuteField, RelayKey, RelayKeyField, SignatureField, SigningKey
from protocol.limits import MAX_CARD_BYTES, MAX_CARD_DAYS, MAX_CARD_INVITATIONS, MAX_CARD_NAME_BYTES, MAX_LINK_BYTES
from protocol.session.invitation import parse_link
from protocol.wire.codec import Decoder, encode

_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?", re.ASCII)
_DAY_MINUTES = 1_440


class Card(Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """[name, relay key 32, identity 64, serial, expires, links]: what is signed.

    `expires` is the first minute without it. `links`: of invitations; none: the card is withdrawn.
    """

    name: Annotated[str, Meta(min_length=1, max_length=MAX_CARD_NAME_BYTES)]
    relay: RelayKeyField
    identity: IdentityField
    serial: Annotated[int, Meta(ge=1, lt=2**32)]
    expires: MinuteField
    links: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=MAX_LINK_BYTES)]], Meta(max_length=MAX_CARD_INVITATIONS)
    ]


class _Signed(Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    magic: Literal["kassiber card"]
    version: Literal[1]
    content: bytes
    signature: SignatureField


_signed: Decoder[_Signed] = Decoder(_Signed)
_contents: Decoder[Card] = Decoder(Card)


def check_card_name(name: str) -> None:
    """Raises CallerError for what no card can be called."""
    if len(name) > MAX_CARD_NAME_BYTES or not _NAME.fullmatch(name):
        raise CallerError(
            f"{name!r} cannot be a card's name: 1 to {MAX_CARD_NAME_BYTES} of a-z, 0-9, dots, hyphens and underscores, "
            "with a letter or digit first and last."
        )


def sign_card(suite: Suite, key: SigningKey, card: Card) -> bytes:
    """The card's bytes. Raises CallerError: its name is none."""
    assert key[32:] == card.identity[:32]
    check_card_name(card.name)
    content = encode(card)
    encoded = encode(_Signed("kassiber card", 1, content, suite.sign(key, SIGN_CARD + sha256(content))))
    assert len(encoded) <= MAX_CARD_BYTES
    return encoded


def read_card(suite: Suite, data: bytes, relay: RelayKey, now: Minute) -> Card:
    """A card of this relay that holds now, signed by the identity that it names.

    Raises PeerError, looked for in this order: TOO_LARGE; MALFORMED, NON_CANONICAL; FORGED (changed, signed by somebody
    else, or another relay's); EXPIRED.
    """
    if len(data) > MAX_CARD_BYTES:
        raise PeerError(Code.TOO_LARGE, f"a card of {len(data):,} bytes")
    signed = _signed.decode(data)
    card = _contents.decode(signed.content)
    try:
        check_card_name(card.name)
        for link in card.links:
            parse_link(link)
    except CallerError as error:
        raise PeerError(Code.MALFORMED, str(error)) from None
    if card.expires > now + MAX_CARD_DAYS * _DAY_MINUTES:
        raise PeerError(Code.MALFORMED, f"a card holds for {MAX_CARD_DAYS} days at most")
    if not suite.verify(card.identity[:32], SIGN_CARD + sha256(signed.content), signed.signature):
        raise PeerError(Code.FORGED, "it was changed, or signed by somebody else")
    if card.relay != relay:
        raise PeerError(Code.FORGED, "it is another relay's")
    if card.expires <= now:
        raise PeerError(Code.EXPIRED, "it is over")
    return card
