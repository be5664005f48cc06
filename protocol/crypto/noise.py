"""Noise NK and NNpsk0 with the hybrid forward secrecy extension: the sessions under links (Spec 7 §2, Spec 9 §5).

    NKhfs, to a relay           NNhfs+psk0, on the local network

    <- s
    ...
    -> e, es, e1                -> psk, e, e1
    <- e, ee, ekem1             <- e, ee, ekem1

Noise revision 34, its §9 for the psk, and HFS. `e1` is an ephemeral ML-KEM-768 key and `ekem1` the ciphertext for it;
both go through EncryptAndHash, and the shared secret through MixKey. Without the extension (`hybrid=False`) they are
plain NK and NNpsk0, which public vectors cover. Ephemeral keys are handed in; each object makes or reads each message
once.
"""

import hmac
from typing import Final

from protocol.crypto.suite import Suite, sha256
from protocol.errors import Code, PeerError
from protocol.keys import DhPrivate, DhPublic, HandshakeHash, KemCiphertext, KemPublic, KemSeed

HYBRID_NAME: Final = b"Noise_NKhfs_25519+MLKEM768_ChaChaPoly_SHA256"
PLAIN_NAME: Final = b"Noise_NK_25519_ChaChaPoly_SHA256"
PSK_HYBRID_NAME: Final = b"Noise_NNhfs+psk0_25519+MLKEM768_ChaChaPoly_SHA256"
PSK_PLAIN_NAME: Final = b"Noise_NNpsk0_25519_ChaChaPoly_SHA256"
_NAMES: Final = {
    (False, False): PLAIN_NAME,
    (False, True): HYBRID_NAME,
    (True, False): PSK_PLAIN_NAME,
    (True, True): PSK_HYBRID_NAME,
}
PROLOGUE: Final = b"kassiber.1"

_DH_BYTES = 32
_TAG_BYTES = 16
_KEM_PUBLIC_BYTES = 1_184
_KEM_CIPHERTEXT_BYTES = 1_088

FIRST_OVERHEAD: Final = _DH_BYTES + _KEM_PUBLIC_BYTES + _TAG_BYTES + _TAG_BYTES
"""Bytes of either hybrid message 1 beside its payload: 1,248."""
SECOND_OVERHEAD: Final = _DH_BYTES + _KEM_CIPHERTEXT_BYTES + _TAG_BYTES + _TAG_BYTES
"""Bytes of either hybrid message 2 beside its payload: 1,152."""


class CipherState:
    """One direction: a 32-byte key and a counter (Noise §5.1)."""

    __slots__ = ("_counter", "_key", "_suite")

    def __init__(self, suite: Suite, key: bytes) -> None:
        self._suite = suite
        self._key = key
        self._counter = 0

    def encrypt(self, plaintext: bytes, associated: bytes | None = None) -> bytes:
        """16 bytes longer than `plaintext`. 2⁶⁴ messages are out of reach of any session."""
        sealed = self._suite.seal_frame(self._key, self._counter, plaintext, associated)
        self._counter += 1
        return sealed

    def decrypt(self, sealed: bytes, associated: bytes | None = None) -> bytes:
        """Raises PeerError NOISE for anything but the peer's next message; the counter then stands still."""
        plaintext = self._suite.open_frame(self._key, self._counter, sealed, associated)
        if plaintext is None:
            raise PeerError(Code.NOISE, "a message that does not authenticate")
        self._counter += 1
        return plaintext


