"""Onions, replies, descriptors (Spec 12), with HPKE written out from RFC 9180."""

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from tests.vectors.independent.primitives import hmac_sha256, sign, x25519, x25519_public
from tests.vectors.independent.wire import pack

_KEM = b"KEM\x00\x20"
_HPKE = b"HPKE\x00\x20\x00\x01\x00\x03"


def _labeled_extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return hmac_sha256(salt or bytes(32), b"HPKE-v1" + suite + label + ikm)


def _labeled_expand(suite: bytes, key: bytes, label: bytes, info: bytes, length: int) -> bytes:
    block = hmac_sha256(key, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info + b"\x01")
    return block[:length]


def hpke_seal(ephemeral: bytes, public: bytes, info: bytes, plaintext: bytes) -> tuple[bytes, bytes]:
    """Encapsulated key and ciphertext; and the export under `reply`."""
    encapsulated = x25519_public(ephemeral)
    prk = _labeled_extract(_KEM, b"", b"eae_prk", x25519(ephemeral, public))
    shared = _labeled_expand(_KEM, prk, b"shared_secret", encapsulated + public, 32)
    psk_id_hash = _labeled_extract(_HPKE, b"", b"psk_id_hash", b"")
    info_hash = _labeled_extract(_HPKE, b"", b"info_hash", info)
    context = b"\x00" + psk_id_hash + info_hash
    secret = _labeled_extract(_HPKE, shared, b"secret", b"")
    key = _labeled_expand(_HPKE, secret, b"key", context, 32)
    nonce = _labeled_expand(_HPKE, secret, b"base_nonce", context, 12)
    exporter = _labeled_expand(_HPKE, secret, b"exp", context, 32)
    sealed = encapsulated + ChaCha20Poly1305(key).encrypt(nonce, plaintext, b"")
    return sealed, _labeled_expand(_HPKE, exporter, b"sec", b"reply", 32)


def padded(content: bytes, length: int) -> bytes:
    """u16 length ‖ content ‖ zeros."""
    return (len(content).to_bytes(2, "big") + content).ljust(length, b"\0")


def onion(relay: bytes, epoch: int, public: bytes, ephemeral: bytes, plaintext: bytes) -> tuple[bytes, bytes]:
    """3,994 bytes of any plaintext of 3,945; and the reply's key."""
    sealed, reply_key = hpke_seal(ephemeral, public, b"kassiber 1 onion" + relay, plaintext)
    return bytes((epoch,)) + sealed, reply_key


def content(kind: int, *fields: object) -> bytes:
    """Of an onion or of a reply."""
    return pack([kind, *fields])


def reply(key: bytes, inner: bytes, length: int) -> bytes:
    """Sealed, `length` bytes."""
    return ChaCha20Poly1305(key).encrypt(bytes(12), padded(inner, length - 16), b"")


def descriptor_signature(seed: bytes, epoch: int, key: bytes, until: int) -> bytes:
    """By the relay's key."""
    return sign(seed, b"kassiber 1 sign descriptor" + bytes((epoch,)) + key + until.to_bytes(4, "big"))
