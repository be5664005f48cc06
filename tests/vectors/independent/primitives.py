"""Curves, AEAD and key derivation, from other libraries than `protocol` uses wherever there is another."""

import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

_P = 2**255 - 19


def sha256(*parts: bytes) -> bytes:
    """32 bytes."""
    return hashlib.sha256(b"".join(parts)).digest()


def blake2b(*parts: bytes) -> bytes:
    """32 bytes."""
    return hashlib.blake2b(b"".join(parts), digest_size=32).digest()


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """32 bytes."""
    return hmac.new(key, message, hashlib.sha256).digest()


def hkdf(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 with SHA-256, written out."""
    extracted = hmac_sha256(salt or bytes(32), secret)
    output, block = b"", b""
    while len(output) < length:
        block = hmac_sha256(extracted, block + info + bytes((len(output) // 32 + 1,)))
        output += block
    return output[:length]


def x25519(private: bytes, public: bytes) -> bytes:
    """32 bytes; an all-zero result is a ValueError."""
    return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))


def x25519_public(private: bytes) -> bytes:
    """32 bytes."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def ed25519_public(seed: bytes) -> bytes:
    """32 bytes."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(seed: bytes, message: bytes) -> bytes:
    """64 bytes."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def montgomery_private(seed: bytes) -> bytes:
    """The X25519 form of an Ed25519 seed (RFC 8032 §5.1.5, RFC 7748 §5)."""
    scalar = bytearray(hashlib.sha512(seed).digest()[:32])
    scalar[0] &= 248
    scalar[31] = scalar[31] & 127 | 64
    return bytes(scalar)


def montgomery_public(public: bytes) -> bytes:
    """The X25519 form of an Ed25519 public key: u = (1 + y) / (1 - y) (RFC 7748 §4.1)."""
    y = int.from_bytes(public, "little") & (1 << 255) - 1
    return ((1 + y) * pow(1 - y, -1, _P) % _P).to_bytes(32, "little")


def seal(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """XChaCha20-Poly1305: HChaCha20 for the subkey, then ChaCha20-Poly1305 (draft-irtf-cfrg-xchacha §2.3)."""
    return ChaCha20Poly1305(_hchacha20(key, nonce[:16])).encrypt(bytes(4) + nonce[16:], plaintext, associated)


def unseal(key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
    """Raises cryptography's InvalidTag."""
    return ChaCha20Poly1305(_hchacha20(key, nonce[:16])).decrypt(bytes(4) + nonce[16:], sealed, associated)


def _hchacha20(key: bytes, nonce: bytes) -> bytes:
    state = list(struct.unpack("<16I", b"expand 32-byte k" + key + nonce))
    for _ in range(10):
        for a, b, c, d in (
            (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
            (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
        ):  # fmt: skip
            _quarter_round(state, a, b, c, d)
    return struct.pack("<8I", *state[:4], *state[12:])


def _quarter_round(state: list[int], a: int, b: int, c: int, d: int) -> None:
    for x, y, z, shift in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        state[x] = state[x] + state[y] & 0xFFFFFFFF
        mixed = state[z] ^ state[x]
        state[z] = (mixed << shift | mixed >> 32 - shift) & 0xFFFFFFFF
