"""A profile's two identity keys, its fingerprint, and the number that two people compare (Spec 3 §3)."""

import hashlib

from msgspec import Struct

from protocol.crypto import labels
from protocol.crypto.suite import Suite, sha256
from protocol.entropy import Entropy
from protocol.keys import DhPrivate, DhPublic, Fingerprint, Identity, SigningKey

_GROUPS = 12


class IdentityKeys(Struct, frozen=True):
    """One Ed25519 key, which signs public statements only, and one X25519 key, for handshakes only."""

    signing: SigningKey
    dh: DhPrivate
    identity: Identity


def make_identity(suite: Suite, entropy: Entropy) -> IdentityKeys:
    """Fresh, independent keys."""
    signing = suite.signing_key(entropy.secret(32))
    dh = DhPrivate(entropy.secret(32))
    return IdentityKeys(signing, dh, Identity(signing[32:] + suite.dh_public(dh)))


def identity_dh(identity: Identity) -> DhPublic:
    """The X25519 half, 32 bytes."""
    return DhPublic(identity[32:])


def fingerprint(identity: Identity) -> Fingerprint:
    """32 bytes that name an identity."""
    return Fingerprint(sha256(labels.FINGERPRINT, identity))


def safety_number(one: Identity, other: Identity) -> str:
    """Twelve groups of five digits, the same at both ends whoever computes it."""
    lower, higher = sorted((fingerprint(one), fingerprint(other)))
    digest = hashlib.sha512(labels.SAFETY_NUMBER + lower + higher).digest()
    groups = (int.from_bytes(digest[5 * i : 5 * i + 5], "big") % 100_000 for i in range(_GROUPS))
    return " ".join(f"{group:05d}" for group in groups)
