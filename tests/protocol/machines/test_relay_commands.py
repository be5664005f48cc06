"""Spec 8 §3: what each command does, and to whom it is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.store.relay import RelayStore
from protocol.envelope.envelope import parse_envelope
from protocol.errors import Code
from protocol.keys import Minute, RelayKey, Request, Subscription
from protocol.limits import MAX_CREATES_PER_CONNECTION, MAX_INVITATION_DAYS, RELAY_LIST_PART_BYTES
from protocol.wire.commands import (
    Accepted,
    Claimed,
    Command,
    Deposit,
    Described,
    Done,
    Ended,
    Info,
    Link,
    Marker,
    MarkerKind,
    Refused,
    Role,
    Subscribed,
)
from tests.protocol.machines.relay_bench import START, Bench, Someone, ack, envelopes, sequences

NOW_MINUTE = Minute(int(START // 60))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    store = RelayStore(tmp_path / "relay.db")
    yield Bench(store, quota=40)
    store.close()


def only(commands: list[Command]) -> Command:
    assert len(commands) == 1, commands
    return commands[0]


def refused(request: int, code: Code = Code.REFUSED) -> Refused:
    return Refused(Request(request), code)


def test_a_queue_is_made_and_its_maker_may_subscribe(bench: Bench) -> None:
    alice, session = Someone("alice"), bench.connect()
    assert only(bench.send(session, alice.create(bench.h(session)))) == Done(Request(1))
    assert only(bench.send(session, alice.subscribe())) == Subscribed(Request(5), None)


def test_a_repeated_create_makes_no_second_queue_and_proves_the_key_again(bench: Bench) -> None:
    alice = bench.queue("alice")
    bench.send(bench.sender(alice), alice.deposit("first"))
    session = bench.connect()
    replies = bench.send(session, alice.create(bench.h(session)), alice.subscribe())
    assert replies[:2] == [Done(Request(1)), Subscribed(Request(5), None)]
    assert envelopes(replies) == [alice.envelope("first")]


def test_a_create_signed_for_another_session_is_refused(bench: Bench) -> None:
    alice, session, other = Someone("alice"), bench.connect(), bench.connect()
    assert only(bench.send(session, alice.create(bench.h(other)))) == refused(1)
    assert only(bench.send(session, alice.subscribe())) == refused(5)


def test_a_create_with_a_changed_field_is_refused(bench: Bench) -> None:
    alice, eve, session = Someone("alice"), Someone("eve"), bench.connect()
    for signed in (alice.create(bench.h(session)), alice.create(bench.h(session), link=alice.link())):
        values = {name: getattr(signed, name) for name in signed.__struct_fields__}
        for name, value in (
            ("recipient_key", eve.recipient[32:]),
            ("send_id", eve.send_id),
            ("claim_key", eve.claimer[32:]),
            ("link", alice.link(61)),
        ):
            assert only(bench.send(session, type(signed)(**values | {name: value}))) == refused(1)


def test_the_same_recipient_key_cannot_have_another_queue(bench: Bench) -> None:
    alice, session = bench.queue("alice"), bench.connect()
    for field in ("send_id", "claimer"):
        changed = Someone("alice")
        setattr(changed, field, getattr(Someone("other"), field))
        assert only(bench.send(session, changed.create(bench.h(session)))) == refused(1)
    assert only(bench.send(session, alice.create(bench.h(session)))) == Done(Request(1))


def test_a_name_that_is_taken_is_refused(bench: Bench) -> None:
    """As a claim looks for a link and for a queue under one id, neither may take the other's name."""
    alice, session = Someone("alice"), bench.connect()
    bench.send(session, alice.create(bench.h(session), link=alice.link()))
    for field, link in (("send_id", False), ("send_id", True), ("link_id", True)):
        for taken in (alice.send_id, alice.link_id):
            eve = Someone("eve")
            setattr(eve, field, taken)
            made = eve.create(bench.h(session), link=eve.link() if link else None)
            assert only(bench.send(session, made)) == refused(1)


def test_an_invitation_cannot_be_kept_longer_than_the_limit(bench: Bench) -> None:
    alice, session = Someone("alice"), bench.connect()
    most = MAX_INVITATION_DAYS * 1_440
    made = alice.create(bench.h(session), link=alice.link(most + 1))
    assert only(bench.send(session, made)) == refused(1, Code.TOO_LARGE)
    assert only(bench.send(session, alice.create(bench.h(session), link=alice.link(most)))) == Done(Request(1))


