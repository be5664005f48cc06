"""What each kind of fault does to a world. Each is counted when it strikes, not when it is planned."""

from collections.abc import Callable
from functools import partial

from protocol.errors import KassiberError
from protocol.keys import ReceiveId
from protocol.limits import QUEUE_QUOTA_ENVELOPES
from protocol.operations import Accept, Configure, ContactMade, Invite, SendText
from simulations.checkers import Violation
from simulations.checkers.conversations import Side, conversations
from simulations.host import Host, PersonHost
from simulations.malice import Malice
from simulations.mischief import CheatingRelay
from simulations.network import Harm, Path
from simulations.script import Fault, FaultKind, Say
from simulations.storage import CrashPoint
from simulations.world import LATENCY_SECONDS, World, text_of

_HARMS = {
    FaultKind.LOST_FRAME: Harm.LOSE,
    FaultKind.DUPLICATED_FRAME: Harm.DUPLICATE,
    FaultKind.CORRUPTED_FRAME: Harm.CORRUPT,
    FaultKind.REORDERED_FRAMES: Harm.SWAP,
}
_CRASHES = {
    FaultKind.CRASH_BEFORE_COMMIT: CrashPoint.BEFORE_COMMIT,
    FaultKind.CRASH_AFTER_COMMIT: CrashPoint.AFTER_COMMIT,
    FaultKind.CRASH_BEFORE_EFFECTS: CrashPoint.BEFORE_EFFECTS,
}
_KIND_OF_HARM = {harm: kind for kind, harm in _HARMS.items()}
_KIND_OF_CRASH = {point: kind for kind, point in _CRASHES.items()}
_EARLY_TEXTS = 3
_EARLY_NUMBERS = 10_000_000
"""Above those of a script's texts and of the last words."""
_SPARE_PAGES = 0
_LONGEST_DOWN_SECONDS = 15.0
_LONGEST_FULL_AT_COMMIT_SECONDS = 20.0
"""A disk that is full for longer is so from the first page that a step wants; one of these, from its commit."""


def expect(world: World) -> None:
    """Count what strikes later than it was planned, and start again what crashed."""
    world.network.harmed = lambda harm: world.strike(_KIND_OF_HARM[harm])
    for relay in world.relays:
        relay.played = world.strike
    for host in world.hosts:
        host.on_crash = partial(_crashed, world)


def inflict(world: World, fault: Fault) -> None:
    """Now. A fault that finds nothing to harm (a host that is down, say) does nothing."""
    _KINDS[fault.kind](world, fault)


# The network


def _paths(world: World, fault: Fault) -> tuple[Path, Path]:
    return world.network.path(fault.target, fault.other), world.network.path(fault.other, fault.target)


def _slow(world: World, fault: Fault) -> None:
    for path in _paths(world, fault):
        path.latency = fault.amount
        world.engine.after(fault.seconds, partial(setattr, path, "latency", LATENCY_SECONDS))
    world.strike(fault.kind)


def _clog(world: World, fault: Fault) -> None:
    _, back = _paths(world, fault)
    back.clogged_until = world.engine.time + fault.seconds
    world.strike(fault.kind)


def _partition(world: World, fault: Fault) -> None:
    paths = _paths(world, fault)
    for path in paths if fault.kind is FaultKind.PARTITION else paths[:1]:
        path.cut = True
        world.engine.after(fault.seconds, partial(world.network.join, path))
    world.strike(fault.kind)


def _harm(world: World, fault: Fault) -> None:
    there, back = _paths(world, fault)
    path = there if fault.seconds < 20.0 else back
    path.harm = _HARMS[fault.kind]


def _reset(world: World, fault: Fault) -> None:
    for end in list(world.hosts[fault.other].ends.values()):
        if end.peer is not None and end.peer.host.index == fault.target:
            end.end(None, silently=fault.kind is FaultKind.HALF_OPEN)
            world.strike(fault.kind)


# Processes, disks, clocks


def _crash(world: World, fault: Fault) -> None:
    world.down_seconds[fault.target] = min(fault.seconds, _LONGEST_DOWN_SECONDS)
    world.hosts[fault.target].crash_at(_CRASHES[fault.kind])


