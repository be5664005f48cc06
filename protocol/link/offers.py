"""What rides in the handshake messages: which versions are offered, and which one is chosen (Spec 7 §3).

A payload is laid out as a frame is, u16 length ‖ msgpack array of version numbers ‖ zeros, and fills its message up to
one slot. Message 1 is replayable and its sender unknown, so nothing else may ride there.
"""

from typing import Annotated

from msgspec import Meta

from protocol import PROTOCOL_VERSION
from protocol.crypto.noise import FIRST_OVERHEAD, SECOND_OVERHEAD
from protocol.errors import Code, PeerError
from protocol.limits import FRAME_LENGTH_BYTES, SLOT_BYTES
from protocol.wire.codec import Decoder, encode
from protocol.wire.frames import unpad_frame

OFFER_BYTES = SLOT_BYTES - FIRST_OVERHEAD
CHOICE_BYTES = SLOT_BYTES - SECOND_OVERHEAD
SUPPORTED_VERSIONS = (PROTOCOL_VERSION,)

_Versions = Annotated[list[Annotated[int, Meta(ge=1, le=255)]], Meta(min_length=1, max_length=16)]
_decoder: Decoder[list[int]] = Decoder(_Versions)


def offer() -> bytes:
    """The 2,848-byte payload of message 1: every version that this node speaks."""
    return _pad(SUPPORTED_VERSIONS, OFFER_BYTES)


def choose(payload: bytes) -> bytes:
    """The 2,944-byte payload of message 2: the highest version that both speak.

    Raises PeerError VERSION (none), MALFORMED, NON_CANONICAL, PADDING.
    """
    common = set(_decoder.decode(unpad_frame(payload))).intersection(SUPPORTED_VERSIONS)
    if not common:
        raise PeerError(Code.VERSION, "no version in common")
    return _pad((max(common),), CHOICE_BYTES)


def check_choice(payload: bytes) -> int:
    """The version that the responder chose. Raises PeerError VERSION (none of those offered), MALFORMED, …"""
    chosen = _decoder.decode(unpad_frame(payload))
    if len(chosen) != 1 or chosen[0] not in SUPPORTED_VERSIONS:
        raise PeerError(Code.VERSION, "a version that was not offered")
    return chosen[0]


def _pad(versions: tuple[int, ...], length: int) -> bytes:
    encoded = encode(versions)
    return (len(encoded).to_bytes(FRAME_LENGTH_BYTES, "big") + encoded).ljust(length, b"\0")
