"""What an onion holds, and what is answered (Spec 12 §2, §3): msgpack arrays whose first element is the kind."""

from typing import Annotated

from msgspec import Meta, Struct

from protocol.errors import Code
from protocol.keys import U16, MinuteField, SenderKeyField, SignatureField
from protocol.wire.commands import EnvelopeField, SealedInvitation


class _Inside(Struct, array_like=True, frozen=True, forbid_unknown_fields=True, gc=False):
    """An exact msgpack array."""


class OnionDeposit(_Inside, frozen=True, tag=1):
    """Store an envelope. Its own signature is all that allows it: no session stands behind it."""

    envelope: EnvelopeField


class OnionClaim(_Inside, frozen=True, tag=2):
    """Fix a queue's sender key, once; as `protocol.wire.commands.Claim`."""

    id: Annotated[bytes, Meta(min_length=16, max_length=16)]
    sender_key: SenderKeyField
    signature: SignatureField


class Cover(_Inside, frozen=True, tag=3):
    """Nothing. It is answered like everything else."""


class OnionStored(_Inside, frozen=True, tag=1):
    """In custody: the signature is over this envelope's digest alone."""

    minute: MinuteField
    retention_days: U16
    signature: SignatureField


class OnionClaimed(_Inside, frozen=True, tag=2):
    """The claim holds; with the sealed invitation where the id was a link id."""

    sealed: SealedInvitation | None


class Unwanted(_Inside, frozen=True, tag=3):
    """Not done, or, of cover, nothing to do: code REFUSED."""

    code: Code
