"""Who sends most waits longest, and nobody waits for ever."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from node.inbox import LIVE_BATCHES, MAX_COMMANDS_BESIDE_LIVE, Inbox
from protocol.events import Closed, Event, Received, TimePassed
from protocol.keys import Connection, Sequence, Subscription
from protocol.limits import MAX_COMMANDS_PER_BATCH, MAX_EVENTS_PER_CONNECTION_IN_BATCH
from protocol.wire.commands import Ack


def frame(connection: int, commands: int, number: int = 1) -> Received:
    return Received(Connection(connection), (Ack(Subscription(number), Sequence(1)),) * commands)


def size(event: Event) -> int:
    return len(event.commands) if isinstance(event, Received) else 1


def test_a_quiet_connection_is_in_the_next_batch_beside_any_number_of_busy_ones() -> None:
    inbox = Inbox()
    for _ in range(16):
        for busy in range(100):
            inbox.put(frame(busy, 8))
    for _ in range(20):
        inbox.take()
    inbox.put(frame(999, 1))
    assert frame(999, 1) in inbox.take()


def test_newcomers_without_end_do_not_starve_who_waits() -> None:
    inbox = Inbox()
    for number in range(20):
        inbox.put(frame(1, 1, number))
    left = 20
    for round_ in range(30):
        for newcomer in range(200):
            inbox.put(frame(1_000 * round_ + newcomer + 10, 1))
        left -= sum(getattr(event, "connection", 0) == 1 for event in inbox.take())
    assert left == 0


def test_an_event_larger_than_a_batch_is_a_batch() -> None:
    inbox = Inbox()
    inbox.put(frame(1, MAX_COMMANDS_PER_BATCH + 10))
    inbox.put(frame(1, 1))
    assert [size(event) for event in inbox.take()] == [MAX_COMMANDS_PER_BATCH + 10]
    assert [size(event) for event in inbox.take()] == [1]
    assert not inbox


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 200)), max_size=80))
def test_every_event_comes_out_once_in_its_connections_order_within_the_bounds(puts: list[tuple[int, int]]) -> None:
    inbox = Inbox()
    events: list[Event] = []
    for number, (source, commands) in enumerate(puts):
        event: Event = frame(source, commands, number) if source else TimePassed()
        events.append(event)
        inbox.put(event)
    taken: list[Event] = []
    while inbox:
        batch = inbox.take()
        assert batch
        assert len(batch) == 1 or sum(map(size, batch)) <= MAX_COMMANDS_PER_BATCH
        frames = Counter(event.connection for event in batch if isinstance(event, Received))
        assert max(frames.values(), default=0) <= MAX_EVENTS_PER_CONNECTION_IN_BATCH
        taken += batch
    assert inbox.take() == []
    for source in range(6):
        mine = [event for event in events if getattr(event, "connection", 0) == source]
        assert [event for event in taken if getattr(event, "connection", 0) == source] == mine


def test_a_close_comes_after_what_its_connection_sent() -> None:
    inbox = Inbox()
    inbox.put(frame(1, 1))
    inbox.put(Closed(Connection(1)))
    assert inbox.take() == [frame(1, 1), Closed(Connection(1))]


def bulk(inbox: Inbox, connections: int = 8) -> None:
    """Every connection's whole window, in large frames."""
    for _ in range(16):
        for connection in range(connections):
            inbox.put(frame(connection, 8))


def test_while_somebody_is_live_no_batch_beside_is_a_long_one() -> None:
    inbox = Inbox()
    bulk(inbox)
    assert sum(map(size, inbox.take())) == MAX_COMMANDS_PER_BATCH
    inbox.put(frame(999, 1))
    for _ in range(10):
        assert sum(map(size, inbox.take())) <= MAX_COMMANDS_BESIDE_LIVE


def test_once_nobody_is_live_any_more_batches_are_long_again() -> None:
    inbox = Inbox()
    bulk(inbox)
    inbox.take()
    inbox.put(frame(999, 1))
    sizes = []
    for _ in range(LIVE_BATCHES + 2):
        bulk(inbox, 2)
        sizes.append(sum(map(size, inbox.take())))
    assert sizes[0] <= MAX_COMMANDS_BESIDE_LIVE
    assert sizes[-1] == MAX_COMMANDS_PER_BATCH


def test_where_everybody_sends_small_frames_batches_stay_long() -> None:
    inbox = Inbox()
    for _ in range(4):
        for connection in range(64):
            inbox.put(frame(connection, 1))
    for _ in range(5):
        assert sum(map(size, inbox.take())) == MAX_COMMANDS_PER_BATCH
        for connection in range(64):
            for _ in range(3):
                inbox.put(frame(connection, 1))


def test_small_frames_get_as_far_as_large_ones() -> None:
    inbox = Inbox()
    bulk(inbox)
    for number in range(16):
        inbox.put(frame(999, 1, number))
    taken = [event for _ in range(4) for event in inbox.take() if getattr(event, "connection", 0) == 999]
    assert len(taken) == 16
