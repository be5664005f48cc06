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


def commitment(nonce: bytes, invitation: bytes) -> bytes:
    """32 bytes."""
    return sha256(b"kassiber 1 visible commitment", nonce, sha256(invitation))


def code(committed: bytes, called: tuple[bytes, bytes], caller: tuple[bytes, bytes]) -> str:
    """Six digits; each side is its nonce and invitation."""
    parts = (committed, called[0], sha256(called[1]), caller[0], sha256(caller[1]))
    return str(int.from_bytes(sha256(b"kassiber 1 visible code", *parts)[:8], "big") % 10**6).zfill(6)
