"""One command sealed to a relay, so that the entry relay between carries what it cannot read (Spec 12 §2, §3).

Onion = epoch 1 ‖ HPKE encapsulated key 32 ‖ ciphertext ‖ tag 16, 3,994 bytes whatever is inside. The reply is sealed
under a key that HPKE exports to both ends.
"""

from typing import NamedTuple, TypeAlias

from protocol.crypto.hpke import ENCAPSULATED_BYTES, TAG_BYTES
from protocol.crypto.labels import ONION
from protocol.crypto.suite import Suite
from protocol.entropy import Entropy
from protocol.errors import Code, PeerError
from protocol.keys import DhPrivate, DhPublic, RelayKey
from protocol.limits import CLAIM_REPLY_BYTES, ONION_BYTES, REPLY_BYTES
from protocol.wire.codec import Decoder, encode
from protocol.wire.onions import Cover, OnionClaim, OnionClaimed, OnionDeposit, OnionStored, Unwanted

Content: TypeAlias = OnionDeposit | OnionClaim | Cover
Answer: TypeAlias = OnionStored | OnionClaimed | Unwanted

_LENGTH_BYTES = 2
_PLAINTEXT_BYTES = ONION_BYTES - 1 - ENCAPSULATED_BYTES - TAG_BYTES
_ZEROS = bytes(max(_PLAINTEXT_BYTES, CLAIM_REPLY_BYTES))
_contents: Decoder[Content] = Decoder(Content)
_answers: Decoder[Answer] = Decoder(Answer)


class Opened(NamedTuple):
    """An onion at its destination."""

    content: Content
    reply_key: bytes
    """32 bytes, for `seal_reply`, once."""


def seal_onion(
    suite: Suite, entropy: Entropy, relay: RelayKey, epoch: int, key: DhPublic, content: Content
) -> tuple[bytes, bytes]:
    """(3,994 bytes, the 32-byte key of the reply). `epoch`, `key`: of the relay's descriptor.

    Raises PeerError BAD_KEY: no key to seal to.
    """
    ephemeral = DhPrivate(entropy.secret(32))
    sealed, reply_key = suite.hpke_seal(ephemeral, key, ONION + relay, _pad(encode(content), _PLAINTEXT_BYTES))
    return bytes((epoch,)) + sealed, reply_key


def open_onion(
    suite: Suite, relay: RelayKey, private: DhPrivate, onion: bytes, public: DhPublic | None = None
) -> Opened:
    """What is in it. Raises PeerError: UNREADABLE (not for this key, or changed on its way), BAD_KEY, and what
    decoding raises: MALFORMED, NON_CANONICAL, PADDING."""
    opened = suite.hpke_open(private, ONION + relay, onion[1:], public)
    if opened is None:
        raise PeerError(Code.UNREADABLE, "an onion that no key opens")
    plaintext, reply_key = opened
    return Opened(_contents.decode(_unpad(plaintext)), reply_key)


def seal_reply(suite: Suite, reply_key: bytes, answer: Answer) -> bytes:
    """512 bytes; 3,900 for `OnionClaimed`. A key seals one reply."""
    length = CLAIM_REPLY_BYTES if isinstance(answer, OnionClaimed) else REPLY_BYTES
    return suite.seal_frame(reply_key, 0, _pad(encode(answer), length - TAG_BYTES), b"")


def open_reply(suite: Suite, reply_key: bytes, sealed: bytes) -> Answer:
    """What the destination says. Raises PeerError: UNREADABLE, MALFORMED, NON_CANONICAL, PADDING."""
    plaintext = suite.open_frame(reply_key, 0, sealed, b"")
    if plaintext is None:
        raise PeerError(Code.UNREADABLE, "a reply that was not sealed by the destination")
    return _answers.decode(_unpad(plaintext))


def _pad(encoded: bytes, length: int) -> bytes:
    assert len(encoded) <= length - _LENGTH_BYTES
    return (len(encoded).to_bytes(_LENGTH_BYTES, "big") + encoded).ljust(length, b"\0")


def _unpad(plaintext: bytes) -> bytes:
    end = _LENGTH_BYTES + int.from_bytes(plaintext[:_LENGTH_BYTES], "big")
    if end > len(plaintext):
        raise PeerError(Code.MALFORMED, "a length past the end of an onion")
    if plaintext[end:] != _ZEROS[: len(plaintext) - end]:
        raise PeerError(Code.PADDING, "padding must be zero")
    return plaintext[_LENGTH_BYTES:end]
