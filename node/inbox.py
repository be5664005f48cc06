"""Events that wait for the core, fair between connections: who sends most waits longest, and nobody waits for ever."""

from collections import OrderedDict, deque
from typing import TypeAlias

from protocol.events import Closed, Event, Opened, Received
from protocol.limits import MAX_COMMANDS_PER_BATCH, MAX_EVENTS_PER_CONNECTION_IN_BATCH

_LOCAL = -1
"""Where events come from that no connection brought."""

LIVE_COMMANDS = 2
"""Of the one frame of somebody who is not sending in bulk."""
MAX_COMMANDS_BESIDE_LIVE = 48
"""That a batch may still take with somebody live in it: larger commits are cheaper, smaller ones sooner done."""

_Sources: TypeAlias = OrderedDict[int, deque[Event]]


class Inbox:
    """Bounded by its sources: a connection's reader stops at `MAX_UNHANDLED_FRAMES`. Used by one thread.

    A source is *fresh* until it has been served once and has more, then *busy*; both kinds take turns. So a live
    message is in the next batch however many others send in bulk, and that batch is a short one.
    """

    def __init__(self) -> None:
        self._fresh: _Sources = OrderedDict()
        self._busy: _Sources = OrderedDict()

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
        """The next batch, one event of a source at a time: at most 8 of a source and 192 commands in all.

        It has one event at least. Whoever was not served comes first in the next batch.
        """
        if len(self._fresh) == 1 and not self._busy:
            source, waiting = next(iter(self._fresh.items()))
            if len(waiting) == 1:  # nothing to be fair about
                del self._fresh[source]
                return [waiting[0]]
        batch: list[Event] = []
        room = MAX_COMMANDS_PER_BATCH
        served: dict[int, int] = {}
        kinds = (self._fresh, self._busy)
        while self:
            sources = kinds[len(batch) % 2] or kinds[1 - len(batch) % 2]
            source, waiting = next(iter(sources.items()))
            event = waiting[0]
            size = len(event.commands) if isinstance(event, Received) else 1
            room -= size
            served[source] = served.get(source, 0) + 1
            if batch and (room < 0 or served[source] > MAX_EVENTS_PER_CONNECTION_IN_BATCH):
                break
            batch.append(waiting.popleft())
            del sources[source]
            if waiting:
                self._busy[source] = waiting
            elif size <= LIVE_COMMANDS and self._busy:
                room = min(room, MAX_COMMANDS_BESIDE_LIVE)
        return batch