def _crashed(world: World, host: Host) -> None:
    for point, kind in _KIND_OF_CRASH.items():
        world.strike(kind, host.crashes[point])
    host.crashes.clear()
    _boot_later(world, host, world.down_seconds.get(host.index, 1.0))


def _boot_later(world: World, host: Host, seconds: float) -> None:
    def boot() -> None:
        if not host.up and host.index not in world.gone:
            host.boot()

    world.engine.after(seconds, boot)


def _power_cut(world: World, fault: Fault) -> None:
    host = world.hosts[fault.target]
    if host.up:
        host.die(power=True)
        world.strike(fault.kind)
        _boot_later(world, host, min(fault.seconds, _LONGEST_DOWN_SECONDS))


def _restart(world: World, fault: Fault) -> None:
    host = world.hosts[fault.target]
    if host.up:
        host.save_clock()
        host.die()
        world.strike(fault.kind)
        _boot_later(world, host, min(fault.seconds, _LONGEST_DOWN_SECONDS))


def _full_disk(world: World, fault: Fault) -> None:
    disk = world.hosts[fault.target].disk
    disk.fill(_SPARE_PAGES, at_commit=fault.seconds < _LONGEST_FULL_AT_COMMIT_SECONDS)
    world.engine.after(fault.seconds, disk.make_room)
    world.strike(fault.kind)


def _clock_jump(world: World, fault: Fault) -> None:
    world.hosts[fault.target].wall_offset += fault.amount
    world.strike(fault.kind)


def _clock_skew(world: World, fault: Fault) -> None:
    world.hosts[fault.target].rate = fault.amount
    _restart(world, fault)


# Relays that cheat


def _cheat(world: World, fault: Fault) -> None:
    relay = _relay(world, fault)
    relay.cheats[fault.kind] = relay.cheats.get(fault.kind, 0) + int(fault.amount)


def _late(world: World, fault: Fault) -> None:
    relay = _relay(world, fault)
    relay.late_seconds = fault.amount
    world.engine.after(fault.seconds, partial(setattr, relay, "late_seconds", 0.0))


def _old_disk(world: World, fault: Fault) -> None:
    relay = _relay(world, fault)
    relay.disk.keep("old")

    def restore() -> None:
        if relay.index in world.gone or world.healed:
            return
        relay.die()
        relay.disk.go_back("old")
        relay.found_stored = max(relay.found_stored, relay.most_stored())
        world.distrust(relay)
        world.strike(fault.kind)
        _boot_later(world, relay, 0.5)

    world.engine.after(fault.seconds, restore)


def _gone(world: World, fault: Fault) -> None:
    relay = _relay(world, fault)
    if any(all(_only_at(side, relay) for side in pair) for pair in conversations(world)):
        return  # those two would have no place left to meet at (Spec 6 §3)
    world.gone.add(relay.index)
    relay.die(power=True)
    world.distrust(relay)
    world.strike(fault.kind)


def _only_at(side: Side, relay: CheatingRelay) -> bool:
    """Whether this person knows no other place at which the contact is reached."""
    with side.person.disk.look() as tx:
        routes = tx.routes.find(contact=side.contact.id)
    return all(route.relay == relay.key for route in routes)


def _queue_full(world: World, fault: Fault) -> None:
    relay = _relay(world, fault)
    quota = int(fault.amount)
    relay.found_stored = relay.most_stored()

    def allow(quota: int) -> None:
        relay.quota = quota
        if relay.up:
            relay.die()
            relay.boot()

    def make_room() -> None:
        if relay.quota == quota and relay.most_stored() > max(relay.found_stored, quota):
            raise Violation("bounds", f"{relay.name} stored more than {quota} envelopes in a queue")
        allow(QUEUE_QUOTA_ENVELOPES)

    allow(quota)
    world.engine.after(fault.seconds, make_room)
    world.strike(fault.kind)


def _relay(world: World, fault: Fault) -> CheatingRelay:
    relay = world.hosts[fault.target]
    assert isinstance(relay, CheatingRelay)
    return relay


# People


