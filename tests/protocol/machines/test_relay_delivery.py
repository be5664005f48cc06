"""Spec 8 §4 and §7: what is pushed to whom, and what is kept for how long, whatever fails."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from node.store.relay import RelayStore
from protocol.errors import Code
from protocol.events import Closed, Opened, Received, TimePassed
from protocol.keys import Request, Subscription
from protocol.limits import (
    DELIVERY_WINDOW,
    MAX_EXPIRED_PER_STEP,
    MAX_MARKERS_PER_QUEUE,
    MAX_UNACKNOWLEDGED_PER_CONNECTION,
    RETENTION_DAYS,
)
from protocol.wire.commands import Accepted, Claimed, Command, Delivery, Ended, Marker, Refused, Role
from tests.protocol.machines.relay_bench import DAY, Bench, Someone, ack, envelopes, sequences

Reopen = Callable[[], RelayStore]


@pytest.fixture
def reopen(tmp_path: Path) -> Iterator[Reopen]:
    """The same file again, as after a crash or a restart."""
    opened: list[RelayStore] = []

    def again() -> RelayStore:
        for store in opened:
            store.close()
        opened[:] = [RelayStore(tmp_path / "relay.db")]
        return opened[0]

    yield again
    for store in opened:
        store.close()


@pytest.fixture
def bench(reopen: Reopen) -> Bench:
    return Bench(reopen())


def fill(bench: Bench, someone: Someone, count: int, first: int = 0) -> None:
    sender = bench.sender(someone)
    for number in range(first, first + count, 8):
        bench.send(sender, *(someone.deposit(n) for n in range(number, min(number + 8, first + count))))
    bench.close(sender)


def test_a_subscriber_gets_what_is_there_and_then_what_comes(bench: Bench) -> None:
    alice = bench.queue("alice")
    fill(bench, alice, 3)
    reader = bench.recipient(alice)
    assert envelopes(bench.take(reader)) == [alice.envelope(n) for n in range(3)]
    fill(bench, alice, 2, first=3)
    assert envelopes(bench.take(reader)) == [alice.envelope(3), alice.envelope(4)]


def test_no_more_is_on_its_way_than_the_window_holds(bench: Bench) -> None:
    alice = bench.queue("alice")
    fill(bench, alice, DELIVERY_WINDOW + 8)
    reader = bench.recipient(alice)
    first = sequences(bench.take(reader))
    assert len(first) == DELIVERY_WINDOW
    assert bench.send(reader, ack(first[3]), ack(first[3]), ack(10**9)) != []
    fill(bench, alice, 1, first=99)
    assert bench.take(reader) == []
    assert len(bench.send(reader, ack(first[0]), ack(first[1]))) == 2
    assert len(bench.send(reader, *(ack(sequence) for sequence in first))) == 6, "the last of all 41"


def test_acknowledgements_out_of_order_erase_what_they_name(bench: Bench) -> None:
    alice = bench.queue("alice")
    fill(bench, alice, 5)
    reader = bench.recipient(alice)
    came = sequences(bench.take(reader))
    bench.send(reader, ack(came[4]), ack(came[1]))
    bench.send(reader, ack(came[2]))
    bench.close(reader)
    again = bench.take(bench.recipient(alice))
    assert envelopes(again) == [alice.envelope(0), alice.envelope(3)]
    assert sequences(again) == [came[0], came[3]]


def test_what_is_not_acknowledged_comes_again_in_order_to_the_next_subscriber(bench: Bench) -> None:
    alice = bench.queue("alice")
    fill(bench, alice, 40)
    first = bench.recipient(alice)
    came = bench.take(first)
    second = bench.recipient(alice)
    assert bench.take(first) == [Ended(Subscription(1))]
    assert envelopes(bench.take(second)) == envelopes(came)
    bench.send(first, ack(sequences(came)[0]))
    bench.close(second)
    assert len(envelopes(bench.drain(bench.recipient(alice)))) == 40, "an ended subscription acknowledges nothing"


def test_subscribing_again_under_the_same_number_begins_anew(bench: Bench) -> None:
    alice = bench.queue("alice")
    fill(bench, alice, 40)
    reader = bench.recipient(alice)
    first = bench.take(reader)
    again = bench.send(reader, alice.subscribe(1))
    assert Ended(Subscription(1)) not in again
    assert envelopes(again) == envelopes(first)
    assert bench.send(reader, alice.subscribe(2))[:2] != []
    assert len(envelopes(bench.send(reader, *(ack(sequence, 2) for sequence in sequences(first))))) == 8


def test_a_number_that_is_used_for_another_queue_belongs_to_that_one(bench: Bench) -> None:
    alice, bob = bench.queue("alice"), bench.queue("bob")
    fill(bench, alice, 2)
    fill(bench, bob, 2)
    reader = bench.recipient(alice, bob)
    bench.take(reader)
    assert envelopes(bench.send(reader, bob.subscribe(1))) == [bob.envelope(0), bob.envelope(1)]
    fill(bench, alice, 1, first=2)
    assert bench.take(reader) == []
    bench.send(reader, ack(2, 1), ack(3, 1))
    bench.close(reader)
    assert len(envelopes(bench.take(bench.recipient(alice, bob)))) == 3


def test_a_connection_carries_a_bounded_number_and_serves_its_queues_in_turn(bench: Bench) -> None:
    count = MAX_UNACKNOWLEDGED_PER_CONNECTION // DELIVERY_WINDOW + 4
    people = [bench.queue(number) for number in range(count)]
    for someone in people:
        fill(bench, someone, DELIVERY_WINDOW)
    reader = bench.recipient(*people)
    came = [one for one in bench.take(reader) if isinstance(one, Delivery)]
    assert len(came) == MAX_UNACKNOWLEDGED_PER_CONNECTION
    starved = set(range(1, count + 1)) - {one.subscription for one in came}
    assert starved
    freed = [one for one in came if one.subscription == 1]
    fill(bench, people[0], DELIVERY_WINDOW, first=DELIVERY_WINDOW)
    more = [one for one in bench.send(reader, *(ack(one.sequence, 1) for one in freed)) if type(one) is Delivery]
    assert {one.subscription for one in more} == starved
    seen: list[Command] = [*came, *more]
    unread = [one for one in seen if one not in freed]
    while unread:
        unread = bench.send(reader, *(ack(one.sequence, one.subscription) for one in unread if type(one) is Delivery))
        seen += unread
    expected = [(n, someone.envelope(i)) for n, someone in enumerate(people, 1) for i in range(DELIVERY_WINDOW)]
    expected += [(1, people[0].envelope(i)) for i in range(DELIVERY_WINDOW, 2 * DELIVERY_WINDOW)]
    assert sorted((one.subscription, one.envelope) for one in seen if type(one) is Delivery) == sorted(expected)


def test_room_that_a_dropped_queue_leaves_is_given_to_those_that_wait(bench: Bench) -> None:
    count = MAX_UNACKNOWLEDGED_PER_CONNECTION // DELIVERY_WINDOW
    people = [bench.queue(number) for number in range(count + 1)]
    for someone in people:
        fill(bench, someone, DELIVERY_WINDOW)
    reader = bench.recipient(*people)
    bench.take(reader)
    other = bench.recipient(people[0])
    waited = [one for one in bench.take(reader) if isinstance(one, Delivery)]
    assert {one.subscription for one in waited} == {count + 1}
    assert len(waited) == DELIVERY_WINDOW
    assert len(envelopes(bench.take(other))) == DELIVERY_WINDOW


def test_a_restart_keeps_queues_keys_entries_and_digests(bench: Bench, reopen: Reopen) -> None:
    alice, session = Someone("alice"), bench.connect()
    bench.send(session, alice.create(bench.h(session), link=alice.link()), alice.claim(alice.link_id))
    fill(bench, alice, 3)
    bench.start(reopen())
    sender = bench.sender(alice)
    assert isinstance(bench.send(sender, alice.deposit(1))[0], Accepted)
    assert isinstance(bench.send(bench.connect(), alice.claim(alice.link_id))[0], Claimed)
    came = bench.take(bench.recipient(alice))
    assert sequences(came) == [1, 2, 3, 4]
    assert envelopes(came) == [alice.envelope(n) for n in range(3)]


def test_a_session_proves_nothing_after_a_restart(bench: Bench, reopen: Reopen) -> None:
    alice = bench.queue("alice")
    reader = bench.recipient(alice)
    bench.start(reopen())
    bench.step(Opened(reader, None, bench.h(bench.connect())))
    bench.take(reader)
    assert bench.send(reader, alice.subscribe()) == [Refused(Request(5), Code.REFUSED)]


def test_markers_are_bounded_however_often_a_queue_fills(reopen: Reopen) -> None:
    bench = Bench(reopen(), quota=1)
    alice = bench.queue("alice")
    sender, reader = bench.sender(alice), bench.recipient(alice)
    kept = 0
    for number in range(MAX_MARKERS_PER_QUEUE + 4):
        bench.send(sender, alice.deposit(number), alice.deposit((number, "too many")))
        came = bench.take(reader)
        kept += sum(isinstance(one, Marker) for one in came)
        bench.send(reader, *(ack(one.sequence) for one in came if isinstance(one, Delivery)))
    assert kept == MAX_MARKERS_PER_QUEUE


# Retention


def test_everything_is_forgotten_when_retention_is_over_and_not_before(bench: Bench) -> None:
    alice = bench.queue("alice")
    fill(bench, alice, 1)
    bench.pass_time(RETENTION_DAYS * DAY - 1)
    fill(bench, alice, 1, first=1)
    assert envelopes(bench.take(bench.recipient(alice))) == [alice.envelope(0), alice.envelope(1)]
    bench.pass_time(1)
    assert envelopes(bench.take(bench.recipient(alice))) == [alice.envelope(1)]
    later = bench.send(bench.sender(alice), alice.deposit(0))[0]
    assert isinstance(later, Accepted)
    assert later.minute > RETENTION_DAYS * 1_440, "its digest was forgotten as well: it is a new envelope"
    assert envelopes(bench.take(bench.recipient(alice))) == [alice.envelope(1), alice.envelope(0)]


def test_a_queue_that_expired_has_room_again(reopen: Reopen) -> None:
    bench = Bench(reopen(), quota=2)
    alice = bench.queue("alice")
    fill(bench, alice, 2)
    bench.pass_time(RETENTION_DAYS * DAY)
    assert isinstance(bench.send(bench.sender(alice), alice.deposit(9))[0], Accepted)


def test_expiry_goes_in_bounded_steps_and_the_relay_asks_for_the_next(bench: Bench) -> None:
    alice = bench.queue("alice")
    fill(bench, alice, MAX_EXPIRED_PER_STEP + 10)
    wake = bench.next_wake()
    assert wake is not None
    bench.service = wake
    bench.step(TimePassed())
    assert bench.next_wake() == bench.service
    bench.step(TimePassed())
    assert bench.next_wake() is None
    assert envelopes(bench.take(bench.recipient(alice))) == []


def test_the_relay_wakes_for_invitations_and_after_a_restart(bench: Bench, reopen: Reopen) -> None:
    alice, session = Someone("alice"), bench.connect()
    assert bench.next_wake() is None
    bench.send(session, alice.create(bench.h(session), link=alice.link(2)))
    assert bench.next_wake() == 120.0
    bench.start(reopen())
    assert bench.next_wake() == 120.0
    bench.pass_time(120.0)
    assert bench.next_wake() is None


# A store that cannot commit


@pytest.fixture
def full(reopen: Reopen) -> tuple[Bench, RelayStore]:
    """A relay whose database may not grow by a page more, with 40 envelopes for alice."""
    store = reopen()
    bench = Bench(store)
    fill(bench, bench.queue("alice"), 40)
    return bench, store


def stop_growing(store: RelayStore) -> None:
    pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
    store.connection.execute(f"PRAGMA max_page_count = {pages}")


def test_a_full_disk_is_told_and_everything_stored_is_there_afterwards(full: tuple[Bench, RelayStore]) -> None:
    bench, store = full
    alice = Someone("alice")
    sender, reader = bench.sender(alice), bench.recipient(alice)
    first = bench.take(reader)
    stop_growing(store)
    bench.step(
        Received(sender, tuple(alice.deposit(number, request=number) for number in range(50, 60))),
        Received(reader, tuple(ack(sequence) for sequence in sequences(first)[:5])),
    )
    refused = [Refused(Request(number), Code.UNAVAILABLE) for number in range(50, 60)]
    assert bench.take(sender) == refused
    assert bench.take(reader) == [], "an erasure that did not happen makes no room"
    assert bench.next_wake() == bench.service, "what was acknowledged is still to be erased"
    bench.step(TimePassed())
    assert len(envelopes(bench.take(reader))) == 5
    store.connection.execute("PRAGMA max_page_count = 100000")
    assert all(isinstance(one, Accepted) for one in bench.send(sender, *(alice.deposit(n) for n in range(50, 60))))
    bench.close(reader)
    rest = bench.drain(bench.recipient(alice))
    assert envelopes(rest) == [alice.envelope(number) for number in (*range(5, 40), *range(50, 60))]


def test_a_subscription_in_a_batch_that_fails_evicts_nobody(full: tuple[Bench, RelayStore]) -> None:
    bench, store = full
    alice = Someone("alice")
    sender, reader, other = bench.sender(alice), bench.recipient(alice), bench.connect()
    first = bench.drain(reader)
    stop_growing(store)
    bench.step(
        Received(other, (alice.prove(bench.h(other), Role.RECIPIENT), alice.subscribe())),
        Received(sender, tuple(alice.deposit(number) for number in range(100, 200))),
    )
    assert bench.take(other) == [Refused(Request(3), Code.UNAVAILABLE), Refused(Request(5), Code.UNAVAILABLE)]
    store.connection.execute("PRAGMA max_page_count = 100000")
    fill(bench, alice, 1, first=200)
    assert envelopes(bench.take(reader)) == [alice.envelope(200)]
    assert bench.take(other) == []
    assert len(envelopes(first)) == 40


def test_sessions_that_come_and_go_in_a_batch_that_fails_have_come_and_gone(full: tuple[Bench, RelayStore]) -> None:
    bench, store = full
    alice = Someone("alice")
    sender, gone = bench.sender(alice), bench.recipient(alice)
    new = bench.connect()
    bench.close(new)
    stop_growing(store)
    bench.step(
        Received(sender, tuple(alice.deposit(number) for number in range(100, 140))),
        Closed(gone),
        Opened(new, None, bench.h(new)),
    )
    store.connection.execute("PRAGMA max_page_count = 100000")
    bench.take(gone)
    bench.send(sender, alice.deposit(300))
    assert bench.take(gone) == []
    assert len(bench.send(new, alice.prove(bench.h(new), Role.RECIPIENT), alice.subscribe())) > 2


def test_while_the_disk_is_full_acknowledgements_beside_deposits_go_through(
    full: tuple[Bench, RelayStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store has given up its ballast: what frees nothing is answered without being tried."""
    bench, store = full
    alice = Someone("alice")
    sender, reader, maker = bench.sender(alice), bench.recipient(alice), bench.connect()
    first = bench.take(reader)
    monkeypatch.setattr("node.store.ballast.ROOM_BEFORE_MAKING_BYTES", 2**62)
    store._ballast.release()
    bob = Someone("bob")
    bench.step(
        Received(sender, (alice.deposit("new"), alice.deposit(3))),
        Received(reader, tuple(ack(sequence) for sequence in sequences(first)[:3])),
        Received(maker, (bob.create(bench.h(maker)),)),
    )
    unavailable, known = bench.take(sender)
    assert unavailable == Refused(Request(4), Code.UNAVAILABLE)
    assert isinstance(known, Accepted)
    assert bench.take(maker) == [Refused(Request(1), Code.UNAVAILABLE)]
    assert len(envelopes(bench.take(reader))) == 3


def test_a_frame_is_answered_in_order(bench: Bench) -> None:
    alice = bench.queue("alice")
    sender = bench.sender(alice)
    replies: list[Command] = bench.send(sender, *(alice.deposit(number, request=number) for number in (9, 3, 7)))
    assert [reply.request for reply in replies if isinstance(reply, Accepted)] == [9, 3, 7]
