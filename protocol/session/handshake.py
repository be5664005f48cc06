"""From an invitation to two ratchets: X25519 thrice, one ML-KEM-768 encapsulation, the link's psk (Spec 4 §1–§2).

Body = EK 32 ‖ ct 1,088 ‖ AEAD_k1(identity 64 ‖ DH key 32 ‖ KEM key 1,184) ‖ AEAD_mk(payload 1,408). The first ratchet
step is the generic one: the header is (DH key, KEM key, ct, PN 0, N 0). EK is fresh in each handshake, so its first 24
bytes are the nonce of both seals.
"""

from typing import NamedTuple

from protocol.crypto import labels
from protocol.crypto.suite import Suite, sha256
from protocol.entropy import Entropy
from protocol.errors import Code, PeerError
from protocol.keys import DhPrivate, DhPublic, Identity, KemCiphertext, KemSeed
from protocol.limits import BODY_BYTES, FIRST_PAYLOAD_BYTES, SALT_BYTES
from protocol.session import ratchet
from protocol.session.identity import IdentityKeys, identity_dh
from protocol.session.invitation import Invitation, invitation_hash
from protocol.session.ratchet import Ratchet

_CT_END = 32 + 1_088
_SEALED_IDENTITY_END = _CT_END + 64 + 32 + 1_184 + 16
_SESSION_BYTES = 160
_PREFIX = b"\xff" * 32


class Session(NamedTuple):
    """What both ends hold after a handshake. `reset` and `discovery` are 32-byte secrets for later use."""

    ratchet: Ratchet
    peer: Identity
    reset: bytes
    discovery: bytes


class Prekeys(NamedTuple):
    """The private half of an open invitation."""

    dh: DhPrivate
    kem: KemSeed


def join(
    suite: Suite, entropy: Entropy, keys: IdentityKeys, invitation: Invitation, encoded: bytes, psk: bytes,
    payload: bytes,
) -> tuple[Session, bytes]:  # fmt: skip
    """The joiner's side: the session and the 3,840-byte body, sealed once and re-sent byte for byte.

    `encoded` is the invitation's own bytes, `payload` exactly 1,408 bytes. Raises PeerError BAD_KEY.
    """
    assert len(payload) == FIRST_PAYLOAD_BYTES
    ephemeral = DhPrivate(entropy.secret(32))
    ek = suite.dh_public(ephemeral)
    shared, ciphertext = suite.kem_encapsulate(invitation.prekey_kem)
    dh1 = suite.dh(keys.dh, invitation.prekey_dh)
    dh2 = suite.dh(ephemeral, identity_dh(invitation.identity))
    dh3 = suite.dh(ephemeral, invitation.prekey_dh)
    ih = invitation_hash(encoded)
    bound = sha256(ih, ek, ciphertext)
    transcript = sha256(labels.TRANSCRIPT, ih, keys.identity, ek, ciphertext)
    secrets = _session_secrets(suite, psk, dh1 + dh2 + dh3 + shared, transcript)
    state = ratchet.as_joiner(
        suite, entropy, transcript, (secrets[:32], secrets[32:64], secrets[64:96]),
        invitation.prekey_dh, invitation.prekey_kem, (shared, ciphertext),
    )  # fmt: skip
    state, message_key = ratchet.first_key(suite, state)
    own = state.own_part[: 32 + 1_184]
    nonce = ek[:SALT_BYTES]
    identity_key = _identity_key(suite, psk, dh3 + shared, bound)
    head = ek + ciphertext + suite.seal(identity_key, nonce, keys.identity + own, bound)
    body = head + suite.seal(message_key, nonce, payload, transcript + head)
    assert len(body) == BODY_BYTES
    return Session(state, invitation.identity, secrets[96:128], secrets[128:]), body


def receive(
    suite: Suite, keys: IdentityKeys, prekeys: Prekeys, encoded: bytes, psk: bytes, body: bytes
) -> tuple[Session, bytes]:
    """The inviter's side: the session and the 1,408-byte payload. Changes nothing by itself.

    Raises PeerError: UNREADABLE (made for another invitation or psk, or forged), BAD_KEY, SIZE.
    """
    if len(body) != BODY_BYTES:
        raise PeerError(Code.SIZE)
    ek, ciphertext = DhPublic(body[:32]), KemCiphertext(body[32:_CT_END])
    head = body[:_SEALED_IDENTITY_END]
    shared = suite.kem_decapsulate(prekeys.kem, ciphertext)
    dh3 = suite.dh(prekeys.dh, ek)
    ih = invitation_hash(encoded)
    bound = sha256(ih, ek, ciphertext)
    nonce = ek[:SALT_BYTES]
    opened = suite.open(_identity_key(suite, psk, dh3 + shared, bound), nonce, head[_CT_END:], bound)
    if opened is None:
        raise PeerError(Code.UNREADABLE, "not a handshake for this invitation")
    peer, own = Identity(opened[:64]), opened[64:]
    if peer == keys.identity:
        raise PeerError(Code.WRONG_RECIPIENT, "a handshake with oneself")
    dh1 = suite.dh(prekeys.dh, identity_dh(peer))
    dh2 = suite.dh(keys.dh, ek)
    transcript = sha256(labels.TRANSCRIPT, ih, peer, ek, ciphertext)
    secrets = _session_secrets(suite, psk, dh1 + dh2 + dh3 + shared, transcript)
    state = ratchet.as_inviter(transcript, (secrets[:32], secrets[32:64], secrets[64:96]), prekeys.dh, prekeys.kem)
    first = ratchet.receive_first(
        suite, state, own + ciphertext,
        lambda key: suite.open(key, nonce, body[_SEALED_IDENTITY_END:], transcript + head),
    )  # fmt: skip
    return Session(first.ratchet, peer, secrets[96:128], secrets[128:]), first.payload


def _identity_key(suite: Suite, psk: bytes, secret: bytes, bound: bytes) -> bytes:
    """k1: hides the joiner's identity from the relay, under X25519 and ML-KEM."""
    return suite.kdf(psk, secret, labels.HANDSHAKE_IDENTITY + bound, 32)


def _session_secrets(suite: Suite, psk: bytes, secret: bytes, transcript: bytes) -> bytes:
    """root 32 ‖ header key joiner 32 ‖ next header key inviter 32 ‖ reset 32 ‖ discovery 32."""
    return suite.kdf(psk, _PREFIX + secret, labels.HANDSHAKE + transcript, _SESSION_BYTES)
