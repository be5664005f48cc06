"""The primitives behind one small port (Spec 3 §2): the real ones here, toys of the same sizes in simulations."""

import hashlib
import hmac
import struct
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Protocol, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import mlkem
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl import bindings as sodium
from nacl.exceptions import CryptoError

from protocol.crypto import hpke
from protocol.errors import Code, PeerError
from protocol.keys import DhPrivate, DhPublic, KemCiphertext, KemPublic, KemSeed, RelayKey, Signature, SigningKey

_SHA256 = SHA256()
_KemPair: TypeAlias = tuple[mlkem.MLKEM768PrivateKey, KemPublic]
KEM_KEYS = 256
"""A node's: those of the contacts with whom words go to and fro."""
_frame_nonce = struct.Struct("<4xQ").pack


class Suite(Protocol):
    """All that the protocol asks of cryptography. Lengths in bytes as in `protocol.keys`."""

    def dh_public(self, private: DhPrivate) -> DhPublic: ...
    def dh(self, private: DhPrivate, public: DhPublic) -> bytes: ...
    def kem_public(self, seed: KemSeed) -> KemPublic: ...
    def kem_check(self, public: KemPublic) -> None: ...
    def kem_encapsulate(self, public: KemPublic) -> tuple[bytes, KemCiphertext]: ...
    def kem_decapsulate(self, seed: KemSeed, ciphertext: KemCiphertext) -> bytes: ...
    def kdf(self, salt: bytes | None, secret: bytes, info: bytes, length: int) -> bytes: ...
    def chain(self, key: bytes) -> tuple[bytes, bytes]: ...
    def seal(self, key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes: ...
    def open(self, key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes | None: ...
    def signing_key(self, seed: bytes) -> SigningKey: ...
    def sign(self, key: SigningKey, message: bytes) -> Signature: ...
    def verify(self, public: bytes, message: bytes, signature: bytes) -> bool: ...
    def seal_frame(self, key: bytes, counter: int, plaintext: bytes, associated: bytes | None) -> bytes: ...
    def open_frame(self, key: bytes, counter: int, sealed: bytes, associated: bytes | None) -> bytes | None: ...
    def hpke_seal(
        self, ephemeral: DhPrivate, public: DhPublic, info: bytes, plaintext: bytes
    ) -> tuple[bytes, bytes]: ...
    def hpke_open(
        self, private: DhPrivate, info: bytes, sealed: bytes, public: DhPublic | None = None
    ) -> tuple[bytes, bytes] | None: ...
    def relay_dh_public(self, key: RelayKey) -> DhPublic: ...
    def relay_dh_private(self, key: SigningKey) -> DhPrivate: ...


class RealSuite:
    """X25519, Ed25519, XChaCha20-Poly1305 (libsodium); ML-KEM-768, HKDF-SHA256 (OpenSSL); HMAC-SHA256 (hmac); for
    frames ChaCha20-Poly1305 (OpenSSL).

    PyNaCl's bindings of X25519 and Ed25519 look at no length and would read past the end of a short key, so lengths are
    checked here: a peer's refused, our own asserted.
    """

    def __init__(self, kem_keys: int = KEM_KEYS) -> None:
        """`kem_keys`: ML-KEM keys of either kind that are kept ready for use."""
        self._kem_pair, self._kem_public_key = _kem_keys(kem_keys)

    def dh_public(self, private: DhPrivate) -> DhPublic:
        """The public half of a 32-byte X25519 key."""
        assert len(private) == 32
        return DhPublic(sodium.crypto_scalarmult_base(private))

    def dh(self, private: DhPrivate, public: DhPublic) -> bytes:
        """32-byte X25519 secret. Raises PeerError BAD_KEY for a small-order point (all-zero result, RFC 7748 §6.1)."""
        if len(public) != 32:
            raise PeerError(Code.BAD_KEY, "an X25519 key has 32 bytes")
        assert len(private) == 32
        try:
            return sodium.crypto_scalarmult(private, public)
        except CryptoError:
            raise PeerError(Code.BAD_KEY, "an X25519 key of small order") from None

    def kem_public(self, seed: KemSeed) -> KemPublic:
        """The 1,184-byte encapsulation key of a seed (FIPS 203 §7.1)."""
        return self._kem_pair(seed)[1]

    def kem_check(self, public: KemPublic) -> None:
        """Raises PeerError BAD_KEY for a key that cannot be encapsulated to (FIPS 203 §7.2).

        A key is checked when it comes: found out only when it is used, it would fail our own sending.
        """
        self._kem_public_key(public)

    def kem_encapsulate(self, public: KemPublic) -> tuple[bytes, KemCiphertext]:
        """Shared secret 32 and ciphertext 1,088, with OpenSSL's own randomness. Raises PeerError BAD_KEY."""
        secret, ciphertext = self._kem_public_key(public).encapsulate()
        return secret, KemCiphertext(ciphertext)

    def kem_decapsulate(self, seed: KemSeed, ciphertext: KemCiphertext) -> bytes:
        """32-byte shared secret; garbage gives garbage, only the AEAD authenticates (FIPS 203 §6.3).

        Raises PeerError BAD_KEY for a ciphertext of another length.
        """
        if len(ciphertext) != 1_088:
            raise PeerError(Code.BAD_KEY, "an ML-KEM-768 ciphertext has 1,088 bytes")
        return self._kem_pair(seed)[0].decapsulate(ciphertext)

    def kdf(self, salt: bytes | None, secret: bytes, info: bytes, length: int) -> bytes:
        """HKDF-SHA256 (RFC 5869)."""
        return HKDF(algorithm=_SHA256, length=length, salt=salt, info=info).derive(secret)

    def chain(self, key: bytes) -> tuple[bytes, bytes]:
        """Message key and next chain key, 32 bytes each (Double Ratchet §7.2)."""
        return hmac.digest(key, b"\x01", "sha256"), hmac.digest(key, b"\x02", "sha256")

    def seal(self, key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """XChaCha20-Poly1305, 24-byte nonce; the tag's 16 bytes follow the ciphertext."""
        return sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, associated, nonce, key)

    def open(self, key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes | None:
        """The plaintext, or None where key, nonce, associated data or ciphertext is another or shorter than a tag."""
        if len(sealed) < 16:
            return None
        try:
            return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, associated, nonce, key)
        except CryptoError:
            return None

    def signing_key(self, seed: bytes) -> SigningKey:
        """Seed ‖ public key of a 32-byte Ed25519 seed."""
        return SigningKey(sodium.crypto_sign_seed_keypair(seed)[1])

    def sign(self, key: SigningKey, message: bytes) -> Signature:
        """64-byte Ed25519 signature (RFC 8032), deterministic."""
        assert len(key) == 64
        return Signature(sodium.crypto_sign(message, key)[:64])

    def verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """libsodium's strict Ed25519: refuses small-order keys and non-canonical encodings."""
        if len(public) != 32 or len(signature) != 64:  # a shorter one would take its rest from the message
            return False
        try:
            sodium.crypto_sign_open(signature + message, public)
        except CryptoError:
            return False
        return True

    def seal_frame(self, key: bytes, counter: int, plaintext: bytes, associated: bytes | None) -> bytes:
        """ChaCha20-Poly1305, 32-byte key, nonce 4 zero bytes ‖ counter u64 LE (Noise §12.3); tag of 16 bytes behind.

        OpenSSL's context is made for each message: 1 µs more, and an idle connection keeps 32 bytes instead of 2.4 KiB.
        """
        return ChaCha20Poly1305(key).encrypt(_frame_nonce(counter), plaintext, associated)

    def open_frame(self, key: bytes, counter: int, sealed: bytes, associated: bytes | None) -> bytes | None:
        """The plaintext, or None where key, counter, associated data or ciphertext is another."""
        try:
            return ChaCha20Poly1305(key).decrypt(_frame_nonce(counter), sealed, associated)
        except InvalidTag:
            return None

    def hpke_seal(self, ephemeral: DhPrivate, public: DhPublic, info: bytes, plaintext: bytes) -> tuple[bytes, bytes]:
        """(Encapsulated key 32 ‖ ciphertext ‖ tag 16, 32 bytes exported). Raises PeerError BAD_KEY."""
        return hpke.seal(self.dh, ephemeral, self.dh_public(ephemeral), public, info, plaintext)

    def hpke_open(
        self, private: DhPrivate, info: bytes, sealed: bytes, public: DhPublic | None = None
    ) -> tuple[bytes, bytes] | None:
        """(Plaintext, 32 bytes exported), or None where key, info or a bit is another. Raises PeerError BAD_KEY.

        `public`: the public half, where it is known: to compute it takes as long as a signature.
        """
        return hpke.open_sealed(self.dh, private, public or self.dh_public(private), info, sealed)

    def relay_dh_public(self, key: RelayKey) -> DhPublic:
        """The X25519 form of a relay's Ed25519 key, its Noise static key. Raises PeerError BAD_KEY (no point)."""
        try:
            return DhPublic(sodium.crypto_sign_ed25519_pk_to_curve25519(key))
        except CryptoError:
            raise PeerError(Code.BAD_KEY, "a relay key that is no Ed25519 key") from None

    def relay_dh_private(self, key: SigningKey) -> DhPrivate:
        """The private half of `relay_dh_public`."""
        return DhPrivate(sodium.crypto_sign_ed25519_sk_to_curve25519(key))


@cache
def _kem_keys(most: int) -> tuple[Callable[[KemSeed], _KemPair], Callable[[KemPublic], mlkem.MLKEM768PublicKey]]:
    """What the suites of one size share: worlds make one after the other."""
    return lru_cache(most)(_kem_pair), lru_cache(most)(_kem_public_key)


def _kem_pair(seed: KemSeed) -> _KemPair:
    """Expanding a seed costs 120 µs; a pure function of it, so caching is safe at every rollback."""
    private = mlkem.MLKEM768PrivateKey.from_seed_bytes(seed)
    return private, KemPublic(private.public_key().public_bytes_raw())


def _kem_public_key(public: KemPublic) -> mlkem.MLKEM768PublicKey:
    """Decoding a key costs 26 µs, once for checking it and for using it."""
    try:
        return mlkem.MLKEM768PublicKey.from_public_bytes(public)
    except ValueError:
        raise PeerError(Code.BAD_KEY, "an ML-KEM-768 key that does not decode") from None


def sha256(*parts: bytes) -> bytes:
    """32 bytes over the concatenation."""
    return hashlib.sha256(b"".join(parts)).digest()


def blake2b_256(*parts: bytes) -> bytes:
    """32 bytes over the concatenation."""
    return hashlib.blake2b(b"".join(parts), digest_size=32).digest()


def keyed_blake2b(key: bytes, length: int, message: bytes) -> bytes:
    """`length` bytes of BLAKE2b under a 32-byte key (RFC 7693 §2.9)."""
    assert len(key) == 32
    return hashlib.blake2b(message, key=key, digest_size=length).digest()
