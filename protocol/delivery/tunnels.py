"""Relays that are reached by an entry relay, so that they never see this node's address (Spec 12 §7).

A tunnel is used like a session with its relay, but for what needs one: it carries deposits and claims, each sealed in
an onion. All of it is volatile; what gets no reply is deposited again. There is no way round it: where no relay of the
node's own can be the entry, nothing is sent.
"""

from typing import NamedTuple

from msgspec import Struct

from protocol.crypto.proofs import custody_message
from protocol.delivery import troubles
from protocol.delivery.sessions import Ask, HostSession
from protocol.effects import Disconnect
from protocol.envelope.envelope import parse_envelope
from protocol.errors import Code, PeerError
from protocol.forwarding.descriptor import check_descriptor
from protocol.forwarding.onion import open_reply, seal_onion
from protocol.keys import LOOPS, Connection, Digest, Group, HandshakeHash, RelayKey, Request
from protocol.limits import MAX_DESTINATIONS_PER_SESSION, MAX_FORWARDS_PER_SESSION
from protocol.step import Step
from protocol.wire.commands import (
    Accepted,
    Claim,
    Claimed,
    Command,
    Deposit,
    Descriptor,
    Forward,
    Reachable,
    Refused,
    Returned,
    Via,
)
from protocol.wire.onions import OnionClaim, OnionClaimed, OnionDeposit, OnionStored

REPLY_SECONDS = 150.0
"""The entry tells after 120 s that no reply came; beyond this it is not waited for either."""
NAMING_SECONDS = 60.0
"""The entry tells after 30 s that it cannot reach a relay."""
_MOST_UNDER_WAY = MAX_FORWARDS_PER_SESSION - 2
"""A loop and a drop have their places beside these (Spec 10 §9)."""


class Far:
    """A relay behind an entry; where a `Host` has a session, this may have a tunnel."""

    def __init__(self, relay: RelayKey, host: str, group: Group) -> None:
        self.relay = relay
        self.host = host
        self.group = group
        self.session: Tunnel | None = None
        self.dialing = False
        """Never: nobody waits for a dial of another's."""
        self.asked_on: HostSession | None = None
        self.next_try = 0.0
        self.failures = 0


class _Sealed(NamedTuple):
    """A forward that waits for its reply."""

    far: Far
    tunnel: "Tunnel"
    inner: Request
    reply_key: bytes


class Tunnel(HostSession):
    """By way of one session with an entry, for as long as that lasts."""

    proves = False

    def __init__(self, far: Far, entry: HostSession, number: int, descriptor: Descriptor, tunnels: "Tunnels") -> None:
        super().__init__(entry.connection, far.relay, HandshakeHash(b""), far.group)
        self.entry = entry
        self._far = far
        self.destination = number
        self.descriptor = descriptor
        self._tunnels = tunnels

    def patience(self, step: Step) -> float:
        return REPLY_SECONDS + super().patience(step)

    @property
    def has_room(self) -> bool:
        return super().has_room and self._tunnels.under_way(self.entry) < _MOST_UNDER_WAY

    def send(self, step: Step, command: Command) -> None:
        """Deposits and claims; nothing else has a meaning here."""
        match command:
            case Deposit(request, envelope):
                content: OnionDeposit | OnionClaim = OnionDeposit(envelope)
            case Claim(request, named, sender_key, signature):
                content = OnionClaim(named, sender_key, signature)
            case _:
                raise AssertionError(f"{type(command).__name__} in a tunnel")
        key = self.descriptor
        onion, reply_key = seal_onion(step.suite, step.entropy, self.relay, key.epoch, key.key, content)
        number = self.entry.number()
        self._tunnels.sealed[self.connection, number] = _Sealed(self._far, self, request, reply_key)
        step.send(self.connection, Forward(number, self.destination, onion))


class _Naming(Struct):
    """A `via` that waits for its answer."""

    far: Far
    entry: HostSession
    number: int
    deadline: float


