"""Frames: a batch of commands padded to 1, 2, 4 or 8 slots (Spec 2 §4).

Plaintext = u16 length ‖ msgpack array of commands ‖ zeros; its Noise ciphertext is exactly k × 4,096 bytes.
An empty array is a keep-alive.
"""

from collections.abc import Sequence
from typing import TypeVar

from protocol.errors import Code, PeerError
from protocol.limits import FRAME_LENGTH_BYTES, FRAME_SLOTS, MAX_COMMANDS_PER_FRAME, NOISE_TAG_BYTES, SLOT_BYTES
from protocol.wire.codec import Decoder, encode

T = TypeVar("T")

ARRAY_HEADER_BYTES = 3
"""Of a msgpack array of 16 to 65,535 elements; fewer elements take one byte."""

_ZEROS = bytes(SLOT_BYTES * FRAME_SLOTS[-1])


def capacity(slots: int) -> int:
    """Bytes of encoded commands that fit a frame of `slots` slots."""
    return slots * SLOT_BYTES - NOISE_TAG_BYTES - FRAME_LENGTH_BYTES


MAX_COMMAND_BYTES = capacity(FRAME_SLOTS[-1])
FRAME_SIZES = frozenset(slots * SLOT_BYTES for slots in FRAME_SLOTS)


def pad_frame(encoded: bytes) -> bytes:
    """The plaintext of the smallest frame that holds `encoded` (a msgpack array of commands)."""
    for slots in FRAME_SLOTS:
        room = capacity(slots) - len(encoded)
        if room >= 0:
            return b"".join((len(encoded).to_bytes(FRAME_LENGTH_BYTES, "big"), encoded, _ZEROS[:room]))
    raise AssertionError(f"{len(encoded)} bytes of commands do not fit a frame")


def unpad_frame(plaintext: bytes) -> memoryview:
    """The encoded commands. Raises PeerError: MALFORMED (length past the end), PADDING (a byte that is not zero)."""
    end = FRAME_LENGTH_BYTES + int.from_bytes(plaintext[:FRAME_LENGTH_BYTES], "big")
    if end > len(plaintext):
        raise PeerError(Code.MALFORMED, "a length past the end of the frame")
    if plaintext[end:] != _ZEROS[: len(plaintext) - end]:
        raise PeerError(Code.PADDING, "padding must be zero")
    return memoryview(plaintext)[FRAME_LENGTH_BYTES:end]


def encode_frame(commands: Sequence[object]) -> bytes:
    """Plaintext of the smallest frame that holds `commands`."""
    assert len(commands) <= MAX_COMMANDS_PER_FRAME
    return pad_frame(encode(commands))


def decode_frame(plaintext: bytes, decoder: Decoder[list[T]]) -> list[T]:
    """The commands of a frame. Raises PeerError: MALFORMED, NON_CANONICAL, PADDING, LIMIT (too many)."""
    commands = decoder.decode(unpad_frame(plaintext))
    if len(commands) > MAX_COMMANDS_PER_FRAME:
        raise PeerError(Code.LIMIT, f"{len(commands)} commands in one frame")
    return commands
