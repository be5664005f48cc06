"""The items of a payload, and its padding (Spec 5 §3): u16 length ‖ msgpack array of items ‖ zeros.

A sender puts only kinds of version 1 (1 to 6), and those that the peer's `profile` lists as features.
"""

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from protocol.errors import Code, PeerError
from protocol.keys import U16, U32, MessageId, MessageIdField, PairSecretField, SenderKeyField, SendIdField
from protocol.limits import CHUNK_BYTES, MAX_FRAGMENTS, MAX_GAPS, MAX_NAME_BYTES, MAX_RECEIPTS_PER_ITEM, MAX_ROUTES
from protocol.session.invitation import Routes
from protocol.wire.codec import Decoder, encode


class _Item(Struct, array_like=True, frozen=True, forbid_unknown_fields=True, gc=False):
    pass


class Received(_Item, frozen=True, tag=1):
    """Drives re-sending only. Indexes count envelopes of a session over all turns, from 0.

    Of the reader's envelopes all below `total` have come except `missing`, the lowest of them; of the writer's own,
    those below `floor` have come or will not come any more.
    """

    floor: U32
    total: U32
    missing: Annotated[list[U32], Meta(max_length=MAX_GAPS)]


class Fragment(_Item, frozen=True, tag=2):
    """A part of a content: all chunks but the last are 1,384 bytes."""

    message_id: MessageIdField
    index: Annotated[int, Meta(ge=0, lt=MAX_FRAGMENTS)]
    count: Annotated[int, Meta(ge=1, le=MAX_FRAGMENTS)]
    chunk: Annotated[bytes, Meta(min_length=1, max_length=CHUNK_BYTES)]


class Receipt(_Item, frozen=True, tag=3):
    """These messages are durable at the writer's node. This alone sets *delivered*."""

    message_ids: Annotated[list[MessageIdField], Meta(min_length=1, max_length=MAX_RECEIPTS_PER_ITEM)]


class NewRoutes(_Item, frozen=True, tag=4):
    """Where the writer is reached from now on; the highest `version` holds."""

    version: U32
    routes: Routes


class Profile(_Item, frozen=True, tag=5):
    """The writer's name, and which items beyond version 1 it reads: a set of bits (`DISCOVERY`)."""

    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME_BYTES)]
    features: U32


class Sender(Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """With which key the joiner claims a route of the invitation."""

    send_id: SendIdField
    key: SenderKeyField


class Senders(_Item, frozen=True, tag=6):
    """In the handshake: the keys that the joiner claims the invitation's routes with."""

    senders: Annotated[list[Sender], Meta(min_length=1, max_length=MAX_ROUTES)]


class Discovery(_Item, frozen=True, tag=7):
    """By what the writer is recognised on a local network from now on; the highest `version` holds (Spec 9 §1)."""

    version: U32
    secret: PairSecretField


DISCOVERY = 1
"""The feature bit of `Discovery`."""

Item: TypeAlias = Received | Fragment | Receipt | NewRoutes | Profile | Senders | Discovery

_items: Decoder[list[Item]] = Decoder(list[Item])


def pad_items(encoded_items: list[bytes], size: int) -> bytes:
    """A payload of `size` bytes (1,472; in a handshake 1,408) from items encoded one by one."""
    assert len(encoded_items) < 16
    array = bytes((0x90 | len(encoded_items),)) + b"".join(encoded_items)
    assert len(array) + 2 <= size
    return (len(array).to_bytes(2, "big") + array).ljust(size, b"\0")


def unpad_items(payload: bytes) -> list[Item]:
    """Raises PeerError: MALFORMED, NON_CANONICAL, PADDING."""
    end = 2 + int.from_bytes(payload[:2], "big")
    if end > len(payload):
        raise PeerError(Code.MALFORMED, "a length past the end of the payload")
    if payload[end:] != bytes(len(payload) - end):
        raise PeerError(Code.PADDING, "padding must be zero")
    items = _items.decode(payload[2:end])
    for item in items:
        if type(item) is Profile and len(item.name.encode()) > MAX_NAME_BYTES:
            raise PeerError(Code.MALFORMED, "a name of more than 64 bytes")
    return items


def encode_item(item: Item) -> bytes:
    """Canonical msgpack."""
    return encode(item)


MAX_ITEM_ARRAY = 15
ITEM_ROOM_BYTES = 1_470 - 1
"""Bytes of encoded items that fit a payload beside its length and array header."""
RECEIVED_ITEM_BYTES = 53
"""The longest `received` item, always in a payload."""

__all__ = [
    "DISCOVERY",
    "ITEM_ROOM_BYTES",
    "MAX_ITEM_ARRAY",
    "RECEIVED_ITEM_BYTES",
    "U16",
    "Discovery",
    "Fragment",
    "Item",
    "MessageId",
    "NewRoutes",
    "Profile",
    "Receipt",
    "Received",
    "Sender",
    "Senders",
    "encode_item",
    "pad_items",
    "unpad_items",
]  # fmt: skip
