"""The envelope: 3,929 bytes, one size, signed by a pairwise key (Spec 5 §2).

`94 01 c4 10 send_id 16 c5 0f00 body 3,840 c4 40 signature 64`: msgpack of [version, send_id, body, signature]. As every
length is fixed, so is every byte between the fields, and parsing compares these: whatever passes is canonical.
"""

import struct
from typing import NamedTuple

from protocol import PROTOCOL_VERSION
from protocol.crypto.labels import SIGN_ENVELOPE
from protocol.crypto.suite import Suite, blake2b_256
from protocol.errors import Code, PeerError
from protocol.keys import Digest, SenderKey, SendId, Signature, SigningKey
from protocol.limits import BODY_BYTES, ENVELOPE_BYTES

_VERSION = bytes((PROTOCOL_VERSION,))
_HEAD = b"\x94" + _VERSION + b"\xc4\x10"
_BODY = b"\xc5" + BODY_BYTES.to_bytes(2, "big")
_SIGNATURE = b"\xc4\x40"
_LAYOUT = struct.Struct(f"{len(_HEAD)}s 16s {len(_BODY)}s {BODY_BYTES}s {len(_SIGNATURE)}s 64s")
assert _LAYOUT.size == ENVELOPE_BYTES


class Envelope(NamedTuple):
    """A parsed envelope; `body` 3,840 bytes. Nothing of it is verified."""

    send_id: SendId
    body: bytes
    signature: Signature

    @property
    def digest(self) -> Digest:
        """Its name everywhere; computed anew each time it is asked for."""
        return envelope_digest(self.send_id, self.body)


def envelope_digest(send_id: SendId, body: bytes) -> Digest:
    """32 bytes: BLAKE2b-256(version 1 ‖ send_id 16 ‖ body 3,840)."""
    return Digest(blake2b_256(_VERSION, send_id, body))


def seal_envelope(suite: Suite, key: SigningKey, send_id: SendId, body: bytes) -> tuple[bytes, Digest]:
    """3,929 bytes and their digest. Signed is Ed25519(label ‖ digest): a right to use a queue, not authorship."""
    assert len(send_id) == 16
    assert len(body) == BODY_BYTES
    digest = envelope_digest(send_id, body)
    signature = suite.sign(key, SIGN_ENVELOPE + digest)
    return b"".join((_HEAD, send_id, _BODY, body, _SIGNATURE, signature)), digest


def parse_envelope(data: bytes) -> Envelope:
    """Raises PeerError: VERSION (an envelope of another version), MALFORMED (anything else that is not one)."""
    if data[:4] != _HEAD and data[:1] == _HEAD[:1] and b"\x00" <= data[1:2] < b"\x80" and data[1:2] != _VERSION:
        raise PeerError(Code.VERSION, f"an envelope of version {data[1]}")
    if len(data) != ENVELOPE_BYTES:
        raise PeerError(Code.MALFORMED, f"an envelope of {len(data)} bytes")
    head, send_id, before_body, body, before_signature, signature = _LAYOUT.unpack(data)
    if (head, before_body, before_signature) != (_HEAD, _BODY, _SIGNATURE):
        raise PeerError(Code.MALFORMED, "not an envelope")
    return Envelope(SendId(send_id), body, Signature(signature))


def envelope_is_signed(suite: Suite, key: SenderKey, digest: Digest, signature: Signature) -> bool:
    """Whether `key` signed the envelope of this digest."""
    return suite.verify(key, SIGN_ENVELOPE + digest, signature)
