"""Directory cards (Spec 13)."""

from collections.abc import Sequence

from tests.vectors.independent.primitives import sha256, sign
from tests.vectors.independent.wire import pack


def content(name: str, relay: bytes, identity: bytes, serial: int, expires: int, links: Sequence[str]) -> bytes:
    """What is signed."""
    return pack([name, relay, identity, serial, expires, list(links)])


def signed(seed: bytes, inner: bytes) -> bytes:
    """The card's bytes, of any content."""
    return pack(["kassiber card", 1, inner, sign(seed, b"kassiber 1 sign card" + sha256(inner))])
