"""One contract for every version of a relay's store: SQLite, SQLCipher, dicts."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from node.store.relay import RelayStore
from protocol.keys import (
    ClaimKey,
    Digest,
    Identity,
    LinkId,
    Minute,
    QueueNumber,
    ReceiveId,
    RecipientKey,
    SenderKey,
    SendId,
    Sequence,
)
from protocol.limits import ENVELOPE_BYTES, SEALED_INVITATION_BYTES
from protocol.store import Entry, KeptCard, RelayTransaction, Store
from simulations.store import DictRelayStore

KEY = bytes(range(32))
BODY = bytes(ENVELOPE_BYTES)
MARKER = b"\x93\x01\x02\xc0"


@pytest.fixture(params=["sqlite", "sqlcipher", "dict"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store[RelayTransaction]]:
    if request.param == "dict":
        yield DictRelayStore()
        return
    opened = RelayStore(tmp_path / "relay.db", KEY if request.param == "sqlcipher" else None)
    yield opened
    opened.close()


def add(tx: RelayTransaction, name: bytes = b"1") -> QueueNumber:
    return tx.queues.add(
        ReceiveId(name * 16), RecipientKey(name * 32), SendId(name * 8 + b"s" * 8), ClaimKey(name * 16 + b"c" * 16)
    )


def test_a_queue_is_found_by_each_of_its_names(store: Store[RelayTransaction]) -> None:
    with store.transaction() as tx:
        number = add(tx)
        tx.queues.claim(number, SenderKey(b"k" * 32))
    with store.read() as tx:
        queue = tx.queues.by_number(number)
        assert queue is not None
        assert queue == tx.queues.by_receive_id(ReceiveId(b"1" * 16)) == tx.queues.by_send_id(queue.send_id)
        assert (queue.recipient_key, queue.claim_key, queue.sender_key) == (b"1" * 32, b"1" * 16 + b"c" * 16, b"k" * 32)
        assert (queue.stored, queue.markers, queue.full, queue.sequence) == (0, 0, False, 0)
        assert tx.queues.by_send_id(SendId(b"?" * 16)) is None
        assert tx.queues.by_receive_id(ReceiveId(b"?" * 16)) is None


def test_entries_come_back_in_order_and_no_number_is_used_twice(store: Store[RelayTransaction]) -> None:
    with store.transaction() as tx:
        first, second = add(tx), add(tx, b"2")
        assert [tx.entries.append(first, BODY, 1.0, counted=True) for _ in range(3)] == [1, 2, 3]
        assert tx.entries.append(second, MARKER, 1.0, counted=False) == 1
    with store.transaction() as tx:
        assert tx.entries.remove(first, Sequence(3))
        assert not tx.entries.remove(first, Sequence(3))
        assert tx.entries.append(first, MARKER, 2.0, counted=False) == 4
    with store.read() as tx:
        assert list(tx.entries.after(first, 0, 2)) == [Entry(Sequence(1), BODY), Entry(Sequence(2), BODY)]
        assert list(tx.entries.after(first, 1, 9)) == [Entry(Sequence(2), BODY), Entry(Sequence(4), MARKER)]
        assert list(tx.entries.after(second, 0, 9)) == [Entry(Sequence(1), MARKER)]
        assert list(tx.entries.after(first, 4, 9)) == list(tx.entries.after(first, 2**63 - 1, 9)) == []


def test_a_number_out_of_range_reaches_into_no_other_queue(store: Store[RelayTransaction]) -> None:
    with store.transaction() as tx:
        first, second = add(tx), add(tx, b"2")
        tx.entries.append(second, BODY, 1.0, counted=True)
        assert second == first + 1
        assert not tx.entries.remove(first, Sequence(2**32 + 1))
        assert not tx.entries.remove(first, Sequence(2**63 - 1))
        assert len(tx.entries.after(second, 0, 9)) == 1


def test_envelopes_and_markers_are_counted_apart(store: Store[RelayTransaction]) -> None:
    with store.transaction() as tx:
        number = add(tx)
        for counted in (True, True, False):
            tx.entries.append(number, BODY if counted else MARKER, 1.0, counted)
        tx.queues.refuse(number)
    with store.transaction() as tx:
        queue = tx.queues.by_number(number)
        assert queue is not None
        assert (queue.stored, queue.markers, queue.full) == (2, 1, True)
        tx.entries.append(number, MARKER, 1.0, counted=False)
        tx.entries.remove(number, Sequence(1))
        tx.entries.remove(number, Sequence(3))
        queue = tx.queues.by_number(number)
        assert queue is not None
        assert (queue.stored, queue.markers, queue.full) == (1, 1, True)
        tx.entries.append(number, BODY, 1.0, counted=True)
    with store.read() as tx:
        queue = tx.queues.by_number(number)
        assert queue is not None
        assert (queue.stored, queue.markers, queue.full, queue.sequence) == (2, 1, False, 5)


def test_what_is_removed_takes_everything_along_and_its_number_does_not_return(
    store: Store[RelayTransaction],
) -> None:
    with store.transaction() as tx:
        kept, number = add(tx), add(tx, b"2")
        for queue in (kept, number):
            tx.entries.append(queue, BODY, 1.0, counted=True)
            tx.digests.add(queue, Digest(b"d" * 32), Minute(7), 1.0)
        tx.links.put(LinkId(b"l" * 16), number, bytes(SEALED_INVITATION_BYTES), 9.0)
        tx.queues.remove(number)
    with store.transaction() as tx:
        assert tx.queues.by_number(number) is None
        assert tx.queues.by_receive_id(ReceiveId(b"2" * 16)) is None
        assert tx.links.get(LinkId(b"l" * 16)) is None
        assert list(tx.entries.after(number, 0, 9)) == []
        assert tx.digests.minute(number, Digest(b"d" * 32)) is None
        assert len(tx.entries.after(kept, 0, 9)) == 1
        assert tx.digests.minute(kept, Digest(b"d" * 32)) == 7
        assert add(tx, b"2") > number


def test_links_are_kept_until_their_time(store: Store[RelayTransaction]) -> None:
    sealed = bytes(range(204)) * 10
    with store.transaction() as tx:
        assert tx.links.next_expiry() is None
        numbers = [add(tx, bytes((65 + i,))) for i in range(3)]
        for number, expires in zip(numbers, (30.0, 10.0, 20.0), strict=True):
            tx.links.put(LinkId(bytes((number,)) * 16), number, sealed, expires)
    with store.transaction() as tx:
        link = tx.links.get(LinkId(bytes((numbers[0],)) * 16))
        assert link is not None
        assert (link.queue, link.sealed, link.expires) == (numbers[0], sealed, 30.0)
        assert tx.links.next_expiry() == 10.0
        assert tx.links.expire(9.0, 100) == 0
        assert tx.links.expire(25.0, 1) == 1
        assert tx.links.next_expiry() == 20.0
        assert tx.links.expire(25.0, 100) == 1
        tx.links.remove(numbers[0])
        tx.links.remove(numbers[0])
        assert tx.links.next_expiry() is None


def test_a_digest_answers_with_its_first_minute_in_its_own_queue(store: Store[RelayTransaction]) -> None:
    with store.transaction() as tx:
        first, second = add(tx), add(tx, b"2")
        assert tx.digests.add(first, Digest(b"d" * 32), Minute(2**32 - 1), 1.0) is None
        assert tx.digests.add(first, Digest(b"d" * 32), Minute(3), 2.0) == 2**32 - 1
        assert tx.digests.oldest() == 1.0
        assert tx.digests.minute(first, Digest(b"d" * 32)) == 2**32 - 1
        assert tx.digests.minute(second, Digest(b"d" * 32)) is None
        assert tx.digests.minute(first, Digest(b"e" * 32)) is None


def test_expiry_takes_the_oldest_first_and_no_more_than_it_may(store: Store[RelayTransaction]) -> None:
    with store.transaction() as tx:
        assert tx.entries.oldest() is None
        assert tx.digests.oldest() is None
        first, second = add(tx), add(tx, b"2")
        for time in range(5):
            number = first if time % 2 else second
            tx.entries.append(number, BODY, float(time), counted=True)
            tx.digests.add(number, Digest(bytes((time,)) * 32), Minute(time), float(time))
    with store.transaction() as tx:
        assert tx.entries.expire(-1.0, 100) == tx.digests.expire(-1.0, 100) == 0
        assert tx.entries.expire(3.0, 3) == tx.digests.expire(3.0, 3) == 3
        assert tx.entries.oldest() == tx.digests.oldest() == 3.0
        assert tx.entries.expire(3.0, 3) == tx.digests.expire(3.0, 3) == 1
        assert tx.digests.minute(first, Digest(b"\x03" * 32)) is None
        assert tx.digests.minute(second, Digest(b"\x04" * 32)) == 4
    with store.read() as tx:
        one, other = tx.queues.by_number(first), tx.queues.by_number(second)
        assert one is not None
        assert other is not None
        assert (one.stored, other.stored) == (0, 1)


def append(tx: RelayTransaction, number: QueueNumber, fail: bool) -> None:
    tx.entries.append(number, BODY, 2.0, counted=True)
    if fail:
        raise ZeroDivisionError


def change_everything(tx: RelayTransaction, number: QueueNumber, fail: bool) -> None:
    tx.queues.claim(number, SenderKey(b"k" * 32))
    tx.entries.append(number, BODY, 2.0, counted=True)
    tx.entries.remove(number, Sequence(1))
    tx.digests.add(number, Digest(b"e" * 32), Minute(8), 2.0)
    tx.queues.refuse(number)
    tx.links.remove(number)
    other = add(tx, b"3")
    tx.queues.remove(number)
    append(tx, other, fail)


def picture(tx: RelayTransaction, number: QueueNumber) -> tuple[object, ...]:
    return (
        tx.queues.by_number(number),
        tx.queues.by_send_id(SendId(b"1" * 8 + b"s" * 8)),
        tx.queues.by_receive_id(ReceiveId(b"3" * 16)),
        list(tx.entries.after(number, 0, 9)),
        tx.entries.oldest(),
        tx.digests.minute(number, Digest(b"d" * 32)),
        tx.digests.minute(number, Digest(b"e" * 32)),
        tx.digests.oldest(),
        tx.links.get(LinkId(b"l" * 16)),
    )


@pytest.fixture
def number(store: Store[RelayTransaction]) -> QueueNumber:
    with store.transaction() as tx:
        number = add(tx)
        tx.entries.append(number, BODY, 0.0, counted=True)
        tx.entries.append(number, MARKER, 1.0, counted=False)
        tx.digests.add(number, Digest(b"d" * 32), Minute(7), 0.0)
        tx.digests.add(number, Digest(b"f" * 32), Minute(7), 1.0)
        tx.links.put(LinkId(b"l" * 16), number, bytes(SEALED_INVITATION_BYTES), 9.0)
    return number


def test_a_transaction_that_fails_changes_nothing(store: Store[RelayTransaction], number: QueueNumber) -> None:
    with store.read() as tx:
        before = picture(tx, number)
    with pytest.raises(ZeroDivisionError), store.transaction() as tx:
        change_everything(tx, number, fail=True)
    with store.transaction() as tx:
        assert picture(tx, number) == before


@pytest.mark.parametrize("touched", [False, True])
def test_an_event_that_fails_is_undone_alone(
    store: Store[RelayTransaction], number: QueueNumber, touched: bool
) -> None:
    with store.transaction() as tx:
        if touched:
            with tx.savepoint():
                assert tx.entries.append(number, BODY, 1.5, counted=True) == 3
                tx.queues.refuse(number)
        before = picture(tx, number)
        with pytest.raises(ZeroDivisionError), tx.savepoint():
            change_everything(tx, number, fail=True)
        assert picture(tx, number) == before
        with tx.savepoint():
            assert tx.entries.append(number, BODY, 1.5, counted=True) == (4 if touched else 3)
    with store.read() as tx:
        queue = tx.queues.by_number(number)
        assert queue is not None
        assert (queue.stored, queue.sequence) == ((3, 4) if touched else (2, 3))


def test_savepoints_nest(store: Store[RelayTransaction], number: QueueNumber) -> None:
    with store.transaction() as tx, tx.savepoint():
        append(tx, number, fail=False)
        with pytest.raises(ZeroDivisionError), tx.savepoint():
            append(tx, number, fail=True)
    with store.read() as tx:
        assert [entry.sequence for entry in tx.entries.after(number, 0, 9)] == [1, 2, 3]


@pytest.mark.parametrize("key", [None, KEY])
def test_what_was_committed_is_there_after_a_restart(tmp_path: Path, key: bytes | None) -> None:
    store = RelayStore(tmp_path / "relay.db", key)
    with store.transaction() as tx:
        number = add(tx)
        tx.entries.append(number, BODY, 1.0, counted=True)
    assert store.service_offset() == 0.0
    store.save_service(12.5)
    store.save_service(3.0)
    store.close()
    again = RelayStore(tmp_path / "relay.db", key)
    assert again.service_offset() == 12.5
    with again.read() as tx:
        queue = tx.queues.by_number(number)
        assert queue is not None
        assert (queue.stored, queue.sequence) == (1, 1)
    again.close()


@pytest.mark.parametrize("key", [None, KEY])
def test_a_stored_envelope_takes_one_page(tmp_path: Path, key: bytes | None) -> None:
    path = tmp_path / "relay.db"
    store = RelayStore(path, key)
    count = 2_000
    for batch in range(0, count, 100):
        with store.transaction() as tx:
            number = add(tx, bytes((batch // 10,)))
            for one in range(100):
                tx.entries.append(number, BODY, float(batch), counted=True)
                tx.digests.add(number, Digest(bytes((one,)) * 32), Minute(1), float(batch))
    store.close()
    assert path.stat().st_size / count < 4_300


def test_a_card_is_kept_under_its_name_replaced_and_expires(store: Store[RelayTransaction]) -> None:
    one, other = (KeptCard(Identity(bytes((n,)) * 64), n, 10.0 * n, b"card" if n == 1 else None) for n in (1, 2))
    with store.transaction() as tx:
        tx.cards.put("alice", one)
        tx.cards.put("bob", one)
        tx.cards.put("alice", other)
    with store.read() as tx:
        assert (tx.cards.get("alice"), tx.cards.get("bob"), tx.cards.get("carol")) == (other, one, None)
        assert (tx.cards.count(), tx.cards.next_expiry()) == (2, 10.0)
    with store.transaction() as tx:
        assert tx.cards.expire(9.9, 5) == 0
        assert tx.cards.expire(20.0, 1) == 1
        assert tx.cards.get("bob") is None
        assert tx.cards.expire(20.0, 5) == 1
        assert (tx.cards.count(), tx.cards.next_expiry()) == (0, None)


def test_a_card_that_is_undone_was_never_kept(store: Store[RelayTransaction]) -> None:
    card = KeptCard(Identity(bytes(64)), 1, 1.0, b"card")
    with suppress(ZeroDivisionError), store.transaction() as tx:
        tx.cards.put("alice", card)
        raise ZeroDivisionError
    with store.read() as tx:
        assert tx.cards.get("alice") is None


def test_a_queue_whose_name_is_another_ones_of_the_other_kind_is_not_taken_for_it(
    store: Store[RelayTransaction],
) -> None:
    same = b"s" * 16
    with store.transaction() as tx:
        first = tx.queues.add(ReceiveId(same), RecipientKey(bytes(32)), SendId(b"1" * 16), ClaimKey(bytes(32)))
        second = tx.queues.add(ReceiveId(b"2" * 16), RecipientKey(bytes(32)), SendId(same), ClaimKey(bytes(32)))
    for _ in range(2):
        with store.transaction() as tx:
            received, sent = tx.queues.by_receive_id(ReceiveId(same)), tx.queues.by_send_id(SendId(same))
            assert received is not None
            assert sent is not None
            assert (received.number, sent.number) == (first, second)


def test_a_queue_that_was_undone_leaves_no_name_to_the_one_that_gets_its_number(store: Store[RelayTransaction]) -> None:
    with store.transaction() as tx:
        with suppress(ZeroDivisionError), tx.savepoint():
            add(tx, b"1")
            assert tx.queues.by_receive_id(ReceiveId(b"1" * 16)) is not None
            raise ZeroDivisionError
        assert tx.queues.by_receive_id(ReceiveId(b"1" * 16)) is None
        add(tx, b"2")  # with SQLite under the same number
        assert tx.queues.by_receive_id(ReceiveId(b"1" * 16)) is None
    with store.transaction() as tx:
        assert tx.queues.by_receive_id(ReceiveId(b"1" * 16)) is None


def test_what_others_wrote_is_read_again(tmp_path: Path) -> None:
    store = RelayStore(tmp_path / "relay.db")
    with store.transaction() as tx:
        number = add(tx)
        assert tx.queues.by_number(number) is not None
    store.connection.execute("UPDATE queues SET markers = 7")
    with store.transaction() as tx:
        queue = tx.queues.by_number(number)
        assert queue is not None
        assert queue.markers == 7
    store.close()
