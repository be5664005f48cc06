"""A signed, numbered list of relays that expires (Spec 11): by its publisher, for whoever chose it."""

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from protocol.crypto.labels import SIGN_RELAY_LIST
from protocol.crypto.suite import Suite, sha256
from protocol.errors import CallerError, Code, PeerError
from protocol.keys import (
    Minute,
    MinuteField,
    PublisherKey,
    PublisherKeyField,
    RelayKeyField,
    SignatureField,
    SigningKey,
)
from protocol.limits import (
    MAX_HOST_BYTES,
    MAX_LISTED_RELAYS,
    MAX_OPERATOR_BYTES,
    MAX_RELAY_LIST_BYTES,
    MAX_RELAY_LIST_DAYS,
    MAX_RELAYS_PER_OPERATOR,
)
from protocol.wire.addresses import Host
from protocol.wire.codec import Decoder, encode

_OPERATOR = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", re.ASCII)
_DAY_MINUTES = 1_440


class ListedRelay(Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """[host, relay key 32, operator]: one relay, and who runs it as the publisher says."""

    host: Annotated[str, Meta(max_length=MAX_HOST_BYTES)]
    key: RelayKeyField
    operator: Annotated[str, Meta(min_length=1, max_length=MAX_OPERATOR_BYTES)]


class RelayList(Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """[publisher key 32, serial, issued, expires, relays]: what is signed. `expires` is the first minute without it."""

    publisher: PublisherKeyField
    serial: Annotated[int, Meta(ge=1, lt=2**32)]
    issued: MinuteField
    expires: MinuteField
    relays: Annotated[list[ListedRelay], Meta(min_length=1, max_length=MAX_LISTED_RELAYS)]


class _Signed(Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    magic: Literal["kassiber relays"]
    version: Literal[1]
    content: bytes
    signature: SignatureField


class HeldList(Struct, frozen=True):
    """What a reader keeps of the newest list of one publisher: its serial, and the SHA-256 of its content."""

    serial: int
    digest: bytes


_signed: Decoder[_Signed] = Decoder(_Signed)
_contents: Decoder[RelayList] = Decoder(RelayList)


def sign_list(suite: Suite, key: SigningKey, value: RelayList) -> bytes:
    """The list's bytes. Raises CallerError that says what nobody would read."""
    if key[32:] != value.publisher:
        raise CallerError("The list names another publisher than the key that should sign it.")
    content = encode(value)
    try:
        _check(_contents.decode(content))
    except PeerError as error:
        raise CallerError(f"Nobody would read this list of relays: {error.detail}.") from None
    signature = suite.sign(key, _message(content))
    encoded = encode(_Signed("kassiber relays", 1, content, signature))
    assert len(encoded) <= MAX_RELAY_LIST_BYTES
    return encoded


def read_list(
    suite: Suite, data: bytes, publisher: PublisherKey, held: HeldList | None, now: Minute
) -> tuple[RelayList, HeldList]:
    """A list of this publisher that may be used now, and what to keep of it.

    Raises PeerError, looked for in this order: TOO_LARGE; MALFORMED, NON_CANONICAL; FORGED (another publisher's, or
    changed by somebody); ONE_OPERATOR; EXPIRED; ROLLED_BACK (older than what is held, or another one under its serial).
    """
    signed, value = _parse(data)
    if value.publisher != publisher:
        raise PeerError(Code.FORGED, "it is somebody else's")
    if not suite.verify(publisher, _message(signed.content), signed.signature):
        raise PeerError(Code.FORGED, "it was changed, or signed by somebody else")
    _check(value)
    if value.expires <= now:
        raise PeerError(Code.EXPIRED, f"it ended {_ago(now - value.expires)} by this machine's clock")
    found = HeldList(value.serial, sha256(signed.content))
    if held is not None and (found.serial < held.serial or (found.serial == held.serial and found != held)):
        raise PeerError(Code.ROLLED_BACK, _rolled_back(found, held))
    return value, found


def parse_list(data: bytes) -> RelayList:
    """What it says, whoever signed it: of one that was read before, or whose publisher it names. Raises PeerError
    TOO_LARGE, MALFORMED, NON_CANONICAL."""
    return _parse(data)[1]


def _parse(data: bytes) -> tuple[_Signed, RelayList]:
    if len(data) > MAX_RELAY_LIST_BYTES:
        raise PeerError(Code.TOO_LARGE, f"it has {len(data):,} bytes, and {MAX_RELAY_LIST_BYTES:,} are the most")
    signed = _signed.decode(data)
    return signed, _contents.decode(signed.content)


def _ago(minutes: int) -> str:
    for unit, size in (("day", _DAY_MINUTES), ("hour", 60)):
        if minutes >= size:
            return f"{minutes // size} {unit}{'s' * (minutes >= 2 * size)} ago"
    return f"{minutes} minutes ago" if minutes > 1 else "just now"


def _rolled_back(found: HeldList, held: HeldList) -> str:
    if found.serial == held.serial:
        return f"there are two different lists with number {held.serial}"
    return f"it has number {found.serial}, and number {held.serial} is known"


def _message(content: bytes) -> bytes:
    """Label ‖ SHA-256(content)."""
    return SIGN_RELAY_LIST + sha256(content)


def _check(value: RelayList) -> None:
    """What the shape does not say. Raises PeerError: MALFORMED, ONE_OPERATOR."""
    if not value.issued < value.expires <= value.issued + MAX_RELAY_LIST_DAYS * _DAY_MINUTES:
        raise PeerError(Code.MALFORMED, f"a list holds for at least a minute and at most {MAX_RELAY_LIST_DAYS} days")
    keys = [relay.key for relay in value.relays]
    if keys != sorted(set(keys)):
        raise PeerError(Code.MALFORMED, "relays stand in the order of their keys, each once")
    _check_names(value.relays)
    counts: dict[str, int] = {}
    for relay in value.relays:
        counts[relay.operator] = counts.get(relay.operator, 0) + 1
    crowded = [operator for operator, count in counts.items() if count > MAX_RELAYS_PER_OPERATOR]
    if crowded:
        raise PeerError(
            Code.ONE_OPERATOR, f"{crowded[0]} has {counts[crowded[0]]} relays, more than {MAX_RELAYS_PER_OPERATOR}"
        )


def _check_names(relays: Sequence[ListedRelay]) -> None:
    for relay in relays:
        if not _OPERATOR.fullmatch(relay.operator):
            raise PeerError(Code.MALFORMED, f"{relay.operator!r} is no operator's name: a-z, 0-9, dots and hyphens")
        try:
            Host.parse(relay.host)
        except CallerError as error:
            raise PeerError(Code.MALFORMED, str(error)) from None
