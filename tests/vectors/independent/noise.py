"""Noise revision 34 with the HFS extension: `NKhfs` (Spec 7 §2), `NNhfs+psk0` (Spec 9 §5), both sides at once."""

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from tests.vectors.independent import mlkem
from tests.vectors.independent.primitives import hmac_sha256, sha256, x25519, x25519_public

NAME = b"Noise_NKhfs_25519+MLKEM768_ChaChaPoly_SHA256"
PSK_NAME = b"Noise_NNhfs+psk0_25519+MLKEM768_ChaChaPoly_SHA256"


class Symmetric:
    """Noise §5.2."""

    def __init__(self, prologue: bytes, name: bytes = NAME) -> None:
        self.h = sha256(name)
        self.chaining_key = self.h
        self.key = b""
        self.n = 0
        self.mix_hash(prologue)

    def mix_hash(self, value: bytes) -> None:
        """h = HASH(h ‖ value)."""
        self.h = sha256(self.h, value)

    def mix_key(self, secret: bytes) -> None:
        """ck, k = HKDF(ck, secret)."""
        self.chaining_key, self.key = _two(self.chaining_key, secret)
        self.n = 0

    def mix_key_and_hash(self, secret: bytes) -> None:
        """ck, temp_h, k = HKDF(ck, secret, 3)."""
        extracted = hmac_sha256(self.chaining_key, secret)
        self.chaining_key = hmac_sha256(extracted, b"\1")
        mixed = hmac_sha256(extracted, self.chaining_key + b"\2")
        self.mix_hash(mixed)
        self.key, self.n = hmac_sha256(extracted, mixed + b"\3"), 0

    def encrypt_and_hash(self, plaintext: bytes) -> bytes:
        """Under k, with h as associated data."""
        ciphertext = encrypt(self.key, self.n, plaintext, self.h)
        self.n += 1
        self.mix_hash(ciphertext)
        return ciphertext

    def split(self) -> tuple[bytes, bytes]:
        """Keys of initiator and responder."""
        return _two(self.chaining_key, b"")


def handshake(
    prologue: bytes, static: bytes, initiator: bytes, initiator_kem: bytes, responder: bytes, coins: bytes,
    payloads: tuple[bytes, bytes],
) -> tuple[bytes, bytes, bytes, bytes, bytes]:  # fmt: skip
    """Message 1, message 2, handshake hash, initiator's and responder's transport key. Arguments are private keys."""
    state = Symmetric(prologue)
    state.mix_hash(x25519_public(static))
    e, kem_public = x25519_public(initiator), mlkem.public_key(initiator_kem)
    state.mix_hash(e)
    state.mix_key(x25519(initiator, x25519_public(static)))
    first = e + state.encrypt_and_hash(kem_public)
    first += state.encrypt_and_hash(payloads[0])

    e = x25519_public(responder)
    state.mix_hash(e)
    state.mix_key(x25519(responder, x25519_public(initiator)))
    shared, ciphertext = mlkem.encapsulate(kem_public, coins)
    second = e + state.encrypt_and_hash(ciphertext)
    state.mix_key(shared)
    second += state.encrypt_and_hash(payloads[1])
    return first, second, state.h, *state.split()


def pair_handshake(
    prologue: bytes, psk: bytes, initiator: bytes, initiator_kem: bytes, responder: bytes, coins: bytes,
    payloads: tuple[bytes, bytes],
) -> tuple[bytes, bytes, bytes, bytes, bytes]:  # fmt: skip
    """As `handshake`, resting on a secret of both: -> psk, e, e1; <- e, ee, ekem1. Every `e` is mixed into the key."""
    state = Symmetric(prologue, PSK_NAME)
    state.mix_key_and_hash(psk)
    e, kem_public = x25519_public(initiator), mlkem.public_key(initiator_kem)
    state.mix_hash(e)
    state.mix_key(e)
    first = e + state.encrypt_and_hash(kem_public)
    first += state.encrypt_and_hash(payloads[0])

    e = x25519_public(responder)
    state.mix_hash(e)
    state.mix_key(e)
    state.mix_key(x25519(responder, x25519_public(initiator)))
    shared, ciphertext = mlkem.encapsulate(kem_public, coins)
    second = e + state.encrypt_and_hash(ciphertext)
    state.mix_key(shared)
    second += state.encrypt_and_hash(payloads[1])
    return first, second, state.h, *state.split()


def encrypt(key: bytes, number: int, plaintext: bytes, associated: bytes = b"") -> bytes:
    """ChaChaPoly with Noise's nonce."""
    return ChaCha20Poly1305(key).encrypt(bytes(4) + number.to_bytes(8, "little"), plaintext, associated)


def _two(chaining_key: bytes, secret: bytes) -> tuple[bytes, bytes]:
    extracted = hmac_sha256(chaining_key, secret)
    first = hmac_sha256(extracted, b"\1")
    return first, hmac_sha256(extracted, first + b"\2")
