"""HPKE (RFC 9180), base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305; one message a context.

By hand, since the ephemeral key is handed in and a secret is exported (§5.3): `cryptography` draws the one itself and
does not give the other. It is the other side of the tests.
"""

import hmac
from collections.abc import Callable
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from protocol.keys import DhPrivate, DhPublic

ENCAPSULATED_BYTES = 32
TAG_BYTES = 16
EXPORT_BYTES = 32

_VERSION = b"HPKE-v1"
_KEM = _VERSION + b"KEM" + (0x0020).to_bytes(2, "big")
_SUITE = _VERSION + b"HPKE" + b"".join(number.to_bytes(2, "big") for number in (0x0020, 0x0001, 0x0003))
_NO_SALT = bytes(32)
_EXPORT_CONTEXT = b"reply"


class Opened(NamedTuple):
    """What was sealed, and 32 bytes that only both ends know: the export under the context `reply`."""

    plaintext: bytes
    export: bytes


def _extract(salt: bytes, suite: bytes, label: bytes, secret: bytes) -> bytes:
    return hmac.digest(salt or _NO_SALT, suite + label + secret, "sha256")


def _expand(key: bytes, suite: bytes, label: bytes, info: bytes, length: int) -> bytes:
    assert length <= 32, "one block of HKDF-Expand"
    return hmac.digest(key, length.to_bytes(2, "big") + suite + label + info + b"\x01", "sha256")[:length]


_PSK_ID_HASH = _extract(b"", _SUITE, b"psk_id_hash", b"")


def seal(
    dh: Callable[[DhPrivate, DhPublic], bytes], ephemeral: DhPrivate, encapsulated: DhPublic, public: DhPublic,
    info: bytes, plaintext: bytes,
) -> tuple[bytes, bytes]:  # fmt: skip
    """(`encapsulated` 32 ‖ ciphertext ‖ tag 16, export 32). `ephemeral`, whose public half is `encapsulated`, must be
    fresh. Raises PeerError BAD_KEY as `dh` does."""
    key, nonce, export = _schedule(dh(ephemeral, public), encapsulated, public, info)
    return encapsulated + ChaCha20Poly1305(key).encrypt(nonce, plaintext, b""), export


def open_sealed(
    dh: Callable[[DhPrivate, DhPublic], bytes], private: DhPrivate, public: DhPublic, info: bytes, sealed: bytes
) -> Opened | None:
    """None where key, info or a bit is another. Raises PeerError BAD_KEY as `dh` does."""
    if len(sealed) < ENCAPSULATED_BYTES + TAG_BYTES:
        return None
    encapsulated = DhPublic(sealed[:ENCAPSULATED_BYTES])
    key, nonce, export = _schedule(dh(private, encapsulated), encapsulated, public, info)
    try:
        return Opened(ChaCha20Poly1305(key).decrypt(nonce, sealed[ENCAPSULATED_BYTES:], b""), export)
    except InvalidTag:
        return None


def _schedule(shared: bytes, encapsulated: bytes, public: bytes, info: bytes) -> tuple[bytes, bytes, bytes]:
    """Key 32, nonce 12, export 32 (§4.1, §5.1, §5.3)."""
    secret = _expand(_extract(b"", _KEM, b"eae_prk", shared), _KEM, b"shared_secret", encapsulated + public, 32)
    context = b"\x00" + _PSK_ID_HASH + _extract(b"", _SUITE, b"info_hash", info)
    root = _extract(secret, _SUITE, b"secret", b"")
    exporter = _expand(root, _SUITE, b"exp", context, 32)
    return (
        _expand(root, _SUITE, b"key", context, 32),
        _expand(root, _SUITE, b"base_nonce", context, 12),
        _expand(exporter, _SUITE, b"sec", _EXPORT_CONTEXT, EXPORT_BYTES),
    )
