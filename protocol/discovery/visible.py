"""Meeting somebody new on a local network: one short code over the session that nobody could choose (Spec 9 §6).

    caller → called   message 1
    called → caller   message 2
    caller → called   name, commitment to a nonce
    called → caller   nonce
    caller → called   nonce
                      both people compare the code
    caller → called   it is the same
    called → caller   an invitation
    caller → called   it is accepted

Who stands between has two sessions, and has to fix its nonce in each before it learns the other one: one chance in a
million. What was said only after the code was compared, the invitation, needs no other protection than the session.
Methods that read raise PeerError: SIZE, NOISE, MALFORMED, NON_CANONICAL, PADDING. The call is then over.
"""

from typing import Annotated, TypeVar

from msgspec import Meta, Struct

from protocol.crypto import labels
from protocol.crypto.noise import FIRST_OVERHEAD, SECOND_OVERHEAD, Initiator, Responder, Session
from protocol.crypto.suite import Suite, sha256
from protocol.discovery.people import Name
from protocol.entropy import Entropy
from protocol.errors import Code, PeerError
from protocol.keys import DhPrivate, HandshakeHash, KemSeed
from protocol.limits import MAX_NAME_BYTES, MAX_VISIBLE_INVITATION_BYTES, SLOT_BYTES
from protocol.timing import Timing
from protocol.wire.codec import Decoder
from protocol.wire.frames import decode_frame, encode_frame

_Bytes32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
_InvitationBytes = Annotated[bytes, Meta(min_length=1, max_length=MAX_VISIBLE_INVITATION_BYTES)]

_FIRST_ZEROS = bytes(SLOT_BYTES - FIRST_OVERHEAD)
_SECOND_ZEROS = bytes(SLOT_BYTES - SECOND_OVERHEAD)


class Commitment(Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=1):
    """What the caller is called, and what fixes its nonce before it sees the other's."""

    name: Name
    commitment: _Bytes32


class Answer(Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=2):
    """The called one's nonce."""

    nonce: _Bytes32


class Opening(Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=3):
    """The nonce that the caller had committed to."""

    nonce: _Bytes32


class Same(Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=4):
    """The caller's person has seen the same code at the other's."""


class Invited(Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=5):
    """So has the called one's: an invitation as a file, made for this."""

    invitation: _InvitationBytes


class Joined(Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=6):
    """The caller has accepted it."""


Message = TypeVar("Message", Commitment, Answer, Opening, Same, Invited, Joined)


def commitment_of(nonce: bytes) -> bytes:
    """32 bytes."""
    return sha256(labels.VISIBLE_COMMITMENT, nonce)


def short_code(handshake_hash: bytes, commitment: bytes, answered: bytes, opened: bytes) -> str:
    """Six digits, of a session's hash and what was said in it: commitment, the called one's nonce, the caller's."""
    said = sha256(labels.VISIBLE_CODE, handshake_hash, commitment, answered, opened)
    return f"{int.from_bytes(said[:8], 'big') % 1_000_000:06}"


class _End:
    """Either end of a call. `code`: six digits, once there are any."""

    def __init__(self, suite: Suite, txt: bytes) -> None:
        self.code: str | None = None
        self._suite = suite
        self._psk = suite.kdf(None, txt, labels.VISIBLE_PSK, 32)
        self._session: Session | None = None

    @property
    def handshake_hash(self) -> HandshakeHash:
        """32 bytes that name this session; only once it stands."""
        assert self._session is not None
        return self._session.handshake_hash

    def _write(self, message: Struct) -> bytes:
        assert self._session is not None
        frame = self._session.sending.encrypt(encode_frame([message]))
        assert len(frame) == SLOT_BYTES
        return frame

    def _read(self, frame: bytes, decoder: Decoder[list[Message]]) -> Message:
        assert self._session is not None
        _check_size(frame)
        (message,) = decode_frame(self._session.receiving.decrypt(frame), decoder)
        return message

    def _settle(self, commitment: bytes, answered: bytes, opened: bytes) -> None:
        assert self._session is not None
        self.code = short_code(self._session.handshake_hash, commitment, answered, opened)


