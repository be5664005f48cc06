"""Spec 8 §2: the bytes under each signature, written out by hand."""

import hashlib

import msgpack

from protocol.crypto.proofs import claim_message, create_message, custody_message, prove_message, receive_id
from protocol.keys import (
    ClaimKey,
    Digest,
    HandshakeHash,
    LinkId,
    Minute,
    RecipientKey,
    RelayKey,
    SenderKey,
    SendId,
)
from protocol.limits import SEALED_INVITATION_BYTES
from protocol.wire.commands import Link, Role

H = HandshakeHash(b"h" * 32)
RECIPIENT = RecipientKey(b"r" * 32)
SEND_ID = SendId(b"s" * 16)
CLAIM = ClaimKey(b"c" * 32)


def test_a_receive_id_is_cut_from_the_hash_of_the_recipient_key() -> None:
    assert receive_id(RECIPIENT) == hashlib.sha256(b"kassiber 1 receive id" + b"r" * 32).digest()[:16]


def test_create_is_signed_over_the_session_and_every_field() -> None:
    link = Link(LinkId(b"l" * 16), 60, b"x" * SEALED_INVITATION_BYTES)
    for value, packed in ((None, None), (link, [b"l" * 16, 60, b"x" * SEALED_INVITATION_BYTES])):
        fields = msgpack.packb([RECIPIENT, SEND_ID, CLAIM, packed])
        expected = b"kassiber 1 sign create" + H + hashlib.sha256(fields).digest()
        assert create_message(H, RECIPIENT, SEND_ID, CLAIM, value) == expected


def test_a_claim_is_signed_over_the_relay_and_not_over_the_session() -> None:
    message = claim_message(RelayKey(b"R" * 32), SEND_ID, SenderKey(b"S" * 32))
    assert message == b"kassiber 1 sign claim" + b"R" * 32 + b"s" * 16 + b"S" * 32


def test_a_proof_is_signed_over_session_role_and_id() -> None:
    assert prove_message(H, Role.RECIPIENT, SEND_ID) == b"kassiber 1 sign prove" + H + b"\x01" + SEND_ID
    assert prove_message(H, Role.SENDER, SEND_ID) == b"kassiber 1 sign prove" + H + b"\x02" + SEND_ID


def test_custody_is_signed_over_minute_days_and_the_digests_in_order() -> None:
    first, second = Digest(b"1" * 32), Digest(b"2" * 32)
    hashed = hashlib.blake2b(b"1" * 32 + b"2" * 32, digest_size=32).digest()
    expected = b"kassiber 1 sign custody" + b"\x01\x02\x03\x04" + b"\x00\x1e" + hashed
    assert custody_message(Minute(0x01020304), 30, [first, second]) == expected
    assert custody_message(Minute(0x01020304), 30, [second, first]) != expected