class Tunnels:
    """All of this process."""

    def __init__(self) -> None:
        self.sealed: dict[tuple[Connection, Request], _Sealed] = {}
        self._naming: dict[tuple[Connection, Request], _Naming] = {}
        self._far: dict[tuple[RelayKey, RelayKey, Group], Far] = {}
        """By relay, then entry."""
        self._numbers: dict[Connection, dict[RelayKey, int]] = {}

    def reach(
        self, step: Step, relay: RelayKey, host: str, entry: RelayKey, session: HostSession | None, group: Group
    ) -> Far:
        """`session`: with the entry, if there is one."""
        far = self._far.get((relay, entry, group))
        if far is None:
            far = self._far[relay, entry, group] = Far(relay, host, group)
        far.host = host
        if far.session is not None and far.session.entry is not session:
            far.session = None
        if session is None or far.session is not None or far.asked_on is session:
            return far
        if far.next_try > step.now.service:
            step.wake_at(far.next_try)
            return far
        numbers = self._numbers.setdefault(session.connection, {})
        if relay not in numbers and len(numbers) >= MAX_DESTINATIONS_PER_SESSION:
            self._down(step, far)
            return far
        far.asked_on = session
        number = numbers.setdefault(relay, len(numbers))
        request = session.number()
        deadline = step.now.service + NAMING_SECONDS + session.patience(step)
        self._naming[session.connection, request] = _Naming(far, session, number, deadline)
        step.wake_at(deadline)
        step.send(session.connection, Via(request, number, host, relay))
        return far

    def under_way(self, entry: HostSession) -> int:
        """Forwards by this session that wait for a reply."""
        return sum(connection == entry.connection for connection, _ in self.sealed)

    def established(self, step: Step, entry: HostSession, reply: Reachable) -> Tunnel | None:
        """The tunnel that stands now; None where the descriptor is over. Raises PeerError MALFORMED: asked for nothing,
        or forged."""
        naming = self._naming.pop((entry.connection, reply.request), None)
        if naming is None:
            raise PeerError(Code.MALFORMED, "an answer to nothing")
        far = naming.far
        far.asked_on = None
        try:
            check_descriptor(step.suite, far.relay, reply.descriptor, step.now.minute)
        except PeerError as error:
            if error.code is Code.FORGED:
                raise PeerError(Code.MALFORMED, str(error)) from None
            self._down(step, far)
            return None
        far.session = Tunnel(far, entry, naming.number, reply.descriptor, self)
        step.tx.troubles.remove(far.relay, far.group)
        return far.session

    def returned(self, step: Step, entry: HostSession, reply: Returned) -> tuple[Tunnel, Command] | None:
        """What the relay behind the tunnel says. None: nobody waits for it. Raises PeerError MALFORMED: to nothing."""
        sealed = self.sealed.pop((entry.connection, reply.request), None)
        if sealed is None:
            raise PeerError(Code.MALFORMED, "an answer to nothing")
        if sealed.inner not in sealed.tunnel.pending:
            return None
        command = self._unseal(step, sealed, reply)
        if not isinstance(command, Refused):
            sealed.far.failures = 0
        return sealed.tunnel, command

    def refused(self, step: Step, entry: HostSession, reply: Refused) -> Far | None:
        """The relay that it was about, if it was one behind a tunnel: then that is over. An onion that did not open was
        sealed to an old key."""
        if isinstance(entry, Tunnel):
            return None  # what the relay behind refused: its numbers are the tunnel's
        name = entry.connection, reply.request
        naming = self._naming.pop(name, None)
        if naming is not None:
            naming.far.asked_on = None
            self._down(step, naming.far)
            return naming.far
        sealed = self.sealed.pop(name, None)
        if sealed is None:
            return None
        if sealed.far.session is sealed.tunnel:
            self._down(step, sealed.far, trouble=reply.code is not Code.REFUSED)
        return sealed.far

    def leave(self, step: Step, relay: RelayKey, entry: RelayKey, group: Group) -> None:
        """A tunnel through which something could not be brought."""
        far = self._far.get((relay, entry, group))
        if far is not None and far.session is not None:
            self._down(step, far)

    def lost(self, entry: HostSession) -> None:
        """The session with an entry is over."""
        self._numbers.pop(entry.connection, None)
        for waiting in (self._naming, self.sealed):
            for name in [name for name in waiting if name[0] == entry.connection]:
                del waiting[name]
        for far in self._far.values():
            if far.asked_on is entry:
                far.asked_on = None
            if far.session is not None and far.session.entry is entry:
                far.session = None

    def forget_unused(self, used: set[tuple[RelayKey, Group]]) -> None:
        """Relays that no route names any more."""
        for name, far in list(self._far.items()):
            if (far.relay, far.group) not in used:
                del self._far[name]

    def entries(self, used: set[tuple[RelayKey, Group]]) -> set[tuple[RelayKey, Group]]:
        """By which these are reached."""
        return {(entry, group) for relay, entry, group in self._far if (relay, group) in used}

    def give_up_the_silent(self, step: Step) -> None:
        """Entries that left something unanswered for too long: they would have told if it was the relay behind."""
        silent = {far.session.connection for far in self._far.values() if far.session and far.session.is_silent(step)}
        for (connection, _), naming in self._naming.items():
            if naming.deadline <= step.now.service:
                silent.add(connection)
            else:
                step.wake_at(naming.deadline)
        step.effects += [Disconnect(connection, Code.SILENT) for connection in sorted(silent)]

    def down(self) -> list[RelayKey]:
        """Relays to which there was a tunnel, or was to be, and none is asked for."""
        return list(dict.fromkeys(far.relay for far in self._far.values() if not far.session and not far.asked_on))

    def all(self) -> list[Tunnel]:
        """Those that stand."""
        return [far.session for far in self._far.values() if far.session is not None]

    def _unseal(self, step: Step, sealed: _Sealed, reply: Returned) -> Command:
        """Raises nothing: what is wrong is the relay's, and passing."""
        try:
            answer = open_reply(step.suite, sealed.reply_key, reply.sealed)
        except PeerError:
            return Refused(sealed.inner, Code.UNAVAILABLE)
        match answer:
            case OnionStored():
                digest = self._digest(step, sealed)
                message = (
                    custody_message(answer.minute, answer.retention_days, (digest,)) if digest is not None else b""
                )
                if digest is None or not step.suite.verify(sealed.far.relay, message, answer.signature):
                    return Refused(sealed.inner, Code.UNAVAILABLE)
                return Accepted(sealed.inner, digest, answer.minute)
            case OnionClaimed():
                return Claimed(sealed.inner, answer.sealed)
            case _:
                return Refused(sealed.inner, answer.code)

    @staticmethod
    def _digest(step: Step, sealed: _Sealed) -> Digest | None:
        pending = sealed.tunnel.pending[sealed.inner]
        row = step.tx.envelopes.get(pending.row) if pending.ask is Ask.DEPOSIT else None
        return parse_envelope(row.envelope).digest if row is not None else None

    def _down(self, step: Step, far: Far, *, trouble: bool = True) -> None:
        """Left alone for a while. `trouble`: the relay cannot be reached, and other routes are looked for."""
        far.session = None
        far.next_try = step.now.service + troubles.pause_seconds(step, far.failures)
        far.failures = min(far.failures + 1, 32)
        step.wake_at(far.next_try)
        if trouble and far.group != LOOPS:
            troubles.note(step, far.relay, far.group)
