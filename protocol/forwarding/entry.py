"""A relay between a node and its destination: it knows who sends and where to, and nothing of what (Spec 12 §5, §6).

All of it is volatile, and outside of the step's transaction: whoever gets no reply deposits again, which stores
nothing twice. A step that is undone is made good by `forget` and `again`.
"""

from collections.abc import Callable, Iterator

from msgspec import Struct, field

from protocol.crypto.suite import Suite
from protocol.effects import Dial, Disconnect, Effect, Send
from protocol.entropy import Entropy
from protocol.errors import Code, PeerError
from protocol.events import Now
from protocol.forwarding.descriptor import is_signed
from protocol.forwarding.onion import seal_onion
from protocol.forwarding.pool import Pool
from protocol.keys import Connection, RelayKey, Request
from protocol.limits import (
    MAX_DESTINATIONS_PER_SESSION,
    MAX_FORWARDS_PER_SESSION,
    MAX_NEW_DESTINATIONS_PER_HOUR,
    MAX_OPEN_DESTINATIONS,
    MAX_POOLED_FORWARDS,
)
from protocol.timing import Timing
from protocol.wire.commands import Command, Describe, Descriptor, Forward, Onion, Reachable, Refused, Returned, Via
from protocol.wire.onions import Cover

UNSENT_SECONDS = 30.0
"""A destination that cannot be reached for this long: the sender is told."""
REPLY_SECONDS = 120.0
"""What is known of a forward is kept for this long at most."""
DESCRIBED_SECONDS = 3_600.0
"""A descriptor is given to others for so long, then asked for again."""
IDLE_SECONDS = 600.0
"""A destination to which nothing went for this long is hung up on."""
_HOUR_SECONDS = 3_600.0


class _Asker(Struct, frozen=True):
    """A node that waits for a reply."""

    connection: Connection
    request: Request


class _Pooled(Struct, frozen=True, eq=False):
    """What is in the pool. Nobody asks for a dummy."""

    destination: RelayKey
    onion: bytes
    since: float
    asker: _Asker | None


class _Waiting(Struct):
    """For a destination's reply; `done`: it came."""

    asker: _Asker | None
    until: float
    done: bool = False


class _Session(Struct):
    """One node's."""

    destinations: dict[int, tuple[RelayKey, str]] = field(default_factory=dict)
    """Key and host by the number that this session gave."""
    named_at: list[float] = field(default_factory=list)
    waiting: int = 0


class _Destination(Struct):
    """A relay that somebody wants to reach."""

    host: str
    used: float
    connection: Connection | None = None
    dialling: bool = False
    next_dial: float = 0.0
    failures: int = 0
    descriptor: Descriptor | None = None
    described: float = 0.0
    """When that came."""
    askers: list[tuple[_Asker, float]] = field(default_factory=list)
    """Who waits for the descriptor, since when."""
    ready: list[_Pooled] = field(default_factory=list)
    """Drawn from the pool while there was no connection."""
    waiting: dict[Request, _Waiting] = field(default_factory=dict)
    last_request: int = 0


