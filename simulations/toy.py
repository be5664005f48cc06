"""Primitives that cost nothing and protect nothing, with the sizes and the refusals of the real ones.

What is sealed is the plaintext and a tag that names key, nonce, associated data and plaintext; so a wrong key, a
replayed counter or a flipped bit is refused as by real crypto. A suite that checks nothing would hide every bug of the
ratchet.
"""

from hashlib import blake2s
from itertools import count
from zlib import crc32

from protocol.errors import Code, PeerError
from protocol.keys import DhPrivate, DhPublic, KemCiphertext, KemPublic, KemSeed, RelayKey, Signature, SigningKey

_KEM_FILL = bytes(1_184 - 32)
_CIPHERTEXT_FILL = bytes(1_088 - 32)
_NAMED_KEY_BYTES = 12


def _hash(label: bytes, *parts: bytes) -> bytes:
    return blake2s(b"".join(parts), person=label).digest()


class ToySuite:
    """`protocol.crypto.suite.Suite`. One a world: encapsulation counts, where the real one draws its own randomness."""

    def __init__(self) -> None:
        self._encapsulations = count(1)

    def dh_public(self, private: DhPrivate) -> DhPublic:
        return DhPublic(_hash(b"public", private))

    def dh(self, private: DhPrivate, public: DhPublic) -> bytes:
        """32 bytes, the same for both ends. Raises PeerError BAD_KEY: not 32 bytes."""
        if len(public) != 32:
            raise PeerError(Code.BAD_KEY, "an X25519 key has 32 bytes")
        return _hash(b"dh", *sorted((self.dh_public(private), public)))

    def kem_public(self, seed: KemSeed) -> KemPublic:
        return KemPublic(_hash(b"kem", seed) + _KEM_FILL)

    def kem_check(self, public: KemPublic) -> None:
        """Raises PeerError BAD_KEY: nobody made this key."""
        if len(public) != 1_184 or public[32:] != _KEM_FILL:
            raise PeerError(Code.BAD_KEY, "an ML-KEM-768 key that does not decode")

    def kem_encapsulate(self, public: KemPublic) -> tuple[bytes, KemCiphertext]:
        self.kem_check(public)
        drawn = _hash(b"drawn", next(self._encapsulations).to_bytes(8, "big"), public[:32])
        return _hash(b"secret", drawn, public[:32]), KemCiphertext(drawn + _CIPHERTEXT_FILL)

    def kem_decapsulate(self, seed: KemSeed, ciphertext: KemCiphertext) -> bytes:
        """Garbage gives garbage. Raises PeerError BAD_KEY: not 1,088 bytes."""
        if len(ciphertext) != 1_088:
            raise PeerError(Code.BAD_KEY, "an ML-KEM-768 ciphertext has 1,088 bytes")
        return _hash(b"secret", ciphertext[:32], _hash(b"kem", seed))

    def kdf(self, salt: bytes | None, secret: bytes, info: bytes, length: int) -> bytes:
        root = _hash(b"kdf", salt or b"", b"/", secret, b"/", info)
        if length <= 32:
            return root[:length]
        return b"".join(_hash(b"block", root, bytes((block,))) for block in range((length + 31) // 32))[:length]

    def chain(self, key: bytes) -> tuple[bytes, bytes]:
        return _hash(b"message", key), _hash(b"chain", key)

    def seal(self, key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        return plaintext + _tag(key, nonce, plaintext, associated)

    def open(self, key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes | None:
        if len(sealed) < 16 or sealed[-16:-4] != key[:_NAMED_KEY_BYTES]:
            return None
        plaintext = sealed[:-16]
        return plaintext if sealed[-16:] == _tag(key, nonce, plaintext, associated) else None

    def signing_key(self, seed: bytes) -> SigningKey:
        return SigningKey(seed + _hash(b"public", seed))

    def sign(self, key: SigningKey, message: bytes) -> Signature:
        return Signature(_signature(key[32:], message))

    def verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
        return len(public) == 32 and signature == _signature(public, message)

    def seal_frame(self, key: bytes, counter: int, plaintext: bytes, associated: bytes | None) -> bytes:
        return plaintext + _tag(key, counter.to_bytes(8, "big"), plaintext, associated or b"")

    def open_frame(self, key: bytes, counter: int, sealed: bytes, associated: bytes | None) -> bytes | None:
        return self.open(key, counter.to_bytes(8, "big"), sealed, associated or b"")

    def hpke_seal(self, ephemeral: DhPrivate, public: DhPublic, info: bytes, plaintext: bytes) -> tuple[bytes, bytes]:
        key = _hash(b"hpke", self.dh(ephemeral, public), b"/", info)
        return self.dh_public(ephemeral) + plaintext + _tag(key, b"", plaintext, info), _hash(b"export", key)

    def hpke_open(
        self, private: DhPrivate, info: bytes, sealed: bytes, public: DhPublic | None = None
    ) -> tuple[bytes, bytes] | None:
        if len(sealed) < 48:
            return None
        key = _hash(b"hpke", self.dh(private, DhPublic(sealed[:32])), b"/", info)
        plaintext = self.open(key, b"", sealed[32:], info)
        return None if plaintext is None else (plaintext, _hash(b"export", key))

    def relay_dh_public(self, key: RelayKey) -> DhPublic:
        return DhPublic(key)

    def relay_dh_private(self, key: SigningKey) -> DhPrivate:
        return DhPrivate(key[:32])


def _tag(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
    return key[:_NAMED_KEY_BYTES] + crc32(plaintext, crc32(nonce + associated)).to_bytes(4, "big")


def _signature(public: bytes, message: bytes) -> bytes:
    half = _hash(b"sign", public, message)
    return half + half