class _Symmetric:
    """Noise SymmetricState (§5.2): chaining key, handshake hash, and the cipher once there is a key."""

    def __init__(
        self, suite: Suite, hybrid: bool, prologue: bytes, responder_static: DhPublic | None, psk: bytes | None
    ) -> None:
        assert (responder_static is None) != (psk is None), "NK has a static key, NNpsk0 a secret"
        name = _NAMES[psk is not None, hybrid]
        self._suite = suite
        self._psk = psk
        self.hash = name.ljust(32, b"\0") if len(name) <= 32 else sha256(name)
        self._chaining_key = self.hash
        self._cipher: CipherState | None = None
        self.mix_hash(prologue)
        if responder_static is not None:
            self.mix_hash(responder_static)

    def begin(self) -> None:
        """The token `psk`, where the pattern has it: MixKeyAndHash (§5.2)."""
        if self._psk is not None:
            assert len(self._psk) == 32
            self._chaining_key, mixed, key = _hkdf3(self._chaining_key, self._psk)
            self.mix_hash(mixed)
            self._cipher = CipherState(self._suite, key)

    def mix_ephemeral(self, public: bytes) -> None:
        """The token `e`: with a psk it is mixed into the key too (§9.2)."""
        self.mix_hash(public)
        if self._psk is not None:
            self.mix_key(public)

    def mix_hash(self, value: bytes) -> None:
        self.hash = sha256(self.hash, value)

    def mix_key(self, secret: bytes) -> None:
        self._chaining_key, key = _hkdf(self._chaining_key, secret)
        self._cipher = CipherState(self._suite, key)

    def encrypt_and_hash(self, plaintext: bytes) -> bytes:
        assert self._cipher is not None, "every pattern here has a key before its first ciphertext"
        sealed = self._cipher.encrypt(plaintext, self.hash)
        self.mix_hash(sealed)
        return sealed

    def decrypt_and_hash(self, sealed: bytes) -> bytes:
        assert self._cipher is not None
        plaintext = self._cipher.decrypt(sealed, self.hash)
        self.mix_hash(sealed)
        return plaintext

    def split(self) -> tuple[CipherState, CipherState]:
        """Initiator's sending cipher, responder's sending cipher (§5.2)."""
        first, second = _hkdf(self._chaining_key, b"")
        return CipherState(self._suite, first), CipherState(self._suite, second)


def _hkdf(chaining_key: bytes, secret: bytes) -> tuple[bytes, bytes]:
    """Noise HKDF with two outputs (§4.3)."""
    temporary = hmac.digest(chaining_key, secret, "sha256")
    first = hmac.digest(temporary, b"\x01", "sha256")
    return first, hmac.digest(temporary, first + b"\x02", "sha256")


def _hkdf3(chaining_key: bytes, secret: bytes) -> tuple[bytes, bytes, bytes]:
    """Noise HKDF with three outputs (§4.3)."""
    temporary = hmac.digest(chaining_key, secret, "sha256")
    first = hmac.digest(temporary, b"\x01", "sha256")
    second = hmac.digest(temporary, first + b"\x02", "sha256")
    return first, second, hmac.digest(temporary, second + b"\x03", "sha256")


def _dh(suite: Suite, private: DhPrivate, public: bytes) -> bytes:
    try:
        return suite.dh(private, DhPublic(public))
    except PeerError as error:
        raise PeerError(Code.NOISE, error.detail) from None


class Session:
    """What a finished handshake leaves."""

    __slots__ = ("handshake_hash", "receiving", "sending")

    def __init__(self, sending: CipherState, receiving: CipherState, handshake_hash: bytes) -> None:
        self.sending = sending
        self.receiving = receiving
        self.handshake_hash = HandshakeHash(handshake_hash)


