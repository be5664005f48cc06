"""A type for each kind of id and key: swapped keys still type as bytes (Spec 3 §1)."""

from typing import Annotated, NewType

from msgspec import Meta

Connection = NewType("Connection", int)
"""A live link, numbered by the node that holds it; never on the wire."""
Group = NewType("Group", int)
"""What may share a session with a host (Spec 7 §8): 0 everything, above 0 the contact of this number, below 0 an
invitation, one that is being accepted, or a queue whose contact is forgotten. Never on the wire."""
Request = NewType("Request", int)
"""Pairs a command with its one reply, within one connection; u32."""
Subscription = NewType("Subscription", int)
"""Names a subscribed queue within one connection; u32."""
QueueNumber = NewType("QueueNumber", int)
"""A queue's row at its relay; never on the wire."""
Sequence = NewType("Sequence", int)
"""An entry's place in its queue; u64, from 1."""
Minute = NewType("Minute", int)
"""Unix time in whole minutes; u32."""

ReceiveId = NewType("ReceiveId", bytes)
"""16 bytes: the recipient's name for a queue, SHA-256(label ‖ recipient key) cut."""
SendId = NewType("SendId", bytes)
"""16 bytes: the sender's name for a queue, random."""
LinkId = NewType("LinkId", bytes)
"""16 bytes: names a sealed invitation at a relay."""
MessageId = NewType("MessageId", bytes)
"""16 random bytes: one content, whatever envelopes carry it."""
Digest = NewType("Digest", bytes)
"""32 bytes: BLAKE2b-256(version ‖ send_id ‖ body), an envelope's name everywhere."""
Signature = NewType("Signature", bytes)
"""64 bytes: Ed25519."""
HandshakeHash = NewType("HandshakeHash", bytes)
"""32 bytes: Noise `h` after message 2; binds proofs to one session."""

RelayKey = NewType("RelayKey", bytes)
"""32 bytes: a relay's Ed25519 public key, pinned by its address."""
PublisherKey = NewType("PublisherKey", bytes)
"""32 bytes: Ed25519 public key that signs a list of relays."""
RecipientKey = NewType("RecipientKey", bytes)
"""32 bytes: Ed25519 public key that may receive from a queue."""
SenderKey = NewType("SenderKey", bytes)
"""32 bytes: Ed25519 public key that may deposit into a queue."""
ClaimKey = NewType("ClaimKey", bytes)
"""32 bytes: Ed25519 public key that may fix a queue's sender key, once."""
ClaimSeed = NewType("ClaimSeed", bytes)
"""32 bytes: Ed25519 seed of a claim key."""
SigningKey = NewType("SigningKey", bytes)
"""64 bytes: Ed25519 seed ‖ public key, as libsodium signs with it."""
Identity = NewType("Identity", bytes)
"""64 bytes: Ed25519 public key ‖ X25519 public key."""
Fingerprint = NewType("Fingerprint", bytes)
"""32 bytes: SHA-256(label ‖ identity)."""
DhPrivate = NewType("DhPrivate", bytes)
"""32 bytes: X25519."""
DhPublic = NewType("DhPublic", bytes)
"""32 bytes: X25519."""
KemSeed = NewType("KemSeed", bytes)
"""64 bytes: ML-KEM-768 private key as its seed d ‖ z."""
KemPublic = NewType("KemPublic", bytes)
"""1,184 bytes: ML-KEM-768."""
KemCiphertext = NewType("KemCiphertext", bytes)
"""1,088 bytes: ML-KEM-768."""
PairSecret = NewType("PairSecret", bytes)
"""32 bytes: what one contact's announcements on a local network are recognised by; one for each direction."""
InvitationSecret = NewType("InvitationSecret", bytes)
"""32 bytes: S, the secret of a link, from which all else of it derives."""

SHARED = Group(0)
LOOPS = Group(-1)
"""What a node sends to itself, where what concerns different contacts is kept apart."""


def _exactly(length: int) -> Meta:
    return Meta(min_length=length, max_length=length)


# The same types with their lengths, for shapes that are decoded.
U8 = Annotated[int, Meta(ge=0, lt=2**8)]
U16 = Annotated[int, Meta(ge=0, lt=2**16)]
U32 = Annotated[int, Meta(ge=0, lt=2**32)]
RequestField = Annotated[Request, Meta(ge=0, lt=2**32)]
SubscriptionField = Annotated[Subscription, Meta(ge=0, lt=2**32)]
SequenceField = Annotated[Sequence, Meta(ge=1, le=2**63 - 1)]
MinuteField = Annotated[Minute, Meta(ge=0, lt=2**32)]
ReceiveIdField = Annotated[ReceiveId, _exactly(16)]
SendIdField = Annotated[SendId, _exactly(16)]
LinkIdField = Annotated[LinkId, _exactly(16)]
MessageIdField = Annotated[MessageId, _exactly(16)]
RelayKeyField = Annotated[RelayKey, _exactly(32)]
PublisherKeyField = Annotated[PublisherKey, _exactly(32)]
RecipientKeyField = Annotated[RecipientKey, _exactly(32)]
SenderKeyField = Annotated[SenderKey, _exactly(32)]
ClaimKeyField = Annotated[ClaimKey, _exactly(32)]
ClaimSeedField = Annotated[ClaimSeed, _exactly(32)]
SignatureField = Annotated[Signature, _exactly(64)]
PairSecretField = Annotated[PairSecret, _exactly(32)]
IdentityField = Annotated[Identity, _exactly(64)]
FingerprintField = Annotated[Fingerprint, _exactly(32)]
DhPublicField = Annotated[DhPublic, _exactly(32)]
KemPublicField = Annotated[KemPublic, _exactly(1_184)]
