"""The commands and replies of a frame (Spec 8 §2–§4): msgpack arrays whose first element is the kind.

Each request has at most one reply, paired by its request number. Kinds 13 and 14 are reserved for blobs, so an unknown
kind is malformed in version 1.
"""

from enum import IntEnum
from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from protocol.errors import Code
from protocol.keys import (
    U8,
    U16,
    U32,
    ClaimKeyField,
    DhPublicField,
    Digest,
    LinkIdField,
    Minute,
    MinuteField,
    ReceiveIdField,
    RecipientKeyField,
    RelayKeyField,
    Request,
    RequestField,
    SenderKeyField,
    SendIdField,
    SequenceField,
    SignatureField,
    SubscriptionField,
)
from protocol.limits import (
    CLAIM_REPLY_BYTES,
    ENVELOPE_BYTES,
    MAX_CARD_BYTES,
    MAX_CARD_NAME_BYTES,
    MAX_HOST_BYTES,
    ONION_BYTES,
    RELAY_LIST_PART_BYTES,
    REPLY_BYTES,
    SEALED_INVITATION_BYTES,
)


class Role(IntEnum):
    """Which key of a queue a session proves."""

    RECIPIENT = 1
    SENDER = 2


class Preset(IntEnum):
    """How a link sends (Spec 10 §2). The names in `protocol.traffic.policies.NAMES` are what people write."""

    DIRECT = 1
    BATCHED = 2
    CONSTANT = 3
    CONSTANT_4 = 4
    CONSTANT_16 = 5


class MarkerKind(IntEnum):
    """What a relay tells the recipient in the queue's own stream."""

    CLAIMED = 1
    FULL = 2


class _Wire(Struct, array_like=True, frozen=True, forbid_unknown_fields=True, gc=False):
    """An exact msgpack array."""


SealedInvitation: TypeAlias = Annotated[
    bytes, Meta(min_length=SEALED_INVITATION_BYTES, max_length=SEALED_INVITATION_BYTES)
]
OnionField: TypeAlias = Annotated[bytes, Meta(min_length=ONION_BYTES, max_length=ONION_BYTES)]
CardField: TypeAlias = Annotated[bytes, Meta(min_length=1, max_length=MAX_CARD_BYTES)]
EnvelopeField: TypeAlias = Annotated[bytes, Meta(min_length=1, max_length=ENVELOPE_BYTES)]


class Link(_Wire, frozen=True):
    """A sealed invitation, kept beside its queue until settled, dropped or `lifetime_minutes` old."""

    link_id: LinkIdField
    lifetime_minutes: U32
    sealed: SealedInvitation


class Create(_Wire, frozen=True, tag=1):
    """Make a queue, idempotent under the recipient key. Signed by it over this session's handshake hash."""

    request: RequestField
    recipient_key: RecipientKeyField
    send_id: SendIdField
    claim_key: ClaimKeyField
    link: Link | None
    signature: SignatureField


class Claim(_Wire, frozen=True, tag=2):
    """Fix the queue's sender key, once. `id` is a link id or a send id. Signed by the claim key."""

    request: RequestField
    id: Annotated[bytes, Meta(min_length=16, max_length=16)]
    sender_key: SenderKeyField
    signature: SignatureField


class Settle(_Wire, frozen=True, tag=3):
    """Erase the queue's sealed invitation; the handshake is committed."""

    request: RequestField
    receive_id: ReceiveIdField


class Prove(_Wire, frozen=True, tag=4):
    """Prove one key of one queue for the rest of this session."""

    request: RequestField
    id: Annotated[bytes, Meta(min_length=16, max_length=16)]
    role: Role
    signature: SignatureField


class Subscribe(_Wire, frozen=True, tag=5):
    """Have the queue's entries pushed; a new subscriber ends the old one."""

    request: RequestField
    subscription: SubscriptionField
    receive_id: ReceiveIdField


class Deposit(_Wire, frozen=True, tag=6):
    """Store an envelope: `stored` once it is durable."""

    request: RequestField
    envelope: EnvelopeField


class Ack(_Wire, frozen=True, tag=7):
    """The recipient has committed this entry: erase it. No reply."""

    subscription: SubscriptionField
    sequence: SequenceField


class Drop(_Wire, frozen=True, tag=8):
    """Erase the queue and all that is in it."""

    request: RequestField
    receive_id: ReceiveIdField


class Via(_Wire, frozen=True, tag=9):
    """Name a relay that `forward` is to reach, by a number of this session. Answered by its descriptor (Spec 12 §5)."""

    request: RequestField
    destination: U8
    host: Annotated[str, Meta(min_length=1, max_length=MAX_HOST_BYTES)]
    relay: RelayKeyField


class Forward(_Wire, frozen=True, tag=10):
    """Carry an onion to a destination that `via` named."""

    request: RequestField
    destination: U8
    onion: OnionField


