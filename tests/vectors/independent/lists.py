"""Signed lists of relays (Spec 11)."""

from collections.abc import Sequence

from tests.vectors.independent.primitives import ed25519_public, sha256, sign
from tests.vectors.independent.wire import pack


def content(publisher: bytes, serial: int, issued: int, expires: int, relays: Sequence[Sequence[object]]) -> bytes:
    """What is signed."""
    return pack([publisher, serial, issued, expires, [list(relay) for relay in relays]])


def signed(seed: bytes, inner: bytes) -> bytes:
    """The list's bytes, of any content."""
    return pack(["kassiber relays", 1, inner, sign(seed, b"kassiber 1 sign relay list" + sha256(inner))])


def relay_list(seed: bytes, serial: int, issued: int, expires: int, relays: Sequence[Sequence[object]]) -> bytes:
    """Content and signature by one key."""
    return signed(seed, content(ed25519_public(seed), serial, issued, expires, relays))