def test_a_repeated_create_brings_no_other_invitation_and_none_back(bench: Bench) -> None:
    alice, session = Someone("alice"), bench.connect()
    h = bench.h(session)
    bench.send(session, alice.create(h, link=alice.link()))
    assert only(bench.send(session, alice.create(h, link=alice.link(61)))) == Done(Request(1))
    other = Link(alice.link_id, 60, bytes(len(alice.sealed)))
    assert only(bench.send(session, alice.create(h, link=other))) == refused(1)
    assert only(bench.send(session, alice.settle())) == Done(Request(6))
    assert only(bench.send(session, alice.create(h, link=alice.link()))) == Done(Request(1))
    assert only(bench.send(bench.connect(), alice.claim(alice.link_id))) == refused(2)


def test_too_many_creates_end_the_session_alone(bench: Bench) -> None:
    alice, session, other = bench.queue("alice"), bench.connect(), bench.connect()
    made = alice.create(bench.h(session))
    for _ in range(MAX_CREATES_PER_CONNECTION // 256):
        bench.send(session, *[made] * 256)
    assert session not in bench.disconnected
    bench.send(session, made)
    assert bench.disconnected == {session: Code.LIMIT}
    assert only(bench.send(other, alice.create(bench.h(other)))) == Done(Request(1))


def test_a_claim_returns_the_invitation_and_tells_the_inviter_when_and_who(bench: Bench) -> None:
    alice, session, joiner = Someone("alice"), bench.connect(), bench.connect()
    bench.send(session, alice.create(bench.h(session), link=alice.link()), alice.subscribe())
    assert only(bench.send(joiner, alice.claim(alice.link_id))) == Claimed(Request(2), alice.sealed)
    marker = only(bench.take(session))
    assert isinstance(marker, Marker)
    assert (marker.marker, marker.minute, marker.key) == (MarkerKind.CLAIMED, NOW_MINUTE, alice.sender_key)


def test_a_lost_answer_to_a_claim_costs_nothing(bench: Bench) -> None:
    alice, session = Someone("alice"), bench.connect()
    bench.send(session, alice.create(bench.h(session), link=alice.link()), alice.subscribe())
    for _ in range(2):
        assert only(bench.send(bench.connect(), alice.claim(alice.link_id))) == Claimed(Request(2), alice.sealed)
        assert only(bench.send(bench.connect(), alice.claim())) == Claimed(Request(2), None)
    assert len(bench.take(session)) == 1


def test_an_invitation_opened_by_two_goes_to_the_first(bench: Bench) -> None:
    first, second, session = Someone("alice"), Someone("alice", sender="second"), bench.connect()
    bench.send(session, first.create(bench.h(session), link=first.link()), first.subscribe())
    assert isinstance(only(bench.send(bench.connect(), first.claim(first.link_id))), Claimed)
    for named in (second.link_id, second.send_id):
        assert only(bench.send(bench.connect(), second.claim(named))) == refused(2)
    assert len(bench.take(session)) == 1
    assert only(bench.send(bench.connect(), second.deposit("mine too"))) == refused(4)


def test_a_claim_without_the_secret_or_for_another_relay_is_refused(bench: Bench) -> None:
    alice, eve, session = Someone("alice"), Someone("alice"), bench.connect()
    bench.send(session, alice.create(bench.h(session), link=alice.link()))
    eve.claimer = Someone("eve").claimer
    assert only(bench.send(session, eve.claim(eve.link_id))) == refused(2)
    elsewhere = alice.claim(alice.link_id, relay_key=RelayKey(b"other relay's key, of 32 bytes.."))
    assert only(bench.send(session, elsewhere)) == refused(2)
    moved = alice.claim(alice.send_id)
    moved = type(moved)(moved.request, alice.link_id, moved.sender_key, moved.signature)
    assert only(bench.send(session, moved)) == refused(2)


def test_an_expired_invitation_is_refused_even_before_it_is_erased(bench: Bench) -> None:
    alice, session = Someone("alice"), bench.connect()
    bench.send(session, alice.create(bench.h(session), link=alice.link(1)))
    bench.service += 59.0
    claimed = alice.claim(alice.link_id)
    bench.service += 1.0
    assert only(bench.send(session, claimed)) == refused(2)
    bench.pass_time(10.0)
    assert only(bench.send(session, claimed)) == refused(2)


def test_settling_erases_the_invitation_and_keeps_the_queue(bench: Bench) -> None:
    alice, session = Someone("alice"), bench.connect()
    bench.send(session, alice.create(bench.h(session), link=alice.link()))
    bench.send(session, alice.claim(alice.link_id))
    assert bench.send(session, alice.settle(), alice.settle(8)) == [Done(Request(6)), Done(Request(8))]
    assert only(bench.send(session, alice.claim(alice.link_id))) == refused(2)
    assert only(bench.send(session, alice.claim())) == Claimed(Request(2), None)
    assert isinstance(only(bench.send(session, alice.deposit("hello"))), Accepted)


@pytest.mark.parametrize("role", Role)
def test_a_proof_is_for_one_session_one_role_and_one_id(bench: Bench, role: Role) -> None:
    alice, session, other = bench.queue("alice"), bench.connect(), bench.connect()
    proof = alice.prove(bench.h(session), role)
    assert only(bench.send(other, proof)) == refused(3)
    wrong_role = type(proof)(proof.request, proof.id, Role(3 - role), proof.signature)
    assert only(bench.send(session, wrong_role)) == refused(3)
    wrong_id = type(proof)(proof.request, bytes(16), role, proof.signature)
    assert only(bench.send(session, wrong_id)) == refused(3)
    assert only(bench.send(session, proof)) == Done(Request(3))


def test_a_senders_proof_lets_nobody_read_and_a_recipients_lets_nobody_write(bench: Bench) -> None:
    alice, sender = bench.queue("alice"), bench.connect()
    bench.send(sender, alice.prove(bench.h(sender), Role.SENDER))
    for command in (alice.subscribe(0), alice.settle(0), alice.drop(0)):
        assert only(bench.send(sender, command)) == refused(command.request)
    recipient = bench.recipient(alice)
    bench.take(recipient)
    assert only(bench.send(recipient, alice.deposit("x", key=alice.recipient))) == refused(4)


def test_an_unclaimed_queue_takes_nothing(bench: Bench) -> None:
    alice, session = Someone("alice"), bench.connect()
    bench.send(session, alice.create(bench.h(session)))
    assert only(bench.send(session, alice.deposit("early"))) == refused(4)
    assert only(bench.send(session, alice.prove(bench.h(session), Role.SENDER))) == refused(3)


def test_a_deposit_is_authorised_by_its_signature_or_by_a_proof(bench: Bench) -> None:
    alice, eve = bench.queue("alice"), Someone("eve")
    stranger, sender = bench.connect(), bench.sender(alice)
    forged = alice.deposit("forged", key=eve.sender)
    assert only(bench.send(stranger, forged)) == refused(4)
    accepted = only(bench.send(stranger, alice.deposit("signed")))
    digest = parse_envelope(alice.envelope("signed")).digest
    assert accepted == Accepted(Request(4), digest, NOW_MINUTE)
    before = bench.suite.verified
    assert isinstance(only(bench.send(sender, alice.deposit("proved"))), Accepted)
    assert bench.suite.verified == before


def test_a_proof_is_worth_nothing_once_the_queue_has_another_sender(bench: Bench) -> None:
    """Dropped and made again under the same names, claimed by somebody else."""
    alice, second = bench.queue("alice"), Someone("alice", sender="second")
    old = bench.sender(alice)
    recipient = bench.recipient(alice)
    bench.send(recipient, alice.drop(), alice.create(bench.h(recipient)), second.claim())
    assert only(bench.send(old, alice.deposit("still me"))) == refused(4)
    assert isinstance(only(bench.send(old, second.deposit("me"))), Accepted)


def test_a_replay_stores_nothing_and_answers_with_the_first_minute(bench: Bench) -> None:
    alice = bench.queue("alice")
    sender, reader = bench.sender(alice), bench.recipient(alice)
    first = only(bench.send(sender, alice.deposit("once")))
    bench.service += 600.0
    assert bench.send(sender, alice.deposit("once"), alice.deposit("once")) == [first, first]
    delivered = bench.take(reader)
    assert envelopes(delivered) == [alice.envelope("once")]
    bench.send(reader, ack(sequences(delivered)[0]))
    bench.service += 86_400.0
    assert only(bench.send(bench.connect(), alice.deposit("once"))) == first
    assert bench.take(reader) == []


def test_a_replay_by_somebody_else_is_refused(bench: Bench) -> None:
    alice, eve = bench.queue("alice"), Someone("eve")
    bench.send(bench.sender(alice), alice.deposit("once"))
    assert only(bench.send(bench.connect(), alice.deposit("once", key=eve.sender))) == refused(4)


def test_an_envelope_of_another_version_is_told_so(bench: Bench) -> None:
    alice, session = bench.queue("alice"), bench.connect()
    later = b"\x94\x02" + alice.envelope("x")[2:]
    assert only(bench.send(session, Deposit(Request(4), later))) == refused(4, Code.VERSION)
    assert session not in bench.disconnected


def test_what_is_no_envelope_ends_the_session_and_undoes_its_frame_alone(bench: Bench) -> None:
    alice = bench.queue("alice")
    bad, good = bench.sender(alice), bench.sender(alice)
    reader = bench.recipient(alice)
    bench.take(reader)
    bench.send(bad, alice.deposit("before"), Deposit(Request(4), b"\x94\x01"))
    assert bench.disconnected == {bad: Code.MALFORMED}
    assert bench.take(reader) == []
    assert isinstance(only(bench.send(good, alice.deposit("after"))), Accepted)
    assert envelopes(bench.take(reader)) == [alice.envelope("after")]


def test_a_full_queue_tells_the_sender_and_once_the_recipient(bench: Bench) -> None:
    alice = bench.queue("alice")
    sender = bench.sender(alice)
    for number in range(bench.quota):
        assert isinstance(only(bench.send(sender, alice.deposit(number))), Accepted)
    for number in (99, 98):
        assert only(bench.send(sender, alice.deposit(number))) == refused(4, Code.FULL)
    assert isinstance(only(bench.send(sender, alice.deposit(3))), Accepted), "a known envelope is still known"
    reader = bench.recipient(alice)
    seen = bench.drain(reader)
    markers = [command for command in seen if isinstance(command, Marker)]
    assert [(marker.marker, marker.key) for marker in markers] == [(MarkerKind.FULL, None)]
    assert envelopes(seen) == [alice.envelope(number) for number in range(bench.quota)]
    assert isinstance(only(bench.send(sender, alice.deposit(99))), Accepted)


def test_a_stranger_is_not_told_that_a_queue_is_full(bench: Bench) -> None:
    alice, eve = bench.queue("alice"), Someone("eve")
    for number in range(bench.quota):
        bench.send(bench.connect(), alice.deposit(number))
    assert only(bench.send(bench.connect(), alice.deposit("x", key=eve.sender))) == refused(4)
    assert only(bench.send(bench.connect(), alice.deposit("x"))) == refused(4, Code.FULL)


def test_a_dropped_queue_is_gone_with_all_that_was_in_it(bench: Bench) -> None:
    alice = bench.queue("alice")
    sender, reader = bench.sender(alice), bench.recipient(alice)
    bench.send(sender, alice.deposit("lost"))
    bench.take(reader)
    assert bench.send(reader, alice.drop()) == [Done(Request(7)), Ended(Subscription(1))]
    for command in (alice.subscribe(), alice.settle(), alice.drop()):
        assert only(bench.send(reader, command)) == refused(command.request)
    assert only(bench.send(sender, alice.deposit("lost"))) == refused(4)
    assert only(bench.send(sender, alice.claim())) == refused(2)
    replies = bench.send(reader, alice.create(bench.h(reader)), alice.claim(), alice.subscribe(2))
    assert sequences(replies) == [1], "a new queue: its claim, nothing of the old one"
    assert isinstance(only(bench.send(sender, alice.deposit("lost"))), Accepted)
    assert envelopes(bench.take(reader)) == [alice.envelope("lost")]


def test_every_refusal_costs_exactly_one_signature_check(bench: Bench) -> None:
    alice, nobody, eve = bench.queue("alice"), Someone("nobody"), Someone("eve")
    unclaimed, second = Someone("unclaimed"), Someone("alice", sender="second")
    maker, session = bench.connect(), bench.connect()
    bench.send(maker, unclaimed.create(bench.h(maker), link=unclaimed.link()))
    h, other = bench.h(session), bench.h(maker)
    commands: list[Command] = [
        *(who.subscribe() for who in (alice, nobody)),
        *(who.settle() for who in (alice, nobody)),
        *(who.drop() for who in (alice, nobody)),
        *(who.prove(other, role) for who in (alice, nobody, unclaimed) for role in Role),
        *(who.create(other) for who in (alice, nobody)),
        *(nobody.claim(named) for named in (alice.send_id, unclaimed.link_id, nobody.send_id, nobody.link_id)),
        second.claim(),
        nobody.deposit("x"),
        unclaimed.deposit("x"),
        alice.deposit("x", key=eve.sender),
    ]
    assert h != other
    for command in commands:
        before = bench.suite.verified
        assert isinstance(only(bench.send(session, command)), Refused), command
        assert bench.suite.verified == before + 1, command


def test_whoever_asks_gets_the_list_that_the_operator_offers_in_parts(bench: Bench) -> None:
    session = bench.connect()
    assert bench.send(session, Info(Request(3), 0)) == [Described(Request(3), 0, b"")]
    bench.offered = bytes(RELAY_LIST_PART_BYTES) + b"end"
    bench.start(bench.core.store)
    session = bench.connect()
    asked = [Info(Request(number), number) for number in range(3)]
    assert bench.send(session, *asked) == [
        Described(Request(0), 2, bytes(RELAY_LIST_PART_BYTES)),
        Described(Request(1), 2, b"end"),
        Described(Request(2), 2, b""),
    ]
