"""Meeting somebody new on a local network: two invitations under one short code that nobody could choose (Spec 9 §6).

    caller → called   commitment
    called → caller   nonce, invitation
    caller → called   nonce, invitation

Who stands between has to fix both of its own nonces before it learns the other one: one chance in a million.
"""

from typing import Annotated, TypeVar

from msgspec import Meta, Struct

from protocol.crypto import labels
from protocol.crypto.suite import sha256
from protocol.entropy import Entropy
from protocol.errors import Code, PeerError
from protocol.limits import MAX_VISIBLE_INVITATION_BYTES
from protocol.session.invitation import Invitation, decode_invitation
from protocol.timing import Timing
from protocol.wire.codec import Decoder, encode

_Bytes32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
_InvitationBytes = Annotated[bytes, Meta(min_length=1, max_length=MAX_VISIBLE_INVITATION_BYTES)]


class Commitment(Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=1):
    """Fixes the caller's nonce and invitation before it sees the other's."""

    commitment: _Bytes32


class Answer(Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=2):
    """The called one's nonce and invitation."""

    nonce: _Bytes32
    invitation: _InvitationBytes


class Opening(Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=3):
    """What the caller had committed to."""

    nonce: _Bytes32
    invitation: _InvitationBytes


Message = TypeVar("Message", Commitment, Answer, Opening)

_commitment: Decoder[Commitment] = Decoder(Commitment)
_answer: Decoder[Answer] = Decoder(Answer)
_opening: Decoder[Opening] = Decoder(Opening)


class Met(Struct, frozen=True):
    """`code`: six digits that both people compare. `invitation`: the other's, worth nothing until they have."""

    code: str
    invitation: Invitation


def commitment_of(nonce: bytes, invitation: bytes) -> bytes:
    """32 bytes."""
    return sha256(labels.VISIBLE_COMMITMENT, nonce, sha256(invitation))


def short_code(commitment: bytes, answer: Answer, opening: Opening) -> str:
    """Six digits over all that was said."""
    said = sha256(
        labels.VISIBLE_CODE, commitment, answer.nonce, sha256(answer.invitation), opening.nonce,
        sha256(opening.invitation),
    )  # fmt: skip
    return f"{int.from_bytes(said[:8], 'big') % 1_000_000:06}"


class Caller:
    """Who chose the other from the list."""

    def __init__(self, entropy: Entropy, invitation: bytes) -> None:
        self._opening = Opening(entropy.secret(32), invitation)
        self._commitment = commitment_of(self._opening.nonce, invitation)

    def call(self) -> bytes:
        """The first message."""
        return encode(Commitment(self._commitment))

    def read(self, message: bytes) -> tuple[bytes, Met]:
        """The third message. Raises PeerError: MALFORMED, NON_CANONICAL, BAD_INVITATION."""
        answer = _answer.decode(message)
        met = Met(short_code(self._commitment, answer, self._opening), decode_invitation(answer.invitation))
        return encode(self._opening), met


class Called:
    """Who was chosen."""

    def __init__(self, entropy: Entropy, invitation: bytes) -> None:
        self._answer = Answer(entropy.secret(32), invitation)
        self._commitment: bytes | None = None

    def answer(self, message: bytes) -> bytes:
        """The second message, once. Raises PeerError: MALFORMED, NON_CANONICAL."""
        assert self._commitment is None, "a second commitment would be a second chance"
        self._commitment = _commitment.decode(message).commitment
        return encode(self._answer)

    def read(self, message: bytes) -> Met:
        """Raises PeerError: MALFORMED (also for what was not committed to), NON_CANONICAL, BAD_INVITATION."""
        assert self._commitment is not None
        opening = _opening.decode(message)
        if commitment_of(opening.nonce, opening.invitation) != self._commitment:
            raise PeerError(Code.MALFORMED, "not what was committed to")
        return Met(short_code(self._commitment, self._answer, opening), decode_invitation(opening.invitation))


class Attempts:
    """How often somebody may try: each attempt is one chance in a million."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._next = 0.0

    def begin(self, now: float) -> bool:
        """Whether an attempt may begin now; if so, the next may only after a pause. `now`: any clock that goes on."""
        if now < self._next:
            return False
        self._next = now + self._timing.visible_pause_seconds
        return True
