"""What both ends of a connection share: frames in and out, how much may wait, and silence (Spec 7 §4, §5).

When a frame leaves, and how many slots it may have, is its shaper's business (Spec 10).

A link is volatile and synchronous: bytes in, commands out; commands in, padded frames out. Whatever it raises ends its
connection with that code.
"""

import math
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from protocol.crypto.noise import Session
from protocol.entropy import Entropy
from protocol.errors import Code, PeerError
from protocol.keys import HandshakeHash
from protocol.limits import MAX_COMMANDS_PER_FRAME, MAX_QUEUED_COMMAND_BYTES, SLOT_BYTES
from protocol.timing import Timing
from protocol.traffic.policies import Stream
from protocol.traffic.shaper import Shaper, room
from protocol.wire.codec import encode
from protocol.wire.commands import Command
from protocol.wire.frames import FRAME_SIZES, pad_frame

Waiting = TypeVar("Waiting")

SILENCE_FACTOR = 2.5

_EMPTY = pad_frame(encode(()))
_ONE_SLOT = room(1)


class Link(ABC, Generic[Waiting]):
    """One end of a connection. Times are seconds of any clock that does not go back."""

    __slots__ = (
        "_cover", "_entropy", "_handshake_message", "_heard", "_opened", "_session", "_shaper", "_timing", "_waiting",
        "queued_bytes", "real",
    )  # fmt: skip

    def __init__(self, entropy: Entropy, timing: Timing, shaper: Shaper, now: float) -> None:
        self._entropy = entropy
        self._timing = timing
        self._session: Session | None = None
        self._handshake_message: bytes | None = None
        self._waiting: list[Waiting] = []
        self._cover: dict[Stream, bytes] = {}
        self._shaper = shaper
        self._heard = self._opened = now
        self.queued_bytes = 0  # of commands that wait to be packed
        self.real = False  # whether the last message of `transmit` had anything in it; the others are cover

    @property
    def established(self) -> bool:
        """Whether the Noise session stands."""
        return self._session is not None

    @property
    def handshake_hash(self) -> HandshakeHash:
        """32 bytes that name this session; only once established."""
        assert self._session is not None
        return self._session.handshake_hash

    @property
    def next_wake(self) -> float:
        """When `tick` and `transmit` are wanted even if nothing happens."""
        return self.silent_at if self._session is None else min(self._shaper.next_wake, self.silent_at)

    @property
    def silent_at(self) -> float:
        """When `tick` says that the peer is silent, unless something is heard before."""
        if self._session is None:
            return self._opened + self._timing.handshake_seconds
        return self._heard + SILENCE_FACTOR * self._timing.keep_alive_seconds

    @property
    def next_frame(self) -> float:
        """When `transmit` is wanted to the millisecond: at a tick. Infinite where frames leave at no such time."""
        return self._shaper.next_wake if self._shaper.paced and self._session is not None else math.inf

    def receive(self, data: bytes, now: float) -> list[Command]:
        """The commands of one message of the transport; none in a handshake or keep-alive.

        Raises PeerError: SIZE, NOISE, VERSION, MALFORMED, NON_CANONICAL, PADDING, LIMIT, CUSTODY.
        """
        session = self._session
        if len(data) not in FRAME_SIZES or (session is None and len(data) != SLOT_BYTES):
            raise PeerError(Code.SIZE, f"a message of {len(data)} bytes")
        self._heard = now
        if session is None:
            self._shake_hands(data)
            return []
        plaintext = session.receiving.decrypt(data)
        return self._unpack(plaintext) if plaintext != _EMPTY else []

    def queue(self, command: Command, stream: Stream = Stream.PAYLOAD) -> None:
        """Leaves with a coming frame of the stream, in order; of loops and drops there is one, and a later one takes
        its place. Raises PeerError LIMIT: the peer does not take what it asked for."""
        if stream is not Stream.PAYLOAD:
            self._cover[stream] = encode(command)
            return
        waiting, length = self._prepare(command)
        assert length <= _ONE_SLOT, "every command fits the frames of every policy"
        self.queued_bytes += length
        if self.queued_bytes > MAX_QUEUED_COMMAND_BYTES:
            raise PeerError(Code.LIMIT, "too many bytes wait to be sent")
        self._waiting.append(waiting)

    def transmit(self, now: float) -> bytes | None:
        """The next message for the transport, one of 4,096, 8,192, 16,384 or 32,768 bytes; None: nothing is due."""
        if self._handshake_message is not None:
            message, self._handshake_message = self._handshake_message, None
            self.real = True
            return message
        if self._session is None:
            return None
        turn = self._shaper.due(now, bool(self._waiting))
        if turn is None:
            return None
        self.real = bool(self._waiting) and turn.stream is Stream.PAYLOAD
        plaintext = _pad_commands(self._pack(room(turn.most_slots))) if self.real else self._cover_of(turn.stream)
        return self._session.sending.encrypt(plaintext)

    def _cover_of(self, stream: Stream) -> bytes:
        command = self._cover.pop(stream, None) if self._cover else None
        return _EMPTY if command is None else _pad_commands([command])

    def taken(self, now: float) -> None:
        """The transport took what `transmit` gave it only now. Wanted wherever that takes time."""
        self._shaper.taken(now)

    def tick(self, now: float) -> None:
        """Raises PeerError SILENT: no handshake in time, or nothing heard for 2.5 keep-alives."""
        if now >= self.silent_at:
            raise PeerError(Code.SILENT)

    @abstractmethod
    def _shake_hands(self, message: bytes) -> None:
        """Take the peer's 4,096-byte handshake message."""

    @abstractmethod
    def _prepare(self, command: Command) -> tuple[Waiting, int]:
        """What waits for a command, and the bytes that it is counted as."""

    @abstractmethod
    def _pack(self, room: int) -> list[bytes]:
        """Encoded commands for one frame, taken from `_waiting`: at most 256, of at most so many bytes together."""

    @abstractmethod
    def _unpack(self, plaintext: bytes) -> list[Command]:
        """The commands of a frame's plaintext."""


def _pad_commands(encoded: list[bytes]) -> bytes:
    """Plaintext of the smallest frame that holds these commands: the msgpack array is written by hand around them."""
    count = len(encoded)
    assert count <= MAX_COMMANDS_PER_FRAME
    header = bytes((0x90 | count,)) if count < 16 else b"\xdc" + count.to_bytes(2, "big")
    return pad_frame(b"".join((header, *encoded)))
