"""Events that wait for the core, fair between connections: who sends most waits longest, and nobody waits for ever."""

from collections import Counter, OrderedDict, deque
from typing import TypeAlias

from protocol.events import Closed, Event, Opened, Received
from protocol.limits import MAX_COMMANDS_PER_BATCH, MAX_EVENTS_PER_CONNECTION_IN_BATCH

_LOCAL = -1
"""Where events come from that no connection brought."""
_OF_A_CONNECTION = (Received, Opened, Closed)

TURN_COMMANDS = 8
"""Of a source before the next one: counted so, many small frames get as far as one large one."""
LIVE_COMMANDS = 2
"""Of the one frame of somebody who is not sending in bulk."""
MOST_LIVE = 4
"""With more of them than this the load is made of such frames, and larger batches serve it better."""
LIVE_BATCHES = 64
"""That are short ones after somebody live was seen: the next message must not wait for a long step either."""
MAX_COMMANDS_BESIDE_LIVE = 32
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
        source = event.connection if isinstance(event, _OF_A_CONNECTION) else _LOCAL
        waiting = self._busy.get(source) or self._fresh.get(source)
        if waiting is None:
            self._fresh[source] = deque((event,))
        else:
            waiting.append(event)

    def take(self) -> list[Event]:
        """The next batch, sources in turn: at most 16 events of a source and 192 commands in all.

        It has one event at least where any waits. Whoever was not served comes first in the next batch.
        """
        if self._busy or self._short_batches:
            self._look_for_live()
        elif not self._fresh:
            self._served.clear()
            return []
        if len(self._fresh) == 1 and not self._busy:
            source, waiting = next(iter(self._fresh.items()))
            if len(waiting) == 1:  # nothing to be fair about
                del self._fresh[source]
                return [waiting[0]]
        batch: list[Event] = []
        room = MAX_COMMANDS_BESIDE_LIVE if self._short_batches else MAX_COMMANDS_PER_BATCH
        served: Counter[int] = Counter()
        first, other = self._fresh, self._busy
        while sources := first or other:
            source, waiting = next(iter(sources.items()))
            turn = _turn(waiting, room, MAX_EVENTS_PER_CONNECTION_IN_BATCH - served[source], whole=not batch)
            if not turn:
                break
            batch += turn
            room -= sum(map(_size, turn))
            served[source] += len(turn)
            del sources[source]
            if waiting:
                self._busy[source] = waiting
            first, other = other, first
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


def _turn(waiting: deque[Event], room: int, events: int, whole: bool) -> list[Event]:
    """What a source gets before the next one: what fits; the first event of a batch does, `whole`, however large."""
    turn: list[Event] = []
    left = TURN_COMMANDS
    while waiting and left > 0 and len(turn) < events and (_size(waiting[0]) <= room or (whole and not turn)):
        event = waiting.popleft()
        turn.append(event)
        left -= _size(event)
        room -= _size(event)
    return turn


def _size(event: Event) -> int:
    return len(event.commands) if isinstance(event, Received) else 1
