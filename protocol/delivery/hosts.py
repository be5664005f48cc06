"""Connections to hosts: which are wanted, when to dial again, what was asked on each (Spec 6 §3).

All of it is volatile but one fact: since when a host cannot be reached. A connection that ends takes its questions
with it; what they were about is in the store and is asked again on the next.
"""

from collections.abc import Iterable, Sequence

from protocol.delivery import health, troubles
from protocol.delivery.sessions import HostSession
from protocol.delivery.tunnels import Tunnels
from protocol.effects import Dial, Disconnect, HangUp
from protocol.errors import Code
from protocol.keys import SHARED, Connection, Group, HandshakeHash, RelayKey
from protocol.limits import EACH_CONTACT, MAX_CONTACTS, MAX_ISOLATED_CONTACTS
from protocol.mailbox import OwnQueue
from protocol.step import Step


class Host:
    """What is known of one host in this process, for one group (Spec 7 §8)."""

    def __init__(self, relay: RelayKey, host: str, direct: bool, group: Group = SHARED) -> None:
        self.relay = relay
        self.host = host
        self.direct = direct
        self.group = group
        self.session: HostSession | None = None
        self.dialing = False
        self.dialled_at: float | None = None
        self.next_dial = 0.0
        self.failures = 0
        self.idle = False
        """No own queue is there: it is dialled when something else asks for it."""