class Initiator:
    """The side that stays anonymous: it knows the other's static key, or else a 32-byte secret that both share."""

    def __init__(
        self,
        suite: Suite,
        remote_static: DhPublic | None,
        ephemeral: DhPrivate,
        kem_seed: KemSeed,
        *,
        psk: bytes | None = None,
        prologue: bytes = PROLOGUE,
        hybrid: bool = True,
    ) -> None:
        self._suite = suite
        self._remote_static = remote_static
        self._ephemeral = ephemeral
        self._kem_seed = kem_seed
        self._hybrid = hybrid
        self._symmetric = _Symmetric(suite, hybrid, prologue, remote_static, psk)

    def write(self, payload: bytes) -> bytes:
        """Message 1: `FIRST_OVERHEAD` bytes longer than `payload` (hybrid)."""
        symmetric = self._symmetric
        public = self._suite.dh_public(self._ephemeral)
        symmetric.begin()
        symmetric.mix_ephemeral(public)
        if self._remote_static is not None:
            symmetric.mix_key(_dh(self._suite, self._ephemeral, self._remote_static))
        e1 = symmetric.encrypt_and_hash(self._suite.kem_public(self._kem_seed)) if self._hybrid else b""
        return b"".join((public, e1, symmetric.encrypt_and_hash(payload)))

    def read(self, message: bytes) -> tuple[bytes, Session]:
        """Payload of message 2, and the session. Raises PeerError NOISE; the object is then spent."""
        symmetric = self._symmetric
        if len(message) < _DH_BYTES + _TAG_BYTES + (_KEM_CIPHERTEXT_BYTES + _TAG_BYTES) * self._hybrid:
            raise PeerError(Code.NOISE, "a handshake message that is too short")
        remote, rest = message[:_DH_BYTES], message[_DH_BYTES:]
        symmetric.mix_ephemeral(remote)
        symmetric.mix_key(_dh(self._suite, self._ephemeral, remote))
        if self._hybrid:
            end = _KEM_CIPHERTEXT_BYTES + _TAG_BYTES
            ciphertext = KemCiphertext(symmetric.decrypt_and_hash(rest[:end]))
            symmetric.mix_key(self._suite.kem_decapsulate(self._kem_seed, ciphertext))
            rest = rest[end:]
        payload = symmetric.decrypt_and_hash(rest)
        sending, receiving = symmetric.split()
        return payload, Session(sending, receiving, symmetric.hash)


class Responder:
    """The side whose static key the other pins, or that shares a 32-byte secret with it."""

    def __init__(
        self,
        suite: Suite,
        static: DhPrivate | None,
        ephemeral: DhPrivate,
        *,
        psk: bytes | None = None,
        prologue: bytes = PROLOGUE,
        hybrid: bool = True,
    ) -> None:
        self._suite = suite
        self._static = static
        self._ephemeral = ephemeral
        self._hybrid = hybrid
        self._remote = b""
        self._remote_kem = KemPublic(b"")
        public = None if static is None else suite.dh_public(static)
        self._symmetric = _Symmetric(suite, hybrid, prologue, public, psk)

    def read(self, message: bytes) -> bytes:
        """Payload of message 1: unauthenticated and replayable. Raises PeerError NOISE; the object is then spent."""
        symmetric = self._symmetric
        if len(message) < _DH_BYTES + _TAG_BYTES + (_KEM_PUBLIC_BYTES + _TAG_BYTES) * self._hybrid:
            raise PeerError(Code.NOISE, "a handshake message that is too short")
        self._remote, rest = message[:_DH_BYTES], message[_DH_BYTES:]
        symmetric.begin()
        symmetric.mix_ephemeral(self._remote)
        if self._static is not None:
            symmetric.mix_key(_dh(self._suite, self._static, self._remote))
        if self._hybrid:
            end = _KEM_PUBLIC_BYTES + _TAG_BYTES
            self._remote_kem = KemPublic(symmetric.decrypt_and_hash(rest[:end]))
            rest = rest[end:]
        return symmetric.decrypt_and_hash(rest)

    def write(self, payload: bytes) -> tuple[bytes, Session]:
        """Message 2, `SECOND_OVERHEAD` bytes longer than `payload` (hybrid); the session. Raises PeerError NOISE."""
        symmetric = self._symmetric
        public = self._suite.dh_public(self._ephemeral)
        symmetric.mix_ephemeral(public)
        symmetric.mix_key(_dh(self._suite, self._ephemeral, self._remote))
        ekem1 = b""
        if self._hybrid:
            try:
                secret, ciphertext = self._suite.kem_encapsulate(self._remote_kem)
            except PeerError as error:
                raise PeerError(Code.NOISE, error.detail) from None
            ekem1 = symmetric.encrypt_and_hash(ciphertext)
            symmetric.mix_key(secret)
        message = b"".join((public, ekem1, symmetric.encrypt_and_hash(payload)))
        receiving, sending = symmetric.split()
        return message, Session(sending, receiving, symmetric.hash)
