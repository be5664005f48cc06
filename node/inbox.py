"""Events that wait for the core, fair between connections: who sends most waits longest, and nobody waits for ever."""

from collections import Counter, OrderedDict, deque
from typing import TypeAlias

from protocol.events import Closed, Event, Opened, Received
from protocol.limits import MAX_COMMANDS_PER_BATCH, MAX_EVENTS_PER_CONNECTION_IN_BATCH

_LOCAL = -1
"""Where events come from that no connection brought."""

LIVE_COMMANDS = 2
"""Of the one frame of somebody who is not sending in bulk."""
MOST_LIVE = 4
"""With more of them than this the load is made of such frames, and larger batches serve it better."""
LIVE_BATCHES = 64
"""That are short ones after somebody live was seen: the next message must not wait for a long step either."""
MAX_COMMANDS_BESIDE_LIVE = 48
"""In a short batch: larger commits are cheaper, smaller ones sooner done."""

_Sources: TypeAlias = OrderedDict[int, deque[Event]]


class Inbox:
    """Bounded by its sources: a connection's reader stops at `MAX_UNHANDLED_FRAMES`. Used by one thread.

    A source is *fresh* until it has been served once and has more, then *busy*; both kinds take turns. So a live
    message is in the next batch however many others send in bulk, and that batch and those after it are short ones.
    """

    def __init__(self) -> None:
        self._fresh: _Sources = OrderedDict()
        self._busy: _Sources = OrderedDict()
        self._served: Counter[int] = Counter()
        self._short_batches = 0

    def __bool__(self) -> bool:
        return bool(self._fresh or self._busy)

    def put(self, event: Event) -> None:
        """Behind what its own connection already has waiting."""
        source = event.connection if isinstance(event, Received | Opened | Closed) else _LOCAL
        waiting = self._busy.get(source) or self._fresh.get(source)
        if waiting is None:
            waiting = self._fresh[source] = deque()
        waiting.append(event)

    def take(self) -> list[Event]:
        """The next batch, one event of a source at a time: at most 16 of a source and 192 commands in all.

        It has one event at least. Whoever was not served comes first in the next batch.
        """
        self._look_for_live()
        batch: list[Event] = []
        room = MAX_COMMANDS_BESIDE_LIVE if self._short_batches else MAX_COMMANDS_PER_BATCH
        served: Counter[int] = Counter()
        kinds = (self._fresh, self._busy)
        while self:
            sources = kinds[len(batch) % 2] or kinds[1 - len(batch) % 2]
            source, waiting = next(iter(sources.items()))
            room -= _size(waiting[0])
            served[source] += 1
            if batch and (room < 0 or served[source] > MAX_EVENTS_PER_CONNECTION_IN_BATCH):
                break
            batch.append(waiting.popleft())
            del sources[source]
            if waiting:
                self._busy[source] = waiting
        self._served = served
        return batch

    def _look_for_live(self) -> None:
        """Somebody live has one small frame, and had none in the last batch, while others have more than they get."""
        self._short_batches = max(0, self._short_batches - 1)
        if self._busy:
            live = sum(
                len(waiting) == 1 and _size(waiting[0]) <= LIVE_COMMANDS and source not in self._served
                for source, waiting in self._fresh.items()
            )
            if live:
                self._short_batches = LIVE_BATCHES if live <= MOST_LIVE else 0


def _size(event: Event) -> int:
    return len(event.commands) if isinstance(event, Received) else 1
