"""Onions: one size whatever is inside, opened by their destination alone, answered under a key of their own."""

import os

import pytest

from protocol.crypto.suite import RealSuite
from protocol.errors import Code, PeerError
from protocol.forwarding.descriptor import check_descriptor, sign_descriptor
from protocol.forwarding.onion import Content, open_onion, open_reply, seal_onion, seal_reply
from protocol.keys import DhPrivate, Minute, RelayKey, SenderKey, Signature
from protocol.limits import CLAIM_REPLY_BYTES, ENVELOPE_BYTES, ONION_BYTES, REPLY_BYTES, SEALED_INVITATION_BYTES
from protocol.wire.onions import Cover, OnionClaim, OnionClaimed, OnionDeposit, OnionStored, Unwanted
from simulations.entropy import CounterEntropy
from simulations.toy import ToySuite

RELAY = RelayKey(bytes(range(32)))
PRIVATE = DhPrivate(bytes(range(32, 64)))
CONTENTS: list[Content] = [
    OnionDeposit(os.urandom(ENVELOPE_BYTES)),
    OnionDeposit(b"x"),
    OnionClaim(bytes(16), SenderKey(bytes(32)), Signature(bytes(64))),
    Cover(),
]


@pytest.mark.parametrize("suite", [RealSuite(), ToySuite()], ids=["real", "toy"])
@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: type(content).__name__)
def test_an_onion_has_one_size_and_its_destination_opens_it(suite: RealSuite, content: Content) -> None:
    onion, reply_key = seal_onion(suite, CounterEntropy("one"), RELAY, 7, suite.dh_public(PRIVATE), content)
    assert len(onion) == ONION_BYTES
    assert onion[0] == 7
    opened = open_onion(suite, RELAY, PRIVATE, onion)
    assert opened == (content, reply_key)


def test_an_onion_for_one_relay_is_unreadable_to_another_and_once_a_bit_is_changed() -> None:
    suite = RealSuite()
    onion, _ = seal_onion(suite, CounterEntropy("one"), RELAY, 7, suite.dh_public(PRIVATE), Cover())
    changed = onion[:-1] + bytes((onion[-1] ^ 1,))
    for relay, private, what in (
        (RelayKey(bytes(32)), PRIVATE, onion),
        (RELAY, DhPrivate(bytes(32)), onion),
        (RELAY, PRIVATE, changed),
    ):
        with pytest.raises(PeerError) as caught:
            open_onion(suite, relay, private, what)
        assert caught.value.code is Code.UNREADABLE


@pytest.mark.parametrize(
    ("plaintext", "code"),
    [
        (b"\x00\x02\x91\x03" + bytes(3_940) + b"\x01", Code.PADDING),
        (b"\xff\xff" + bytes(3_943), Code.MALFORMED),
        (b"\x00\x02\x91\x04" + bytes(3_941), Code.MALFORMED),
        (b"\x00\x03\x91\xcc\x03" + bytes(3_940), Code.NON_CANONICAL),
    ],
)
def test_what_is_sealed_well_and_is_no_content_is_refused(plaintext: bytes, code: Code) -> None:
    suite = RealSuite()
    info = b"kassiber 1 onion" + RELAY
    sealed, _ = suite.hpke_seal(DhPrivate(os.urandom(32)), suite.dh_public(PRIVATE), info, plaintext)
    with pytest.raises(PeerError) as caught:
        open_onion(suite, RELAY, PRIVATE, b"\x01" + sealed)
    assert caught.value.code is code


def test_replies_have_two_sizes_and_only_who_asked_reads_them() -> None:
    suite, key = RealSuite(), bytes(range(32))
    stored = OnionStored(Minute(5), 30, Signature(bytes(64)))
    for answer in (stored, Unwanted(Code.FULL)):
        sealed = seal_reply(suite, key, answer)
        assert len(sealed) == REPLY_BYTES
        assert open_reply(suite, key, sealed) == answer
    claimed = OnionClaimed(bytes(SEALED_INVITATION_BYTES))
    sealed = seal_reply(suite, key, claimed)
    assert len(sealed) == CLAIM_REPLY_BYTES == len(seal_reply(suite, key, OnionClaimed(None)))
    assert open_reply(suite, key, sealed) == claimed
    with pytest.raises(PeerError):
        open_reply(suite, bytes(32), sealed)


def test_a_descriptor_is_believed_only_if_its_relay_signed_it_and_until_its_last_minute() -> None:
    suite = RealSuite()
    signing = suite.signing_key(bytes(32))
    relay = RelayKey(signing[32:])
    descriptor = sign_descriptor(suite, signing, 3, suite.dh_public(PRIVATE), Minute(100))
    check_descriptor(suite, relay, descriptor, Minute(100))
    for other, minute, code in ((relay, 101, Code.EXPIRED), (RELAY, 100, Code.FORGED)):
        with pytest.raises(PeerError) as caught:
            check_descriptor(suite, other, descriptor, Minute(minute))
        assert caught.value.code is code
