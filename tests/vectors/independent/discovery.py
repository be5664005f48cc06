"""Tags, TXT records, hints, and the short code of two strangers (Spec 9)."""

from collections.abc import Sequence

from tests.vectors.independent import blake2
from tests.vectors.independent.primitives import hkdf, sha256

TXT_KEYS = ("v", "n", "a", "b")


def tag(secret: bytes, nonce: bytes, epoch: int, address: bytes, port: int) -> bytes:
    """6 bytes."""
    said = b"kassiber 1 discovery tag" + nonce + epoch.to_bytes(4, "big") + address + port.to_bytes(2, "big")
    return blake2.keyed(secret, 6, said)


def txt(nonce: bytes, tags: Sequence[bytes]) -> bytes:
    """413 bytes."""
    strings = (b"v=1", b"n=" + nonce, b"a=" + b"".join(tags[:32]), b"b=" + b"".join(tags[32:]))
    return b"".join(bytes((len(string),)) + string for string in strings)


def hint(secret: bytes, nonce: bytes, ephemeral: bytes) -> bytes:
    """8 bytes."""
    return blake2.keyed(secret, 8, b"kassiber 1 lan hint" + nonce + ephemeral)


def psk(secret: bytes) -> bytes:
    """32 bytes."""
    return hkdf(b"", secret, b"kassiber 1 lan", 32)


def visible_txt(nonce: bytes, name: bytes) -> bytes:
    """The TXT record of somebody visible."""
    return b"".join(bytes((len(string),)) + string for string in (b"v=1", b"n=" + nonce, b"name=" + name))


def visible_psk(record: bytes) -> bytes:
    """32 bytes, of a TXT record."""
    return hkdf(b"", record, b"kassiber 1 visible", 32)


def commitment(nonce: bytes) -> bytes:
    """32 bytes."""
    return sha256(b"kassiber 1 visible commitment", nonce)


def code(h: bytes, committed: bytes, called: bytes, caller: bytes) -> str:
    """Six digits, of a session's hash, the commitment and both nonces."""
    said = sha256(b"kassiber 1 visible code", h, committed, called, caller)
    return str(int.from_bytes(said[:8], "big") % 10**6).zfill(6)
