"""Signed lists of relays (Spec 11)."""

import base64
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


def part(encoded: bytes, number: int) -> tuple[int, bytes]:
    """How many parts, and one of them."""
    parts = [encoded[at : at + 3_900] for at in range(0, len(encoded), 3_900)]
    return len(parts), parts[number] if number < len(parts) else b""


def text(encoded: bytes) -> str:
    """A list as text."""
    return "kassiber-relays:" + base64.urlsafe_b64encode(encoded).decode().rstrip("=")


def link(scheme: str, authority: str, relay: bytes, publisher: bytes) -> str:
    """A list link."""
    return f"{scheme}://{authority}/l#" + base64.urlsafe_b64encode(relay + publisher).decode().rstrip("=")
