"""Spec 5 §2."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.crypto.suite import RealSuite
from protocol.envelope.envelope import envelope_digest, envelope_is_signed, parse_envelope, seal_envelope
from protocol.errors import Code, PeerError
from protocol.keys import SenderKey, SendId
from protocol.limits import BODY_BYTES, ENVELOPE_BYTES

SUITE = RealSuite()
KEY = SUITE.signing_key(bytes(range(32)))
SEND_ID = SendId(b"s" * 16)
BODY = bytes(range(256)) * 15
SEALED, DIGEST = seal_envelope(SUITE, KEY, SEND_ID, BODY)


def refusal(data: bytes) -> Code:
    with pytest.raises(PeerError) as caught:
        parse_envelope(data)
    return caught.value.code


def test_an_envelope_is_what_msgpack_writes() -> None:
    assert len(SEALED) == ENVELOPE_BYTES
    version, send_id, body, signature = msgpack.unpackb(SEALED)
    assert (version, send_id, body) == (1, SEND_ID, BODY)
    assert msgpack.packb([version, send_id, body, signature]) == SEALED


def test_an_envelope_parses_to_what_was_sealed_and_carries_its_senders_signature() -> None:
    envelope = parse_envelope(SEALED)
    assert (envelope.send_id, envelope.body) == (SEND_ID, BODY)
    assert envelope.digest == DIGEST == envelope_digest(SEND_ID, BODY)
    assert envelope_is_signed(SUITE, SenderKey(KEY[32:]), DIGEST, envelope.signature)
    other = SUITE.signing_key(bytes(32))
    assert not envelope_is_signed(SUITE, SenderKey(other[32:]), DIGEST, envelope.signature)


@pytest.mark.parametrize("version", [0, 2, 127])
def test_an_envelope_of_another_version_says_so_whatever_its_length(version: int) -> None:
    assert refusal(b"\x94" + bytes((version,)) + SEALED[2:]) == Code.VERSION
    assert refusal(b"\x94" + bytes((version,))) == Code.VERSION


@pytest.mark.parametrize("data", [b"", b"\x94", b"\x94\x01", SEALED[:-1], SEALED + b"\0", b"\x94\xc1" + SEALED[2:]])
def test_what_is_not_an_envelope_is_malformed(data: bytes) -> None:
    assert refusal(data) == Code.MALFORMED


@given(st.integers(0, ENVELOPE_BYTES - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_changes_what_is_signed(place: int, change: int) -> None:
    data = SEALED[:place] + bytes((SEALED[place] ^ change,)) + SEALED[place + 1 :]
    try:
        envelope = parse_envelope(data)
    except PeerError:
        return
    assert not envelope_is_signed(SUITE, SenderKey(KEY[32:]), envelope.digest, envelope.signature)


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8))
def test_whatever_parses_seals_to_the_same_bytes(send_id: bytes, salt: bytes) -> None:
    body = salt + bytes(BODY_BYTES - 8)
    sealed, _ = seal_envelope(SUITE, KEY, SendId(send_id), body)
    assert sealed == msgpack.packb([1, send_id, body, parse_envelope(sealed).signature])
