"""Two links joined by nothing but their bytes."""

import itertools
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.crypto.noise import FIRST_OVERHEAD, Initiator, Responder
from protocol.crypto.proofs import custody_message
from protocol.crypto.suite import RealSuite
from protocol.envelope.envelope import seal_envelope
from protocol.errors import Code, PeerError
from protocol.keys import (
    DhPrivate,
    Digest,
    KemSeed,
    Minute,
    ReceiveId,
    RelayKey,
    Request,
    SenderKey,
    SendId,
    Sequence,
    Signature,
    SigningKey,
    Subscription,
)
from protocol.limits import MAX_COMMANDS_PER_FRAME, MAX_QUEUED_COMMAND_BYTES, MAX_UNANSWERED_DEPOSITS, SLOT_BYTES
from protocol.link import offers
from protocol.link.initiator import InitiatorLink
from protocol.link.link import Link
from protocol.link.responder import ResponderLink
from protocol.timing import Timing
from protocol.wire.codec import encode
from protocol.wire.commands import (
    Accepted,
    Ack,
    Claim,
    Command,
    Custody,
    Delivery,
    Deposit,
    Done,
    Drop,
    Prove,
    Refused,
    Role,
    Stored,
    Subscribe,
)
from protocol.wire.frames import FRAME_SIZES, encode_frame

SUITE = RealSuite()
KEY = SUITE.signing_key(b"\x07" * 32)
RELAY = RelayKey(KEY[32:])
SENDER = SUITE.signing_key(b"\x08" * 32)
TIMING = Timing(handshake_seconds=10.0, keep_alive_seconds=100.0)
ENVELOPES = [seal_envelope(SUITE, SENDER, SendId(bytes(16)), bytes([n]) * 3_840) for n in range(16)]