def _malice(world: World, fault: Fault) -> None:
    person = world.people[fault.target]
    contact = world.numbers.get((fault.target, fault.other))
    if contact is not None and person.up:
        malice = Malice(person, contact, world.chance, world.relay_of, _familiar(world, person))
        world.strike(fault.kind, malice.carry_out(fault.kind, int(fault.amount)))


def _familiar(world: World, person: PersonHost) -> frozenset[ReceiveId]:
    """Queues that others made for this person, or that somebody claimed who is not known yet."""
    with person.disk.look() as tx:
        profile = tx.profile.get(1)
    found: set[ReceiveId] = set()
    for other in world.people:
        with other.disk.look() as tx:
            known = {contact.id for contact in tx.contacts.find(identity=profile.identity)}
            queues = tx.queues.find()
        found.update(queue.receive_id for queue in queues if queue.contact is None or queue.contact in known)
    return frozenset(found)


def _rotated(world: World, fault: Fault) -> None:
    person = world.people[fault.target]
    everything = world.all_relays()

    def use(count: int) -> None:
        if person.up:
            person.ask(Configure(everything[:count] if fault.seconds < 20.0 else everything[-count:], None), _ignore)

    use(1)
    world.rotated.add(fault.target)
    world.engine.after(fault.seconds, partial(use, len(everything)))
    world.strike(fault.kind)


def _claimed_twice(world: World, fault: Fault) -> None:
    inviter = world.people[fault.target]
    joiners = (fault.other, int(fault.amount))

    def accept(invited: object) -> None:
        if isinstance(invited, KassiberError):
            return
        link: str = invited.link  # type: ignore[attr-defined]
        first = _EARLY_NUMBERS + _EARLY_TEXTS * len(world.met)
        world.met.append((fault.target, joiners))
        world.strike(fault.kind)
        for joiner in joiners:
            if world.people[joiner].up:
                early = partial(_write_at_once, world, joiner, fault.target, first)
                world.people[joiner].ask(Accept(link, None, None), early)

    if inviter.up:
        inviter.ask(Invite(1_440, None), accept)


def _write_at_once(world: World, joiner: int, inviter: int, first: int, made: object) -> None:
    """Before the inviter has answered, or even heard of it."""
    if isinstance(made, ContactMade) and world.people[joiner].up:
        for number in range(first, first + _EARLY_TEXTS):
            text = text_of(Say(world.engine.time, number, joiner, inviter, 0))
            world.people[joiner].ask(SendText(made.contact, text), _ignore)


def _ignore(_result: object) -> None:
    """Whether it is done or refused, the world goes on."""


_KINDS: dict[FaultKind, Callable[[World, Fault], None]] = {
    FaultKind.SLOW: _slow,
    FaultKind.CLOG: _clog,
    FaultKind.PARTITION: _partition,
    FaultKind.ONE_WAY_PARTITION: _partition,
    **dict.fromkeys(_HARMS, _harm),
    FaultKind.RESET: _reset,
    FaultKind.HALF_OPEN: _reset,
    **dict.fromkeys(_CRASHES, _crash),
    FaultKind.POWER_CUT: _power_cut,
    FaultKind.RESTART: _restart,
    FaultKind.FULL_DISK: _full_disk,
    FaultKind.CLOCK_JUMP: _clock_jump,
    FaultKind.CLOCK_SKEW: _clock_skew,
    **dict.fromkeys(
        (FaultKind.WITHHOLD, FaultKind.REPLAY, FaultKind.REORDER, FaultKind.LIE_STORED, FaultKind.REFUSE), _cheat
    ),
    FaultKind.FORGED_CUSTODY: _cheat,
    FaultKind.LATE: _late,
    FaultKind.OLD_DISK: _old_disk,
    FaultKind.GONE: _gone,
    FaultKind.QUEUE_FULL: _queue_full,
    **dict.fromkeys(
        (
            FaultKind.MALFORMED,
            FaultKind.HUGE,
            FaultKind.REPLAYED,
            FaultKind.FORGED,
            FaultKind.TRESPASSED,
            FaultKind.BROKEN_OFF,
        ),
        _malice,
    ),
    FaultKind.ROTATED: _rotated,
    FaultKind.CLAIMED_TWICE: _claimed_twice,
}