class Caller(_End):
    """Who chose the other from the list, and heard it say `txt`."""

    def __init__(self, suite: Suite, entropy: Entropy, txt: bytes, name: str) -> None:
        """`name`: what the called one is shown; 1 to 64 bytes."""
        super().__init__(suite, txt)
        self._name = name
        self._handshake = Initiator(
            suite, None, DhPrivate(entropy.secret(32)), KemSeed(entropy.secret(64)), psk=self._psk
        )
        self._nonce = entropy.secret(32)

    def hello(self) -> bytes:
        """Message 1."""
        return self._handshake.write(_FIRST_ZEROS)

    def call(self, message: bytes) -> bytes:
        """The commitment, after message 2."""
        _check_size(message)
        payload, self._session = self._handshake.read(message)
        _check_zeros(payload)
        return self._write(Commitment(self._name, commitment_of(self._nonce)))

    def open(self, frame: bytes) -> bytes:
        """The opening, after the answer. There is a code now."""
        answer = self._read(frame, _answer)
        self._settle(commitment_of(self._nonce), answer.nonce, self._nonce)
        return self._write(Opening(self._nonce))

    def agree(self) -> bytes:
        """The person says that the code is the same."""
        assert self.code is not None
        return self._write(Same())

    def read_invitation(self, frame: bytes) -> bytes:
        """A file's bytes, as the other sent them: unread. To be looked at after `agree` only."""
        return self._read(frame, _invited).invitation

    def joined(self) -> bytes:
        """It was accepted."""
        return self._write(Joined())


class Called(_End):
    """Who was chosen, and announces `txt`."""

    def __init__(self, suite: Suite, entropy: Entropy, txt: bytes) -> None:
        super().__init__(suite, txt)
        self._handshake = Responder(suite, None, DhPrivate(entropy.secret(32)), psk=self._psk)
        self._nonce = entropy.secret(32)
        self._commitment: bytes | None = None

    def welcome(self, message: bytes) -> bytes:
        """Message 2, after message 1."""
        _check_size(message)
        _check_zeros(self._handshake.read(message))
        reply, self._session = self._handshake.write(_SECOND_ZEROS)
        return reply

    def read_call(self, frame: bytes) -> str:
        """The caller's name, as the caller says."""
        assert self._commitment is None, "a second commitment would be a second chance"
        call = self._read(frame, _commitment)
        if len(call.name.encode()) > MAX_NAME_BYTES:
            raise PeerError(Code.MALFORMED, "a name of more than 64 bytes")
        self._commitment = call.commitment
        return call.name

    def answer(self) -> bytes:
        """The nonce: from here on the call is an attempt."""
        return self._write(Answer(self._nonce))

    def read_opening(self, frame: bytes) -> None:
        """There is a code then. MALFORMED also for what was not committed to."""
        assert self._commitment is not None
        opening = self._read(frame, _opening)
        if commitment_of(opening.nonce) != self._commitment:
            raise PeerError(Code.MALFORMED, "not what was committed to")
        self._settle(self._commitment, self._nonce, opening.nonce)

    def read_agreement(self, frame: bytes) -> None:
        """The caller's person says that the code is the same."""
        self._read(frame, _same)

    def invite(self, invitation: bytes) -> bytes:
        """The person here says so too, and the caller has."""
        assert self.code is not None
        return self._write(Invited(invitation))

    def read_joined(self, frame: bytes) -> None:
        """The caller has accepted."""
        self._read(frame, _joined)


class Attempts:
    """How often somebody may try: each attempt is one chance in a million."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._next = 0.0

    def wait_seconds(self, now: float) -> float:
        """Until the next may begin."""
        return max(self._next - now, 0.0)

    def begin(self, now: float) -> bool:
        """Whether an attempt may begin now; if so, the next may only after a pause. `now`: any clock that goes on."""
        if now < self._next:
            return False
        self._next = now + self._timing.visible_pause_seconds
        return True


def _check_size(message: bytes) -> None:
    if len(message) != SLOT_BYTES:
        raise PeerError(Code.SIZE, f"a message of {len(message)} bytes")


def _check_zeros(payload: bytes) -> None:
    if payload.strip(b"\0"):
        raise PeerError(Code.PADDING, "padding must be zero")


def _one(shape: type[Message]) -> Decoder[list[Message]]:
    return Decoder(Annotated[list[shape], Meta(min_length=1, max_length=1)])  # type: ignore[valid-type]


_commitment = _one(Commitment)
_answer = _one(Answer)
_opening = _one(Opening)
_same = _one(Same)
_invited = _one(Invited)
_joined = _one(Joined)
