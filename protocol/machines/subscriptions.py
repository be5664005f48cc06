"""Who is pushed which queue at a relay, and how far (Spec 8 §4): cursors and windows.

All of it is volatile: a peer that reconnects subscribes again and is sent what it has not acknowledged. It changes only
after a commit, in the step that looks at woken queues, so that a batch that fails leaves it as it was.
"""

from collections.abc import Iterable

from msgspec import Struct, field

from protocol.effects import Effect, Send
from protocol.keys import Connection, Minute, QueueNumber, SenderKey, Sequence, Subscription
from protocol.limits import DELIVERY_WINDOW, ENVELOPE_BYTES, MAX_UNACKNOWLEDGED_PER_CONNECTION
from protocol.store import Entry, RelayTransaction
from protocol.wire.codec import Decoder, encode
from protocol.wire.commands import Delivery, Ended, Marker, MarkerKind

FAIR_SHARE = 8
"""Entries that one queue is pushed before the next one of its connection that waits as well."""

_marker_decoder: Decoder[tuple[MarkerKind, Minute, SenderKey | None]] = Decoder(
    tuple[MarkerKind, Minute, SenderKey | None]
)


def encode_marker(kind: MarkerKind, minute: Minute, key: SenderKey | None) -> bytes:
    """What a relay puts into a queue as an entry of its own; much shorter than an envelope."""
    return encode((kind, minute, key))


class Subscriber(Struct, gc=False):
    """One queue and the one subscription that it is pushed to."""

    connection: Connection
    subscription: Subscription
    queue: QueueNumber
    cursor: int = 0
    """The last sequence that was pushed."""
    unacknowledged: set[Sequence] = field(default_factory=set)


class _Window(Struct):
    """What one connection has subscribed to."""

    subscribers: dict[Subscription, Subscriber] = field(default_factory=dict)
    unacknowledged: int = 0
    hungry: dict[QueueNumber, None] = field(default_factory=dict)
    """Queues with more to push, first come first served: they wait for room on the connection."""


class Subscriptions:
    """Every subscriber of a relay, by queue and by connection."""

    def __init__(self) -> None:
        self._of_queue: dict[QueueNumber, Subscriber] = {}
        self._windows: dict[Connection, _Window] = {}
        self._freed: dict[Connection, None] = {}

    def open(self, connection: Connection) -> None:
        """Harmless where it is open."""
        self._windows.setdefault(connection, _Window())

    def close(self, connection: Connection) -> None:
        """The connection is gone, and what was pushed to it will be pushed to the next subscriber."""
        window = self._windows.pop(connection, None)
        if window is not None:
            for subscriber in window.subscribers.values():
                del self._of_queue[subscriber.queue]

    def count(self, connection: Connection) -> int:
        """Queues that a connection is subscribed to."""
        return len(self._windows[connection].subscribers)

    def find(self, connection: Connection, subscription: Subscription) -> Subscriber | None:
        window = self._windows.get(connection)
        return None if window is None else window.subscribers.get(subscription)

    def subscribe(self, connection: Connection, subscription: Subscription, queue: QueueNumber) -> list[Effect]:
        """From the beginning of the queue. Whoever was subscribed to it is told `ended`; so nobody is pushed twice."""
        window = self._windows.get(connection)
        if window is None:
            return []
        ended = [] if (old := self._of_queue.get(queue)) is None else self._remove(old)
        if (reused := window.subscribers.get(subscription)) is not None:
            self._remove(reused)
        subscriber = Subscriber(connection, subscription, queue)
        self._of_queue[queue] = window.subscribers[subscription] = subscriber
        return [effect for effect in ended if effect != Send(connection, Ended(subscription))]

    def end(self, queue: QueueNumber) -> list[Effect]:
        """The queue is gone."""
        subscriber = self._of_queue.get(queue)
        return [] if subscriber is None else self._remove(subscriber)

    def acknowledge(self, connection: Connection, queue: QueueNumber, sequence: Sequence) -> None:
        """Makes room for another entry, if this one was pushed to this connection and not yet acknowledged."""
        subscriber = self._of_queue.get(queue)
        if subscriber is not None and subscriber.connection == connection and sequence in subscriber.unacknowledged:
            subscriber.unacknowledged.remove(sequence)
            self._windows[connection].unacknowledged -= 1

    def push(self, queues: Iterable[QueueNumber], tx: RelayTransaction) -> list[Effect]:
        """What now fits the windows, of these queues and of those that have waited for room beside them."""
        connections, self._freed = self._freed, {}
        for queue in queues:
            subscriber = self._of_queue.get(queue)
            if subscriber is not None:
                self._windows[subscriber.connection].hungry.setdefault(queue)
                connections[subscriber.connection] = None
        effects: list[Effect] = []
        for connection in connections:
            if (window := self._windows.get(connection)) is not None:
                self._fill(window, tx, effects)
        return effects

    def _fill(self, window: _Window, tx: RelayTransaction, effects: list[Effect]) -> None:
        """One connection, its queues in turn: none takes all the room that another has freed."""
        while window.hungry and (room := MAX_UNACKNOWLEDGED_PER_CONNECTION - window.unacknowledged) > 0:
            queue = next(iter(window.hungry))
            del window.hungry[queue]
            subscriber = self._of_queue[queue]
            share = FAIR_SHARE if window.hungry else DELIVERY_WINDOW
            wanted = min(share, room, DELIVERY_WINDOW - len(subscriber.unacknowledged))
            if wanted <= 0:
                continue  # its own acknowledgements wake it
            entries = tx.entries.after(queue, subscriber.cursor, wanted)
            for entry in entries:
                effects.append(Send(subscriber.connection, _delivered(subscriber.subscription, entry)))
                subscriber.unacknowledged.add(entry.sequence)
                subscriber.cursor = entry.sequence
            window.unacknowledged += len(entries)
            if len(entries) == wanted:
                window.hungry[queue] = None

    def _remove(self, subscriber: Subscriber) -> list[Effect]:
        window = self._windows[subscriber.connection]
        window.unacknowledged -= len(subscriber.unacknowledged)
        window.hungry.pop(subscriber.queue, None)
        del window.subscribers[subscriber.subscription]
        del self._of_queue[subscriber.queue]
        self._freed[subscriber.connection] = None
        return [Send(subscriber.connection, Ended(subscriber.subscription))]


def _delivered(subscription: Subscription, entry: Entry) -> Delivery | Marker:
    if len(entry.body) == ENVELOPE_BYTES:
        return Delivery(subscription, entry.sequence, entry.body)
    kind, minute, key = _marker_decoder.decode(entry.body)
    return Marker(subscription, entry.sequence, kind, minute, key)
