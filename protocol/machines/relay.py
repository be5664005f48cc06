"""A relay: queues for others, each touched only by who holds its keys (Spec 8).

Two things are volatile: what a session has proved, which is compared with the store at each use, and who is pushed
what, which changes after a commit only, in `Woken`. So a batch that fails leaves nothing behind; what it acknowledged
is then erased in a batch of its own.
"""

from collections.abc import Sequence as Rows

from protocol.crypto.suite import Suite
from protocol.effects import Disconnect, Effect, Send, Wake
from protocol.errors import Code
from protocol.events import Closed, Event, Failed, Now, Opened, Received, Started, TimePassed, Unreachable, Woken
from protocol.keys import Connection, RelayKey
from protocol.limits import MAX_EXPIRED_PER_STEP, QUEUE_QUOTA_ENVELOPES
from protocol.machines.directory import Directory
from protocol.machines.forwarding import Forwarding
from protocol.machines.queue_commands import (
    RETENTION_SECONDS,
    Acknowledging,
    Commands,
    Dropping,
    Due,
    Session,
    Step,
    Subscribing,
)
from protocol.machines.subscriptions import Subscriptions
from protocol.store import RelayTransaction
from protocol.timing import Timing
from protocol.wire.commands import (
    Ack,
    Claim,
    Command,
    Create,
    Deposit,
    Describe,
    Drop,
    Forward,
    Info,
    Lookup,
    Onion,
    Prove,
    Publish,
    Refused,
    Settle,
    Subscribe,
    Via,
)