class Entry:
    """Beside a relay's queues, which it does not touch."""

    def __init__(self, suite: Suite, entropy: Entropy, timing: Timing, own: RelayKey) -> None:
        self._suite = suite
        self._entropy = entropy
        self._timing = timing
        self._own = own
        self._pool: Pool[_Pooled] = Pool(entropy)
        self._sessions: dict[Connection, _Session] = {}
        self._destinations: dict[RelayKey, _Destination] = {}
        self._dialled: dict[Connection, RelayKey] = {}
        self._tick_at: float | None = None

    @property
    def next_wake(self) -> float | None:
        """Service seconds at which `time_passed` is wanted."""
        return self._tick_at

    def is_destination(self, connection: Connection) -> bool:
        """Whether this relay dialled it."""
        return connection in self._dialled

    # A node's commands

    def via(self, connection: Connection, command: Via, now: Now) -> list[Effect]:
        """Answered with the destination's descriptor, once it is known."""
        session = self._sessions.setdefault(connection, _Session())
        code = self._may_name(session, command, now)
        if code is not None:
            return [Send(connection, Refused(command.request, code))]
        if command.destination not in session.destinations:
            session.named_at.append(now.service)
            session.destinations[command.destination] = command.relay, command.host
        destination = self._wanted(command.relay, command.host, now)
        known = destination.descriptor if now.service < destination.described + DESCRIBED_SECONDS else None
        if destination.connection is not None and known is not None:
            return [Send(connection, Reachable(command.request, known))]
        destination.askers.append((_Asker(connection, command.request), now.service))
        self._wake(now)
        if destination.connection is not None:
            return [self._ask(destination)]
        return self._dial(command.relay, destination, now)

    def _may_name(self, session: _Session, command: Via, now: Now) -> Code | None:
        session.named_at = [at for at in session.named_at if at > now.service - _HOUR_SECONDS]
        known, _ = session.destinations.get(command.destination, (None, ""))
        if command.relay == self._own or known not in {None, command.relay}:
            return Code.REFUSED
        if known is None and (
            len(session.named_at) >= MAX_NEW_DESTINATIONS_PER_HOUR
            or len(session.destinations) >= MAX_DESTINATIONS_PER_SESSION
        ):
            return Code.UNAVAILABLE
        if command.relay not in self._destinations and len(self._destinations) >= MAX_OPEN_DESTINATIONS:
            return Code.UNAVAILABLE
        return None

    def forward(self, connection: Connection, command: Forward, now: Now) -> list[Effect]:
        """Into the pool."""
        session = self._sessions.get(connection)
        if session is None or command.destination not in session.destinations:
            return [Send(connection, Refused(command.request, Code.REFUSED))]
        relay, host = session.destinations[command.destination]
        if session.waiting >= MAX_FORWARDS_PER_SESSION or self._pool.real >= MAX_POOLED_FORWARDS:
            return [Send(connection, Refused(command.request, Code.UNAVAILABLE))]
        session.waiting += 1
        self._pool.put(_Pooled(relay, command.onion, now.service, _Asker(connection, command.request)))
        self._wake(now)
        return self._dial(relay, self._wanted(relay, host, now), now)

    def forget(self, connection: Connection, request: Request) -> None:
        """The step that brought this `via` or `forward` was undone, and is answered elsewhere."""
        asker = _Asker(connection, request)
        for gone in self._pool.discard(lambda pooled: pooled.asker == asker):
            self._leave(gone.asker)
        for destination in self._destinations.values():
            destination.askers = [one for one in destination.askers if one[0] != asker]
            for waiting in destination.waiting.values():
                if waiting.asker == asker and not waiting.done:
                    waiting.done = True
                    self._leave(asker)

    # Connections

    def closed(self, connection: Connection, now: Now) -> list[Effect]:
        """A node's, with which its forwards are forgotten; or a destination's."""
        relay = self._dialled.pop(connection, None)
        if relay is not None:
            return self._lost(self._destinations[relay], now)
        if self._sessions.pop(connection, None) is not None:
            self._pool.discard(lambda pooled: pooled.asker is not None and pooled.asker.connection == connection)
            for destination in self._destinations.values():
                destination.askers = [one for one in destination.askers if one[0].connection != connection]
        return []

    def opened(self, connection: Connection, relay: RelayKey, now: Now) -> list[Effect]:
        """A destination is reached."""
        destination = self._destinations.get(relay)
        if destination is None:
            return [Disconnect(connection, Code.REPLACED)]
        destination.connection, destination.dialling, destination.failures = connection, False, 0
        self._dialled[connection] = relay
        effects: list[Effect] = [self._ask(destination)]
        ready, destination.ready = destination.ready, []
        return [*effects, *(self._send(destination, pooled, now) for pooled in ready)]

    def unreachable(self, relay: RelayKey, now: Now) -> list[Effect]:
        """Whoever waits for it is told, and goes another way or tries again."""
        destination = self._destinations.get(relay)
        if destination is None:
            return []
        destination.dialling = False
        askers, destination.askers = destination.askers, []
        ready, destination.ready = destination.ready, []
        destination.failures += 1
        back_off = min(self._timing.redial_most_seconds, self._timing.redial_first_seconds * 2.0**destination.failures)
        destination.next_dial = now.service + back_off * (0.5 + self._entropy.uniform())
        effects: list[Effect] = [Send(one.connection, Refused(one.request, Code.UNAVAILABLE)) for one, _ in askers]
        for pooled in ready:
            effects += self._tell(pooled.asker, Code.UNAVAILABLE)
        return effects

    def _lost(self, destination: _Destination, now: Now) -> list[Effect]:
        """What it had not answered may be stored or not: the senders deposit again."""
        destination.connection = None
        destination.next_dial = now.service + self._timing.redial_first_seconds
        waiting, destination.waiting = destination.waiting, {}
        effects: list[Effect] = []
        for one in waiting.values():
            if not one.done:
                effects += self._tell(one.asker, Code.UNAVAILABLE)
        return effects

    # A destination's replies

    def received(self, connection: Connection, command: Command, now: Now, *, again: bool = False) -> list[Effect]:
        """`again`: the step in which it was handled before was undone. Raises PeerError MALFORMED: another kind of
        reply, or a descriptor that is not the destination's."""
        relay = self._dialled[connection]
        destination = self._destinations[relay]
        match command:
            case Reachable(_, descriptor):
                if not is_signed(self._suite, relay, descriptor):
                    raise PeerError(Code.MALFORMED, "a descriptor that its relay has not signed")
                destination.described = now.service
                destination.descriptor = descriptor  # whether it still holds is for the node's clock to say
                askers, destination.askers = destination.askers, []
                return [Send(one.connection, Reachable(one.request, descriptor)) for one, _ in askers]
            case Returned(request, sealed):
                return self._reply(destination, request, lambda asker: Returned(asker.request, sealed), again)
            case Refused(request, code):
                return self._reply(destination, request, lambda asker: Refused(asker.request, code), again)
        raise PeerError(Code.MALFORMED, "a reply that no entry relay asks for")

    def _reply(
        self, destination: _Destination, request: Request, reply: Callable[[_Asker], Command], again: bool
    ) -> list[Effect]:
        waiting = destination.waiting.get(request)
        if waiting is None or (waiting.done and not again):
            return []
        if not waiting.done:
            waiting.done = True
            self._leave(waiting.asker)
        if waiting.asker is None or waiting.asker.connection not in self._sessions:
            return []
        return [Send(waiting.asker.connection, reply(waiting.asker))]

    # Time

    def time_passed(self, now: Now) -> list[Effect]:
        """A tick of the pool, and whatever has waited too long."""
        if self._tick_at is None or now.service < self._tick_at:
            return []
        self._tick_at = None
        effects = self._give_up(now)
        for pooled in self._pool.tick(self._dummy(now)):
            destination = self._destinations.get(pooled.destination)
            if destination is None:  # nobody has named it for long
                effects += self._tell(pooled.asker, Code.UNAVAILABLE)
            elif destination.connection is None:
                destination.ready += [pooled] if pooled.asker is not None else []
                effects += self._dial(pooled.destination, destination, now)
            else:
                effects.append(self._send(destination, pooled, now))
        for relay, destination in list(self._destinations.items()):
            wanted = bool(destination.askers or destination.ready)
            if wanted and destination.connection is None:
                effects += self._dial(relay, destination, now)
            if not wanted and now.service >= destination.used + IDLE_SECONDS and not destination.dialling:
                if destination.connection is not None:
                    effects.append(Disconnect(destination.connection, Code.REPLACED))
                    self._dialled.pop(destination.connection, None)
                del self._destinations[relay]
        self._wake_later(now)
        return effects

    def _wake_later(self, now: Now) -> None:
        """At the next tick while anything is to leave or to be reached, else when something is over."""
        wanted = any(one.askers or one.ready for one in self._destinations.values())
        if self._pool.real or wanted:
            self._wake(now)
            return
        times = [one.used + IDLE_SECONDS for one in self._destinations.values()]
        waiting = [one for destination in self._destinations.values() for one in destination.waiting.values()]
        times += [one.until for one in waiting if not one.done]
        self._tick_at = max(min(times), now.service + 1.0) if times else None

    def _give_up(self, now: Now) -> list[Effect]:
        effects: list[Effect] = []
        for destination in self._destinations.values():
            unsent = now.service - UNSENT_SECONDS
            for pooled in [one for one in destination.ready if one.since <= unsent]:
                effects += self._tell(pooled.asker, Code.UNAVAILABLE)
            destination.ready = [one for one in destination.ready if one.since > unsent]
            late = [asker for asker, since in destination.askers if since <= unsent]
            effects += [Send(one.connection, Refused(one.request, Code.UNAVAILABLE)) for one in late]
            destination.askers = [one for one in destination.askers if one[1] > unsent]
            for request, waiting in list(destination.waiting.items()):
                if waiting.until <= now.service:
                    del destination.waiting[request]
                    if not waiting.done:
                        effects += self._tell(waiting.asker, Code.UNAVAILABLE)
        return effects

    def _dummy(self, now: Now) -> Callable[[], _Pooled]:
        """For a random one of the destinations whose key is known; where there is none, it only keeps a place."""
        known = [(relay, one.descriptor) for relay, one in self._destinations.items() if one.descriptor is not None]

        def make() -> _Pooled:
            if not known:
                return _Pooled(self._own, b"", now.service, None)
            relay, descriptor = known[int(self._entropy.uniform() * len(known))]
            onion, _ = seal_onion(self._suite, self._entropy, relay, descriptor.epoch, descriptor.key, Cover())
            return _Pooled(relay, onion, now.service, None)

        return make

    # Parts

    def _wanted(self, relay: RelayKey, host: str, now: Now) -> _Destination:
        destination = self._destinations.get(relay)
        if destination is None:
            destination = self._destinations[relay] = _Destination(host, now.service)
        destination.used = now.service
        return destination

    def _wake(self, now: Now) -> None:
        """Whole ticks of this relay's clock, not of whoever comes first."""
        tick = self._timing.mix_seconds
        at = (now.service // tick + 1.0) * tick
        self._tick_at = at if self._tick_at is None else min(self._tick_at, at)

    def _dial(self, relay: RelayKey, destination: _Destination, now: Now) -> list[Effect]:
        if destination.connection is not None or destination.dialling or now.service < destination.next_dial:
            return []
        destination.dialling = True
        return [Dial(relay, destination.host, self._timing.dial_seconds)]

    @staticmethod
    def _ask(destination: _Destination) -> Effect:
        assert destination.connection is not None
        destination.last_request += 1
        return Send(destination.connection, Describe(Request(destination.last_request)))

    def _send(self, destination: _Destination, pooled: _Pooled, now: Now) -> Effect:
        assert destination.connection is not None
        destination.last_request += 1
        request = Request(destination.last_request)
        destination.waiting[request] = _Waiting(pooled.asker, now.service + REPLY_SECONDS)
        return Send(destination.connection, Onion(request, pooled.onion))

    def _tell(self, asker: _Asker | None, code: Code) -> Iterator[Effect]:
        """A forward ends here."""
        self._leave(asker)
        if asker is not None and asker.connection in self._sessions:
            yield Send(asker.connection, Refused(asker.request, code))

    def _leave(self, asker: _Asker | None) -> None:
        session = self._sessions.get(asker.connection) if asker is not None else None
        if session is not None:
            session.waiting -= 1