class Onion(_Wire, frozen=True, tag=11):
    """An onion for the relay that gets this, from an entry relay."""

    request: RequestField
    onion: OnionField


class Describe(_Wire, frozen=True, tag=12):
    """Ask a relay for its descriptor."""

    request: RequestField


class Info(_Wire, frozen=True, tag=15):
    """Part `part`, from 0, of the signed list of relays that this relay's operator offers to everybody (Spec 11 §5)."""

    request: RequestField
    part: U16


class Shape(_Wire, frozen=True, tag=16):
    """How the relay is to send on this link from now on. Once a session; no reply (Spec 10 §5)."""

    preset: Preset


class Publish(_Wire, frozen=True, tag=17):
    """Keep this card under its name, or withdraw it (Spec 13 §3)."""

    request: RequestField
    card: CardField


class Lookup(_Wire, frozen=True, tag=18):
    """Ask for the card under a name (Spec 13 §3)."""

    request: RequestField
    name: Annotated[str, Meta(min_length=1, max_length=MAX_CARD_NAME_BYTES)]


class Done(_Wire, frozen=True, tag=32):
    """Create, settle, prove, drop or publish was carried out and is durable."""

    request: RequestField


class Claimed(_Wire, frozen=True, tag=33):
    """The claim holds; with the sealed invitation where the id was a link id."""

    request: RequestField
    sealed: SealedInvitation | None


class Subscribed(_Wire, frozen=True, tag=34):
    """Entries follow. `checkpoint` is reserved: nil in version 1."""

    request: RequestField
    checkpoint: None


class Stored(_Wire, frozen=True, tag=35):
    """The envelope is durable; the next `custody` of this frame signs for it."""

    request: RequestField


class Refused(_Wire, frozen=True, tag=36):
    """Not done. REFUSED says nothing more; other codes go to proven parties only."""

    request: RequestField
    code: Code


class Custody(_Wire, frozen=True, tag=37):
    """One signature over every `stored` of this frame since the last `custody`, in order."""

    minute: MinuteField
    retention_days: U16
    signature: SignatureField


class Delivery(_Wire, frozen=True, tag=38):
    """One envelope of a subscribed queue."""

    subscription: SubscriptionField
    sequence: SequenceField
    envelope: EnvelopeField


class Marker(_Wire, frozen=True, tag=39):
    """A relay's own entry in a queue: claimed by `key` at `minute`, or full since `minute` (key nil)."""

    subscription: SubscriptionField
    sequence: SequenceField
    marker: MarkerKind
    minute: MinuteField
    key: SenderKeyField | None


class Ended(_Wire, frozen=True, tag=40):
    """This subscription is over: another subscriber took it, or the queue was dropped."""

    subscription: SubscriptionField


class Descriptor(_Wire, frozen=True):
    """The key that onions for a relay are sealed to: an epoch, the key, the last minute, signed by the relay's key."""

    epoch: U8
    key: DhPublicField
    until: MinuteField
    signature: SignatureField


class Described(_Wire, frozen=True, tag=41):
    """One part of the list, and how many there are: 0 where the relay offers none."""

    request: RequestField
    parts: U16
    chunk: Annotated[bytes, Meta(max_length=RELAY_LIST_PART_BYTES)]


class Reachable(_Wire, frozen=True, tag=42):
    """The answer to `via` and `describe`."""

    request: RequestField
    descriptor: Descriptor


class Returned(_Wire, frozen=True, tag=43):
    """The sealed reply to `forward` or `onion`."""

    request: RequestField
    sealed: Annotated[bytes, Meta(min_length=REPLY_BYTES, max_length=CLAIM_REPLY_BYTES)]


class Kept(_Wire, frozen=True, tag=44):
    """The card that was asked for."""

    request: RequestField
    card: CardField


ToRelay: TypeAlias = (
    Create
    | Claim
    | Settle
    | Prove
    | Subscribe
    | Deposit
    | Ack
    | Drop
    | Via
    | Forward
    | Onion
    | Describe
    | Info
    | Publish
    | Lookup
)
"""What a relay's machine is handed."""
OnWireToRelay: TypeAlias = ToRelay | Shape
"""`shape` is the link's own."""
OnWireToNode: TypeAlias = (
    Done
    | Claimed
    | Subscribed
    | Stored
    | Refused
    | Custody
    | Delivery
    | Marker
    | Ended
    | Described
    | Reachable
    | Returned
    | Kept
)


class Accepted(Struct, frozen=True, gc=False):
    """`stored` + `custody` as machines know it: the link that packs the frame signs, the one that unpacks verifies."""

    request: Request
    digest: Digest
    minute: Minute


ToNode: TypeAlias = (
    Done
    | Claimed
    | Subscribed
    | Accepted
    | Refused
    | Delivery
    | Marker
    | Ended
    | Described
    | Reachable
    | Returned
    | Kept
)
Command: TypeAlias = ToRelay | ToNode | Shape
