"""Handshakes: what the two ends share, and what nobody else can make of it (Spec 4 §1–§2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from protocol.errors import Code, PeerError
from protocol.keys import DhPublic
from protocol.limits import BODY_BYTES
from protocol.session import handshake, ratchet
from protocol.session.identity import make_identity
from protocol.wire.codec import encode
from tests.protocol.session.people import SUITE, OpenInvitation, SeededEntropy, invite, join, meet, receive

INVITATION = invite()
JOINED, BODY = join(INVITATION)


def refused(invitation: OpenInvitation, body: bytes, code: Code = Code.UNREADABLE) -> bool:
    with pytest.raises(PeerError) as caught:
        receive(invitation, body)
    return caught.value.code is code


def test_both_ends_hold_the_same_secrets_and_each_others_identity() -> None:
    joiner = make_identity(SUITE, SeededEntropy("bob's own"))
    joined, body = join(INVITATION, joiner)
    received, _ = receive(INVITATION, body)
    assert (joined.peer, received.peer) == (INVITATION.keys.identity, joiner.identity)
    assert (joined.reset, joined.discovery) == (received.reset, received.discovery)
    assert joined.ratchet.transcript == received.ratchet.transcript
    assert len({joined.reset, joined.discovery, joined.ratchet.transcript}) == 3


def test_the_payload_arrives_as_it_was() -> None:
    payload = bytes(range(256)) * 5 + bytes(128)
    assert receive(INVITATION, join(INVITATION, payload=payload)[1])[1] == payload


def test_a_handshake_is_as_long_as_any_body() -> None:
    assert len(BODY) == BODY_BYTES


def test_reading_a_handshake_changes_nothing_so_it_may_be_read_again() -> None:
    assert receive(INVITATION, BODY) == receive(INVITATION, BODY)


@given(st.integers(0, 8 * BODY_BYTES - 1))
def test_no_bit_of_a_handshake_can_be_changed(bit: int) -> None:
    """Bit 255 of an X25519 key is ignored by the curve (RFC 7748 §5), not by the transcript."""
    body = bytearray(BODY)
    body[bit // 8] ^= 1 << bit % 8
    assert refused(INVITATION, bytes(body))


@pytest.mark.parametrize("length", [0, 31, 3_839, 3_841])
def test_a_handshake_of_another_length_is_refused(length: int) -> None:
    assert refused(INVITATION, BODY[:length].ljust(length, b"\0"), Code.SIZE)


def test_without_the_links_secret_a_handshake_is_worth_nothing() -> None:
    stranger = INVITATION._replace(psk=bytes(32))
    assert refused(stranger, BODY)
    assert refused(INVITATION, join(stranger)[1])


def test_a_handshake_opens_under_its_own_invitation_only() -> None:
    assert refused(invite("carol"), BODY)


@pytest.mark.parametrize("field", ["expiry", "restricted_to", "routes", "identity"])
def test_a_relay_that_altered_the_invitation_gets_a_handshake_that_nobody_completes(field: str) -> None:
    other = invite("carol").value
    values = {
        "expiry": 1, "restricted_to": bytes(32), "routes": other.routes * 2, "identity": other.identity
    }  # fmt: skip
    altered = replace(INVITATION.value, **{field: values[field]})
    _, body = join(INVITATION._replace(value=altered, encoded=encode(altered)))
    assert refused(INVITATION, body)


def test_a_handshake_with_oneself_is_refused() -> None:
    assert refused(INVITATION, join(INVITATION, INVITATION.keys)[1], Code.WRONG_RECIPIENT)


@pytest.mark.parametrize("point", [bytes(32), b"\1" + bytes(31)])
def test_prekeys_of_small_order_are_refused_before_anything_is_sealed(point: bytes) -> None:
    altered = replace(INVITATION.value, prekey_dh=DhPublic(point))
    with pytest.raises(PeerError) as caught:
        join(INVITATION._replace(value=altered, encoded=encode(altered)))
    assert caught.value.code is Code.BAD_KEY


def test_two_handshakes_for_one_invitation_share_nothing() -> None:
    other, body = join(INVITATION, name="another bob")
    assert other.reset != JOINED.reset
    assert other.ratchet.root != JOINED.ratchet.root
    assert body[:32] != BODY[:32]


def test_the_relay_sees_neither_identity_nor_key_in_a_handshake() -> None:
    joiner = make_identity(SUITE, SeededEntropy("bob's own"))
    _, body = join(INVITATION, joiner)
    for known in (joiner.identity[:32], joiner.identity[32:], INVITATION.keys.identity[32:], INVITATION.psk):
        assert known not in body


def test_the_sessions_talk_at_once_in_both_directions() -> None:
    joined, received = meet()
    entropy = SeededEntropy("talk")
    _, forth = ratchet.seal(SUITE, entropy, joined.ratchet, b"a" * 1_472)
    _, back = ratchet.seal(SUITE, entropy, received.ratchet, b"b" * 1_472)
    assert ratchet.open_body(SUITE, received.ratchet, forth, lambda turn, number: None).payload == b"a" * 1_472
    assert ratchet.open_body(SUITE, joined.ratchet, back, lambda turn, number: None).payload == b"b" * 1_472


def test_a_handshakes_prekeys_are_not_the_ratchets_next_keys() -> None:
    """Healing: after the first reply neither prekey is in the state any more."""
    _, received = meet()
    replied, _ = ratchet.seal(SUITE, SeededEntropy("reply"), received.ratchet, bytes(1_472))
    assert replied.dh != INVITATION.prekeys.dh
    assert replied.kem != INVITATION.prekeys.kem
    assert handshake.Prekeys(received.ratchet.dh, received.ratchet.kem) == INVITATION.prekeys