class Relay:
    """`protocol.machines.contract.Machine[RelayTransaction]`.

    `relay_key` is this relay's own public key, which claims are bound to. `quota_envelopes` bounds each queue.
    `offered`: the signed list of relays that whoever asks is given, as it is. `forwarding`: None where it does none.
    `directory`: whether it keeps cards, by which people are found under a name (Spec 13).
    """

    def __init__(
        self, suite: Suite, timing: Timing, relay_key: RelayKey, quota_envelopes: int = QUEUE_QUOTA_ENVELOPES,
        offered: bytes = b"", forwarding: Forwarding | None = None, directory: bool = False,
    ) -> None:  # fmt: skip
        self._timing = timing
        self._commands = Commands(suite, relay_key, quota_envelopes, offered)
        self._forwarding = forwarding
        self._directory = Directory(suite, relay_key) if directory else None
        self._expiry_at: float | None = None
        self._keys_at: float | None = None
        self._sessions: dict[Connection, Session] = {}
        self._subscriptions = Subscriptions()
        self._due: list[Due] = []
        self._owed: dict[Acknowledging, None] = {}

    @property
    def next_wake(self) -> float | None:
        """Service seconds at which something is over, or due."""
        tick = self._forwarding.entry.next_wake if self._forwarding is not None else None
        return min((time for time in (self._expiry_at, self._keys_at, tick) if time is not None), default=None)

    def handle(self, event: Event, tx: RelayTransaction, now: Now) -> Rows[Effect]:
        """One event. Raises PeerError: MALFORMED (not an envelope), LIMIT (too much for one connection)."""
        match event:
            case Received():
                return self._received(event, tx, now)
            case Woken():
                return self._woken(event, tx)
            case TimePassed():
                return self._time_passed(tx, now)
            case Opened():
                return self._opened(event, now)
            case Closed():
                return self._closed(event, now)
            case Started():
                self._expiry_at = self._next_expiry(tx)
                self._renew_keys(tx, now)
                return ()
            case Unreachable() if self._forwarding is not None:
                return self._forwarding.entry.unreachable(event.relay, now)
            case Failed():
                return self._failed(event, tx, now)
        raise AssertionError(f"a relay is not asked, and dials only to forward: {event}")

    # Connections

    def _opened(self, event: Opened, now: Now) -> Rows[Effect]:
        if event.relay is not None:
            assert self._forwarding is not None
            return self._forwarding.entry.opened(event.connection, event.relay, now)
        self._open(event)
        return ()

    def _open(self, event: Opened) -> None:
        self._sessions.setdefault(event.connection, Session(event.handshake_hash))
        self._subscriptions.open(event.connection)

    def _closed(self, event: Closed, now: Now) -> Rows[Effect]:
        self._sessions.pop(event.connection, None)
        self._subscriptions.close(event.connection)
        for owed in [owed for owed in self._owed if owed.connection == event.connection]:
            del self._owed[owed]
        return self._forwarding.entry.closed(event.connection, now) if self._forwarding is not None else ()

    def _received(self, event: Received, tx: RelayTransaction, now: Now) -> list[Effect]:
        session = self._sessions.get(event.connection)
        if session is None:
            return self._replied(event, now)
        step = Step(event.connection, session, self._subscriptions, tx, now)
        for command in event.commands:
            self._carry_out(command, step)
        self._due += step.due
        if step.erase_by is not None:
            self._wake_by(step.erase_by)
        return [*step.effects, *map(Wake, step.woken)]

    def _carry_out(self, command: Command, step: Step) -> None:
        match command:
            case Via() | Forward() | Onion() | Describe():
                if self._forwarding is None:
                    step.refuse(command.request)
                else:
                    self._forwarding.carry_out(command, step, self._commands)
            case Publish() | Lookup():
                if self._directory is None:
                    step.refuse(command.request)
                else:
                    self._directory.carry_out(command, step)
            case _:
                self._commands.carry_out(command, step)

    def _replied(self, event: Received, now: Now, *, again: bool = False) -> list[Effect]:
        """By a relay that this one dialled to forward."""
        entry = self._forwarding.entry if self._forwarding is not None else None
        if entry is None or not entry.is_destination(event.connection):
            return []
        return [
            effect
            for command in event.commands
            for effect in entry.received(event.connection, command, now, again=again)
        ]

    # After the commit, or instead of it

    def _woken(self, event: Woken, tx: RelayTransaction) -> list[Effect]:
        effects: list[Effect] = []
        due, self._due = self._due, []
        for change in due:
            match change:
                case Acknowledging():
                    self._owed.pop(change, None)
                    self._subscriptions.acknowledge(*change)
                case Subscribing():
                    effects += self._subscriptions.subscribe(*change)
                case Dropping():
                    effects += self._subscriptions.end(change.queue)
        effects += self._subscriptions.push(event.queues, tx)
        return effects

    def _failed(self, event: Failed, tx: RelayTransaction, now: Now) -> list[Effect]:
        """Nothing of the batch was stored. What was acknowledged is still to be erased, or its window never moves."""
        self._due.clear()
        failed = event.event
        if self._forwarding is not None:
            self._forwarding.keys.load(tx)
        match failed:
            case Opened() if failed.relay is not None:
                return [Disconnect(failed.connection, Code.INTERNAL)]
            case Opened():
                self._open(failed)
            case Closed():
                return list(self._closed(failed, now))
            case Started() | TimePassed():
                self._expiry_at = now.service + self._timing.store_retry_seconds
                self._keys_at = self._expiry_at if self._forwarding is not None else None
            case Received() if failed.connection not in self._sessions:
                return self._replied(failed, now, again=True)
            case Received():
                return self._failed_commands(failed, now)
        return []

    def _failed_commands(self, event: Received, now: Now) -> list[Effect]:
        effects: list[Effect] = []
        for command in event.commands:
            match command:
                case Ack():
                    self._owe(event.connection, command, now)
                case Via() | Forward():
                    if self._forwarding is not None:
                        self._forwarding.entry.forget(event.connection, command.request)
                    effects.append(Send(event.connection, Refused(command.request, Code.UNAVAILABLE)))
                case (
                    Create()
                    | Claim()
                    | Settle()
                    | Prove()
                    | Subscribe()
                    | Deposit()
                    | Drop()
                    | Info()
                    | Onion()
                    | Describe()
                    | Publish()
                    | Lookup()
                ):
                    effects.append(Send(event.connection, Refused(command.request, Code.UNAVAILABLE)))
        return effects

    def _owe(self, connection: Connection, ack: Ack, now: Now) -> None:
        subscriber = self._subscriptions.find(connection, ack.subscription)
        if subscriber is not None and ack.sequence in subscriber.unacknowledged:
            self._owed[Acknowledging(connection, subscriber.queue, ack.sequence)] = None
            self._wake_by(now.service)

    # Time

    def _time_passed(self, tx: RelayTransaction, now: Now) -> list[Effect]:
        effects: list[Effect] = []
        if self._keys_at is not None and self._keys_at <= now.service:
            self._renew_keys(tx, now)
        if self._forwarding is not None:
            effects += self._forwarding.entry.time_passed(now)
        if self._expiry_at is not None and self._expiry_at <= now.service:
            effects += self._expire(tx, now)
        return effects

    def _renew_keys(self, tx: RelayTransaction, now: Now) -> None:
        if self._forwarding is not None:
            self._keys_at = self._forwarding.keys.renew(tx, now.service)

    def _expire(self, tx: RelayTransaction, now: Now) -> list[Effect]:
        for owed in self._owed:
            tx.entries.remove(owed.queue, owed.sequence)
        self._due += self._owed
        until = now.service - RETENTION_SECONDS
        expired = (
            tx.links.expire(now.service, MAX_EXPIRED_PER_STEP),
            tx.cards.expire(now.service, MAX_EXPIRED_PER_STEP),
            tx.entries.expire(until, MAX_EXPIRED_PER_STEP),
            tx.digests.expire(until, MAX_EXPIRED_PER_STEP),
        )
        due = self._next_expiry(tx)
        if max(expired) < MAX_EXPIRED_PER_STEP and due is not None:
            due = max(due, now.service + 1.0)  # rounding must not make it due at once for ever
        self._expiry_at = due
        return [Wake(owed.queue) for owed in self._owed]

    def _next_expiry(self, tx: RelayTransaction) -> float | None:
        times = [time + RETENTION_SECONDS for time in (tx.entries.oldest(), tx.digests.oldest()) if time is not None]
        times += [time for time in (tx.links.next_expiry(), tx.cards.next_expiry()) if time is not None]
        return min(times, default=None)

    def _wake_by(self, service: float) -> None:
        if self._expiry_at is None or service < self._expiry_at:
            self._expiry_at = service
