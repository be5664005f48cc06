"""What is signed towards a relay and by it (Spec 8 §2, §4): one place, so that both sides mean the same bytes.

Each message starts with a label that names its one use; all that follows has a fixed length.
"""

from collections.abc import Iterable

from protocol.crypto.labels import RECEIVE_ID, SIGN_CLAIM, SIGN_CREATE, SIGN_CUSTODY, SIGN_PROVE
from protocol.crypto.suite import blake2b_256, sha256
from protocol.keys import (
    ClaimKey,
    Digest,
    HandshakeHash,
    Minute,
    ReceiveId,
    RecipientKey,
    RelayKey,
    SenderKey,
    SendId,
)
from protocol.wire.codec import encode
from protocol.wire.commands import Link, Role


def receive_id(recipient_key: RecipientKey) -> ReceiveId:
    """16 bytes: the first of SHA-256(label ‖ recipient key), so nobody else can take the name (Spec 8 §1)."""
    return ReceiveId(sha256(RECEIVE_ID, recipient_key)[:16])


def create_message(
    handshake_hash: HandshakeHash, recipient_key: RecipientKey, send_id: SendId, claim_key: ClaimKey, link: Link | None
) -> bytes:
    """Signed by the recipient key: label ‖ h 32 ‖ SHA-256(msgpack [recipient_key, send_id, claim_key, link | nil])."""
    return SIGN_CREATE + handshake_hash + sha256(encode((recipient_key, send_id, claim_key, link)))


def claim_message(relay_key: RelayKey, named: bytes, sender_key: SenderKey) -> bytes:
    """Signed by the claim key: label ‖ relay key 32 ‖ id 16 ‖ sender key 32.

    Not bound to a session: it may travel by another relay, and repeating it gains nothing.
    """
    return SIGN_CLAIM + relay_key + named + sender_key


def prove_message(handshake_hash: HandshakeHash, role: Role, named: bytes) -> bytes:
    """Signed by the recipient or sender key: label ‖ h 32 ‖ role 1 ‖ id 16. Worth nothing in any other session."""
    return SIGN_PROVE + handshake_hash + bytes((role,)) + named


def custody_message(minute: Minute, retention_days: int, digests: Iterable[Digest]) -> bytes:
    """Signed by the relay key: label ‖ minute u32 ‖ days u16 ‖ BLAKE2b-256(D1 ‖ … ‖ Dn), integers big-endian."""
    return SIGN_CUSTODY + minute.to_bytes(4, "big") + retention_days.to_bytes(2, "big") + blake2b_256(*digests)