class Hosts:
    """All hosts and sessions of this process. `forward`: contacts' relays are reached by an entry, or not at all.
    `groups`: into how many contacts are spread, of which no two share a session; 0: all share all."""

    def __init__(self, forward: bool = False, groups: int = 0) -> None:
        self.tunnels = Tunnels()
        self.forward = forward
        self.groups = groups
        self.isolated = groups > 0
        self.prompt = False
        """What this step is about was caused by one person's doing: a session for it tells of nothing else."""
        self.hosts: dict[tuple[RelayKey, Group], Host] = {}
        self.sessions: dict[Connection, HostSession] = {}
        self._some_forgotten = True

    def group_of(self, queue: OwnQueue) -> Group:
        """What an own queue may share a session with."""
        if not self.isolated or queue.direct:
            return SHARED
        if queue.contact is not None:
            return self.group_of_contact(queue.contact)
        return Group(-3 * queue.invitation) if queue.invitation is not None else Group(-3 * queue.id - 2)

    def group_of_contact(self, contact: int, direct: bool = False) -> Group:
        """What a contact's route may share a session with."""
        return Group(1 + (contact - 1) % self.groups) if self.isolated and not direct else SHARED

    def group_of_joining(self, joining: int, direct: bool = False) -> Group:
        """The same for an invitation that is being accepted."""
        return Group(-3 * joining - 1) if self.isolated and not direct else SHARED

    def contacts_of(self, step: Step, session: HostSession) -> Sequence[int | None]:
        """Whose routes a session may serve; None: everybody's."""
        if session.group == SHARED:
            return [None]
        routes = step.tx.routes.find(relay=session.relay)
        of = {route.contact for route in routes if self.group_of_contact(route.contact, route.direct) == session.group}
        return sorted(of)

    @property
    def most_contacts(self) -> int:
        """How many there may be."""
        return MAX_ISOLATED_CONTACTS if self.groups == EACH_CONTACT else MAX_CONTACTS

    def all_seen_to(self, step: Step) -> bool:
        """Whether each known host is connected, dialled or in back-off, and none was forgotten since this was asked."""
        forgotten, self._some_forgotten = self._some_forgotten, False
        for host in self.hosts.values():
            if host.session is None and not host.dialing and not host.idle:
                if host.next_dial <= step.now.service:
                    return False
                step.wake_at(host.next_dial)
        return not forgotten

    def want(self, step: Step, relay: RelayKey, host: str, direct: bool, group: Group = SHARED) -> Host:
        """The host, being dialled unless it is connected or in back-off, or waits for its time (Spec 7 §8)."""
        known = self.hosts.get((relay, group))
        if known is None:
            known = self.hosts[relay, group] = Host(relay, host, direct, group)
            known.next_dial = self._apart(step, group, 0.0)
        known.host, known.direct, known.idle = host, direct, False
        if known.session is None and not known.dialing:
            if known.next_dial <= step.now.service or (self.prompt and group != SHARED and known.failures == 0):
                known.dialing = True
                known.dialled_at = step.now.service
                timeout = step.timing.direct_dial_seconds if direct else step.timing.dial_seconds
                step.effects.append(Dial(relay, host, timeout, group))
            else:
                step.wake_at(known.next_dial)
        return known

    def want_all_for(self, step: Step, queues: Iterable[OwnQueue]) -> None:
        """The hosts of all own queues, where what concerns different contacts is kept apart."""
        for host in self.hosts.values():
            host.idle = True
        for queue in queues:
            self.want_for(step, queue)

    def want_for(self, step: Step, queue: OwnQueue) -> Host:
        """The host of an own queue."""
        return self.want(step, queue.relay, queue.host, queue.direct, self.group_of(queue))

    def opened(
        self, step: Step, connection: Connection, relay: RelayKey, handshake_hash: HandshakeHash, group: Group
    ) -> HostSession:
        """A session with a host that was dialled."""
        host = self.hosts.setdefault((relay, group), Host(relay, "", False, group))
        session = HostSession(connection, relay, handshake_hash, group)
        if host.session is not None:
            step.effects.append(Disconnect(host.session.connection, Code.REPLACED))
        host.session, host.dialing = session, False
        if host.dialled_at is not None:
            health.connected(step, relay, step.now.service - host.dialled_at)
            host.dialled_at = None
        self.sessions[connection] = session
        step.tx.troubles.remove(relay, group)
        return session

    def closed(self, step: Step, connection: Connection) -> RelayKey | None:
        """The host whose session this was, and is no more."""
        session = self.sessions.pop(connection, None)
        if session is None:
            return None
        self.tunnels.lost(session)
        host = self.hosts[session.relay, session.group]
        if host.session is not session:
            return None
        host.session = None
        self._back_off(step, host)
        return host.relay

    def unreachable(self, step: Step, relay: RelayKey, group: Group) -> None:
        """A dial failed."""
        host = self.hosts.get((relay, group))
        if host is not None:
            host.dialing = False
            host.dialled_at = None
            health.unreachable(step, relay)
            self._back_off(step, host)

    def found(self, step: Step, relay: RelayKey, host: str) -> None:
        """A direct host is near: no back-off counts."""
        known = self.hosts.get((relay, SHARED))
        if known is not None:
            known.next_dial, known.failures = step.now.service, 0
        self.want(step, relay, host, True)

    def gone(self, step: Step, relay: RelayKey) -> None:
        """A direct host is near no more; where a session stood, its `Closed` is under way."""
        host = self.hosts.get((relay, SHARED))
        if host is not None and host.session is None and host.dialing:
            host.dialing = False
            self._back_off(step, host)

    def start_anew(self, step: Step, gone: Connection | None) -> None:
        """What was volatile is no longer sure: close every session, and dial again in a moment."""
        if gone is not None and (session := self.sessions.pop(gone, None)) is not None:
            self.hosts[session.relay, session.group].session = None
            self.tunnels.lost(session)
        for session in self.sessions.values():
            step.effects.append(Disconnect(session.connection, Code.INTERNAL))
        soon = step.now.service + step.timing.redial_first_seconds
        for host in self.hosts.values():
            host.dialing = False
            host.next_dial = max(host.next_dial, self._apart(step, host.group, soon))
        step.wake_at(soon)

    def answered_well(self, connection: Connection) -> None:
        """The host answers: the next failure starts the back-off anew."""
        session = self.sessions.get(connection)
        if session is not None:
            self.hosts[session.relay, session.group].failures = 0

    def unreachable_for(self, step: Step, relay: RelayKey, group: Group) -> float:
        """Seconds for which no session with this host could be had; 0 while there is one."""
        trouble = step.tx.troubles.get(relay, group)
        return step.now.service - trouble.since if trouble is not None else 0.0

    def forget(self, step: Step, relay: RelayKey) -> None:
        """This node has nothing to do with that host any more."""
        for group in [group for known, group in self.hosts if known == relay] or [SHARED]:
            self._forget(step, relay, group)

    def _forget(self, step: Step, relay: RelayKey, group: Group) -> None:
        host = self.hosts.pop((relay, group), None)
        self._some_forgotten = True
        if host is not None and host.session is not None:
            self.tunnels.lost(host.session)
            del self.sessions[host.session.connection]
        step.effects.append(HangUp(relay, group))

    def forget_unused(self, step: Step, used: set[tuple[RelayKey, Group]]) -> None:
        """Hosts that contacts named once, and no queue or route of anybody names any more."""
        if self.isolated:
            used |= self.tunnels.entries(used)
        for relay, group in [known for known in self.hosts if known not in used]:
            self._forget(step, relay, group)
        self.tunnels.forget_unused(used)
        for trouble in step.tx.troubles.find():
            if (trouble.relay, trouble.group) not in used:
                step.tx.troubles.remove(trouble.relay, trouble.group)
        health.forget_unused(step, {relay for relay, _ in used})

    def leave(self, step: Step, session: HostSession) -> None:
        """Hang up on a host that cannot do what it is asked now; the back-off goes on growing."""
        step.effects.append(Disconnect(session.connection, Code.UNAVAILABLE))

    def hang_up_on_the_silent(self, step: Step) -> None:
        """Close sessions that left a request unanswered for too long."""
        for session in self.sessions.values():
            if session.is_silent(step):
                step.effects.append(Disconnect(session.connection, Code.SILENT))
        self.tunnels.give_up_the_silent(step)

    def open_sessions(self) -> Iterable[HostSession]:
        """In the order in which they were opened."""
        return list(self.sessions.values())

    def _back_off(self, step: Step, host: Host) -> None:
        at = step.now.service + troubles.pause_seconds(step, host.failures)
        host.failures = min(host.failures + 1, 32)
        host.next_dial = self._apart(step, host.group, at)
        step.wake_at(host.next_dial)
        troubles.note(step, host.relay, host.group)

    @staticmethod
    def _apart(step: Step, group: Group, at: float) -> float:
        """When a session is dialled that could be at this time: those that are kept apart never come together."""
        if group == SHARED:
            return at
        return max(at, step.now.service) + step.timing.isolation_spread_seconds * step.entropy.uniform()