class Dice:
    """Entropy of a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def secret(self, length: int) -> bytes:
        return self._random.randbytes(length)

    def uniform(self) -> float:
        return self._random.random()


def unconnected(now: float = 0.0) -> tuple[InitiatorLink, ResponderLink]:
    return InitiatorLink(SUITE, Dice(1), TIMING, RELAY, now), ResponderLink(SUITE, Dice(2), TIMING, KEY, now)


def connected() -> tuple[InitiatorLink, ResponderLink]:
    node, relay = unconnected()
    assert carry(node, relay) == []
    assert carry(relay, node) == []
    assert node.established
    assert relay.established
    return node, relay


def carry(writer: Link[Any], reader: Link[Any], now: float = 0.0, sizes: list[int] | None = None) -> list[Command]:
    """Everything that the writer has to send now."""
    commands: list[Command] = []
    while (data := writer.transmit(now)) is not None:
        assert len(data) in FRAME_SIZES
        if sizes is not None:
            sizes.append(len(data) // SLOT_BYTES)
        commands += reader.receive(data, now)
    return commands


def deposit(number: int) -> Deposit:
    return Deposit(Request(number), ENVELOPES[number % 16][0])


def accepted(number: int, minute: int = 5) -> Accepted:
    return Accepted(Request(number), ENVELOPES[number % 16][1], Minute(minute))


def refusal(link: Link[Any], data: bytes) -> Code:
    with pytest.raises(PeerError) as refused:
        link.receive(data, 0.0)
    return refused.value.code


def test_both_ends_hold_one_handshake_hash_after_two_messages_of_one_slot() -> None:
    node, relay = unconnected()
    first = node.transmit(0.0)
    assert first is not None
    assert len(first) == SLOT_BYTES
    assert node.transmit(0.0) is None
    assert relay.receive(first, 0.0) == []
    second = relay.transmit(0.0)
    assert second is not None
    assert len(second) == SLOT_BYTES
    assert node.receive(second, 0.0) == []
    assert node.handshake_hash == relay.handshake_hash


def test_what_is_queued_before_the_handshake_leaves_after_it() -> None:
    node, relay = unconnected()
    node.queue(Ack(Subscription(1), Sequence(1)))
    assert carry(node, relay) == []
    carry(relay, node)
    assert carry(node, relay) == [Ack(Subscription(1), Sequence(1))]


@given(st.lists(st.integers(0, 20), min_size=1, max_size=12))
@settings(max_examples=30)
def test_commands_arrive_in_order_whatever_the_batches(batches: list[int]) -> None:
    node, relay = connected()
    sent: list[Command] = []
    received: list[Command] = []
    number = 0
    for batch in batches:
        for _ in range(batch):
            number += 1
            command = deposit(number) if number % 3 else Ack(Subscription(number), Sequence(number))
            sent.append(command)
            node.queue(command)
        received += carry(node, relay)
    assert received == sent
    assert node.queued_bytes == 0


@pytest.mark.parametrize(("deposits", "sizes"), [(1, [1]), (2, [2]), (3, [4]), (5, [8]), (8, [8]), (9, [8, 1])])
def test_a_frame_has_the_fewest_slots_that_hold_what_waits(deposits: int, sizes: list[int]) -> None:
    node, relay = connected()
    for number in range(deposits):
        node.queue(deposit(number))
    seen: list[int] = []
    assert len(carry(node, relay, sizes=seen)) == deposits
    assert seen == sizes


def test_a_relays_slot_carries_one_envelope_with_the_largest_numbers() -> None:
    node, relay = connected()
    for number in range(8):
        relay.queue(Delivery(Subscription(2**32 - 1 - number), Sequence(2**63 - 1), ENVELOPES[number][0]))
    seen: list[int] = []
    assert len(carry(relay, node, sizes=seen)) == 8
    assert seen == [8]


def test_no_frame_holds_more_than_its_commands() -> None:
    node, relay = connected()
    for number in range(600):
        node.queue(Ack(Subscription(1), Sequence(number + 1)))
    seen: list[int] = []
    assert len(carry(node, relay, sizes=seen)) == 600
    assert len(seen) == 3


def test_accepted_comes_up_only_under_the_relays_signature() -> None:
    node, relay = connected()
    for number in range(3):
        node.queue(deposit(number))
    carry(node, relay)
    for reply in (accepted(0), Done(Request(77)), accepted(1, minute=6), accepted(2, minute=6)):
        relay.queue(reply)
    assert carry(relay, node) == [Done(Request(77)), accepted(0), accepted(1, 6), accepted(2, 6)]


@given(st.lists(st.integers(0, 2), min_size=1, max_size=600), st.integers(0, 8))
@settings(max_examples=40)
def test_any_run_of_minutes_fits_its_frames_with_its_custody(minutes: list[int], deliveries: int) -> None:
    node, relay = connected()
    for number in range(len(minutes)):
        node.queue(deposit(number))
        carry(node, relay)
    for number in range(deliveries):
        relay.queue(Delivery(Subscription(1), Sequence(number + 1), ENVELOPES[0][0]))
    for number, minute in enumerate(minutes):
        relay.queue(accepted(number, minute))
    got = [command for command in carry(relay, node) if isinstance(command, Accepted)]
    assert got == [accepted(number, minute) for number, minute in enumerate(minutes)]
    assert relay.queued_bytes == 0


def relay_frame(relay: ResponderLink, *commands: object) -> bytes:
    """What a relay that breaks the rules would send."""
    assert relay._session is not None
    return relay._session.sending.encrypt(encode_frame(commands))


def custody(*digests: Digest, key: bytes = KEY, minute: int = 5, signed_minute: int = 5) -> Custody:
    message = custody_message(Minute(signed_minute), 30, digests)
    return Custody(Minute(minute), 30, SUITE.sign(SigningKey(key), message))


def test_custody_that_is_missing_wrong_or_of_nothing_ends_the_link() -> None:
    first, second = ENVELOPES[1][1], ENVELOPES[2][1]
    for bad in (
        (Stored(Request(1)),),
        (Stored(Request(1)), custody(second)),
        (Stored(Request(1)), custody(first, second)),
        (Stored(Request(1)), custody(first, key=SENDER)),
        (Stored(Request(1)), custody(first, signed_minute=6)),
        (custody(),),
        (custody(first), Stored(Request(1))),
        (Stored(Request(2)), Stored(Request(1)), custody(first, second)),
        (Stored(Request(1)), custody(first), Stored(Request(1)), custody(first)),
        (Stored(Request(9)), custody(first)),
    ):
        node, relay = connected()
        for number in (1, 2):
            node.queue(deposit(number))
        carry(node, relay)
        assert refusal(node, relay_frame(relay, *bad)) is Code.CUSTODY, bad


def test_a_refused_deposit_cannot_be_stored_later() -> None:
    node, relay = connected()
    node.queue(deposit(1))
    carry(node, relay)
    assert node.receive(relay_frame(relay, Refused(Request(1), Code.FULL)), 0.0) == [Refused(Request(1), Code.FULL)]
    assert refusal(node, relay_frame(relay, Stored(Request(1)), custody(ENVELOPES[1][1]))) is Code.CUSTODY


def test_each_end_reads_only_what_the_other_may_say() -> None:
    node, relay = connected()
    assert refusal(node, relay_frame(relay, deposit(1))) is Code.MALFORMED
    assert node._session is not None
    forged = node._session.sending.encrypt(encode_frame([Done(Request(1))]))
    assert refusal(relay, forged) is Code.MALFORMED


@pytest.mark.parametrize(
    ("plaintext", "code"),
    [
        (b"\x00\x01\x90" + bytes(4_076) + b"\x01", Code.PADDING),
        (b"\xff\xff" + bytes(4_078), Code.MALFORMED),
        (b"\x00\x03\xdc\x00\x00" + bytes(4_075), Code.NON_CANONICAL),
        (b"\x00\x00" + bytes(4_078), Code.MALFORMED),
        (b"\x00\x02\x91\x80" + bytes(4_076), Code.MALFORMED),
        (b"\x0f\xee" + b"\x91" * 4_078, Code.MALFORMED),
        (encode_frame([Ack(Subscription(1), Sequence(1))] * MAX_COMMANDS_PER_FRAME), None),
    ],
)
def test_a_frame_that_breaks_a_rule_ends_the_link_with_its_code(plaintext: bytes, code: Code | None) -> None:
    node, relay = connected()
    assert node._session is not None
    sealed = node._session.sending.encrypt(plaintext)
    if code is None:
        assert len(relay.receive(sealed, 0.0)) == MAX_COMMANDS_PER_FRAME
    else:
        assert refusal(relay, sealed) is code


def test_more_commands_than_a_frame_may_hold_are_refused() -> None:
    node, relay = connected()
    encoded = encode([Ack(Subscription(1), Sequence(1))] * (MAX_COMMANDS_PER_FRAME + 1))
    plaintext = (len(encoded).to_bytes(2, "big") + encoded).ljust(SLOT_BYTES - 16, b"\0")
    assert node._session is not None
    assert refusal(relay, node._session.sending.encrypt(plaintext)) is Code.LIMIT


@pytest.mark.parametrize("length", [0, 1, 4_095, 4_097, 12_288, 32_769, 65_536])
def test_a_message_of_another_size_is_refused(length: int) -> None:
    assert refusal(unconnected()[1], bytes(length)) is Code.SIZE
    assert refusal(connected()[1], bytes(length)) is Code.SIZE


def test_a_handshake_message_is_one_slot() -> None:
    assert refusal(unconnected()[1], bytes(8_192)) is Code.SIZE


def test_a_frame_that_does_not_authenticate_is_refused() -> None:
    node, relay = connected()
    node.queue(deposit(1))
    frame = node.transmit(0.0)
    assert frame is not None
    assert refusal(relay, frame[:-1] + bytes([frame[-1] ^ 1])) is Code.NOISE


def test_a_relay_with_another_key_is_not_talked_to() -> None:
    node, _ = unconnected()
    impostor = ResponderLink(SUITE, Dice(3), TIMING, SENDER, 0.0)
    first = node.transmit(0.0)
    assert first is not None
    assert refusal(impostor, first) is Code.NOISE


def test_a_dialled_key_that_is_no_key_is_refused_at_once() -> None:
    with pytest.raises(PeerError) as refused:
        InitiatorLink(SUITE, Dice(1), TIMING, RelayKey(b"\xff" * 32), 0.0)
    assert refused.value.code is Code.BAD_KEY


def padded(versions: list[object], length: int) -> bytes:
    encoded = encode(versions)
    return (len(encoded).to_bytes(2, "big") + encoded).ljust(length, b"\0")


@pytest.mark.parametrize(
    ("versions", "code"),
    [([2], Code.VERSION), ([], Code.MALFORMED), ([0], Code.MALFORMED), (["1"], Code.MALFORMED), ([2, 3], Code.VERSION)],
)
def test_a_responder_refuses_offers_without_a_version_in_common(versions: list[object], code: Code) -> None:
    _, relay = unconnected()
    initiator = Initiator(SUITE, SUITE.relay_dh_public(RELAY), DhPrivate(b"\x11" * 32), KemSeed(b"\x12" * 64))
    assert refusal(relay, initiator.write(padded(versions, offers.OFFER_BYTES))) is code
    assert not relay.established
    assert relay.transmit(0.0) is None


def test_a_newer_initiator_gets_the_version_that_both_speak() -> None:
    assert offers.choose(padded([1, 2, 9], offers.OFFER_BYTES)) == padded([1], offers.CHOICE_BYTES)


@pytest.mark.parametrize("versions", [[2], [1, 1], [1, 2]])
def test_an_initiator_refuses_a_version_that_it_did_not_offer(versions: list[object]) -> None:
    node, _ = unconnected()
    first = node.transmit(0.0)
    assert first is not None
    relay = Responder(SUITE, SUITE.relay_dh_private(KEY), DhPrivate(b"\x11" * 32))
    relay.read(first)
    second, _ = relay.write(padded(versions, offers.CHOICE_BYTES))
    assert refusal(node, second) is Code.VERSION
    assert not node.established


def test_nothing_but_zeros_pads_an_offer() -> None:
    assert offers.offer()[4:] == bytes(offers.OFFER_BYTES - 4)
    with pytest.raises(PeerError) as refused:
        offers.choose(offers.offer()[:-1] + b"\1")
    assert refused.value.code is Code.PADDING
    assert offers.OFFER_BYTES + FIRST_OVERHEAD == SLOT_BYTES


def test_an_idle_link_sends_an_empty_frame_about_every_keep_alive() -> None:
    node, relay = connected()
    now = 0.0
    sent: list[float] = []
    while len(sent) < 20:
        now = node.next_wake
        node.tick(now)
        relay.tick(now)
        for link, other in ((node, relay), (relay, node)):
            while (frame := link.transmit(now)) is not None:
                assert len(frame) == SLOT_BYTES
                assert other.receive(frame, now) == []
                if link is node:
                    sent.append(now)
    gaps = [after - before for before, after in itertools.pairwise(sent)]
    assert all(79.9 <= gap <= 120.1 for gap in gaps)
    assert len(set(gaps)) > 10


def test_a_busy_link_sends_no_keep_alive() -> None:
    node, relay = connected()
    for step in range(1, 10):
        node.queue(deposit(step))
        assert len(carry(node, relay, now=step * 50.0)) == 1
        assert node.transmit(step * 50.0 + 1) is None


def test_a_silent_peer_ends_the_link() -> None:
    node, _ = connected()
    node.tick(249.0)
    with pytest.raises(PeerError) as refused:
        node.tick(250.0)
    assert refused.value.code is Code.SILENT


def test_a_handshake_that_does_not_come_ends_the_link() -> None:
    for link in unconnected(now=5.0):
        assert link.next_wake == 15.0
        link.tick(14.9)
        with pytest.raises(PeerError) as refused:
            link.tick(15.0)
        assert refused.value.code is Code.SILENT


def fill(link: Link[Any], command: Command) -> None:
    """Until the link refuses."""
    for _ in range(MAX_QUEUED_COMMAND_BYTES):
        link.queue(command)


@pytest.mark.parametrize("command", [Delivery(Subscription(1), Sequence(1), ENVELOPES[0][0]), accepted(1)])
def test_what_waits_to_be_sent_is_bounded(command: Command) -> None:
    _, relay = connected()
    with pytest.raises(PeerError) as refused:
        fill(relay, command)
    assert refused.value.code is Code.LIMIT


def test_a_relay_that_never_answers_is_not_given_deposits_without_end() -> None:
    node, _ = connected()
    for number in range(MAX_UNANSWERED_DEPOSITS):
        node.queue(deposit(number))
        node.transmit(0.0)
    with pytest.raises(PeerError) as refused:
        node.queue(deposit(-1))
    assert refused.value.code is Code.LIMIT


MINE, OTHERS = SendId(b"m" * 16), SendId(b"o" * 16)


@pytest.mark.parametrize(
    "command",
    [
        Claim(Request(1), OTHERS, SenderKey(bytes(32)), Signature(bytes(64))),
        Prove(Request(1), OTHERS, Role.SENDER, Signature(bytes(64))),
        Prove(Request(1), MINE, Role.RECIPIENT, Signature(bytes(64))),
        Deposit(Request(1), seal_envelope(SUITE, SENDER, OTHERS, bytes(3_840))[0]),
        Subscribe(Request(1), Subscription(1), ReceiveId(MINE)),
        Drop(Request(1), ReceiveId(MINE)),
        Ack(Subscription(1), Sequence(1)),
    ],
    ids=lambda command: type(command).__name__,
)
def test_a_session_of_one_contact_reaches_no_queue_but_its_own(command: Any) -> None:
    node, relay = confined()
    node.queue(command)
    frame = node.transmit(0.0)
    assert frame is not None
    with pytest.raises(PeerError) as refused:
        relay.receive(frame, 0.0)
    assert refused.value.code is Code.MALFORMED


def test_a_session_of_one_contact_reaches_its_own_queue() -> None:
    node, relay = confined()
    commands: list[Any] = [
        Claim(Request(1), MINE, SenderKey(bytes(32)), Signature(bytes(64))),
        Prove(Request(2), MINE, Role.SENDER, Signature(bytes(64))),
        Deposit(Request(3), seal_envelope(SUITE, SENDER, MINE, bytes(3_840))[0]),
    ]
    for command in commands:
        node.queue(command)
    received: list[Any] = []
    while (frame := node.transmit(0.0)) is not None:
        received += relay.receive(frame, 0.0)
    assert received == commands


def confined() -> tuple[InitiatorLink, ResponderLink]:
    """Both ends of a session that rests on a secret and reaches one queue."""
    psk = b"p" * 32
    node = InitiatorLink(SUITE, Dice(1), TIMING, RELAY, 0.0, psk=psk)
    relay = ResponderLink(SUITE, Dice(2), TIMING, KEY, 0.0, psk=psk, reaches=frozenset({MINE}))
    first = node.transmit(0.0)
    assert first is not None
    relay.receive(first, 0.0)
    second = relay.transmit(0.0)
    assert second is not None
    node.receive(second, 0.0)
    return node, relay
