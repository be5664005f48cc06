"""Events that wait for the core, fair between connections: who sends most waits longest, and nobody waits for ever."""

from collections import OrderedDict, deque

from protocol.events import Closed, Event, Opened, Received
from protocol.limits import MAX_COMMANDS_PER_BATCH, MAX_EVENTS_PER_CONNECTION_IN_BATCH

_LOCAL = -1
"""Where events come from that no connection brought."""


class Inbox:
    """Bounded by its sources: a connection's reader stops at `MAX_UNHANDLED_FRAMES`. Used by one thread."""

    def __init__(self) -> None:
        self._sources: OrderedDict[int, deque[Event]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._sources)

    def put(self, event: Event) -> None:
        """Behind what its own connection already has waiting."""
        source = event.connection if isinstance(event, Received | Opened | Closed) else _LOCAL
        waiting = self._sources.get(source)
        if waiting is None:
            waiting = self._sources[source] = deque()
        waiting.append(event)

    def take(self) -> list[Event]:
        """The next batch, one event of each source in turn: at most 8 of a source and 256 commands in all.

        It has one event at least. Whoever was not served comes first in the next batch.
        """
        batch: list[Event] = []
        room = MAX_COMMANDS_PER_BATCH
        served: dict[int, int] = {}
        while self._sources:
            source, waiting = next(iter(self._sources.items()))
            event = waiting[0]
            room -= len(event.commands) if isinstance(event, Received) else 1
            served[source] = served.get(source, 0) + 1
            if batch and (room < 0 or served[source] > MAX_EVENTS_PER_CONNECTION_IN_BATCH):
                break
            batch.append(waiting.popleft())
            if waiting:
                self._sources.move_to_end(source)
            else:
                del self._sources[source]
        return batch
