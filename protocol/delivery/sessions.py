"""One live connection to a host: what was asked on it, and what it knows (Spec 6 §3)."""

from enum import Enum, auto
from typing import NamedTuple

from protocol.keys import SHARED, Connection, Group, HandshakeHash, RelayKey, Request, Subscription
from protocol.limits import DELIVERY_WINDOW, MAX_HELD_BEFORE_HANDSHAKE, MAX_IN_FLIGHT_DEPOSITS
from protocol.step import Step
from protocol.wire.commands import Command

BACKLOG_TRAVELS = 16
"""How much longer than alone a command and its answer may take with all before them that may wait on a link: 64
deposits one way, 128 entries the other."""


class Ask(Enum):
    """What a request was about; with it goes the row that it concerns."""

    CREATE = auto()
    PROVE_QUEUE = auto()
    SUBSCRIBE = auto()
    SETTLE = auto()
    DROP = auto()
    PROVE_ROUTE = auto()
    CLAIM = auto()
    JOIN = auto()
    DEPOSIT = auto()
    CLAIM_LOOP = auto()


class Pending(NamedTuple):
    """An unanswered request."""

    ask: Ask
    row: int
    deadline: float


class HostSession:
    """One live connection to a host."""

    proves = True
    """Whether proving a key once spares the check of each deposit."""

    def __init__(
        self, connection: Connection, relay: RelayKey, handshake_hash: HandshakeHash, group: Group = SHARED
    ) -> None:
        self.connection = connection
        self.relay = relay
        self.group = group
        self.handshake_hash = handshake_hash
        self.pending: dict[Request, Pending] = {}
        self.proven_routes: set[int] = set()
        self.subscriptions: dict[Subscription, int] = {}
        self.held: dict[int, int] = {}
        self.in_flight = 0
        self.creation_rests: dict[int, float] = {}
        """Until when a queue that the host did not make is not asked for again."""
        self.reclaimed: set[int] = set()
        """Routes that were claimed again because a deposit was refused: once a session."""
        self.backlog = False
        """Sealed envelopes wait for room on this connection."""
        self._next = 0
        self._asked: set[tuple[Ask, int]] = set()
        self._alarm = 0.0
        """When it will be looked at whether the oldest request was answered; the younger ones wait for that."""

    def request(self, step: Step, ask: Ask, row: int) -> Request:
        """A fresh request number, remembered until it is answered."""
        request = self.number()
        deadline = step.now.service + self.patience(step)
        self.pending[request] = Pending(ask, row, deadline)
        if self._alarm <= step.now.service:
            self._alarm = deadline
            step.wake_at(deadline)
        self._asked.add((ask, row))
        self.in_flight += ask is Ask.DEPOSIT
        return request

    def number(self) -> Request:
        """A fresh one, for a request that somebody else remembers."""
        self._next += 1
        return Request(self._next)

    def patience(self, step: Step) -> float:
        """Seconds within which a request is answered."""
        return step.timing.reply_seconds + BACKLOG_TRAVELS * step.timing.travel_seconds

    def send(self, step: Step, command: Command) -> None:
        """Queue a command for after the commit."""
        step.send(self.connection, command)

    def answered(self, request: Request) -> Pending | None:
        """What the request was about; nil where nothing was asked under this number."""
        pending = self.pending.pop(request, None)
        if pending is not None:
            self._asked.discard((pending.ask, pending.row))
            self.in_flight -= pending.ask is Ask.DEPOSIT
        return pending

    def is_silent(self, step: Step) -> bool:
        """Whether its oldest request should have been answered by now; if not, asks to be looked at again."""
        for pending in self.pending.values():
            self._alarm = pending.deadline
            step.wake_at(pending.deadline)
            return pending.deadline <= step.now.service
        self._alarm = 0.0
        return False

    def asked(self, ask: Ask, row: int) -> bool:
        """Whether this very thing is under way."""
        return (ask, row) in self._asked

    @property
    def has_room(self) -> bool:
        """Whether another deposit may be in flight."""
        return self.in_flight < MAX_IN_FLIGHT_DEPOSITS

    def hold(self, queue: int) -> bool:
        """Leave an envelope at the relay until the handshake comes; after enough of them, drop.

        What is held takes room in the windows of the queue and of the connection, which others need.
        """
        held = self.held.get(queue, 0)
        if held >= DELIVERY_WINDOW - 1 or sum(self.held.values()) >= MAX_HELD_BEFORE_HANDSHAKE:
            return False
        self.held[queue] = held + 1
        return True

    def subscribe(self, queue: int) -> Subscription:
        """A fresh subscription number; an older one of the same queue means nothing any more."""
        for number, other in list(self.subscriptions.items()):
            if other == queue:
                del self.subscriptions[number]
        self._next += 1
        self.subscriptions[Subscription(self._next)] = queue
        self.held.pop(queue, None)
        return Subscription(self._next)
