"""What happens in a world besides what its hosts do by themselves: people's wishes and faults, each at its time.

A script is all of a run's chance but latencies: it is drawn from a seed before the run, kept as a file a person can
read, and shrunk line by line.
"""

import random
from collections.abc import Iterator
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct, field, json
from msgspec.structs import replace


class FaultKind(StrEnum):
    """What can go wrong. `target` and `other` are host numbers: people from 0, then relays."""

    # The network, between a person (`target`) and a relay (`other`)
    SLOW = "slow"
    """Both ways: latency grows to `amount` seconds, for `seconds`."""
    CLOG = "clog"
    """From the relay: nothing gets through for `seconds`, then all at once."""
    PARTITION = "partition"
    """Both ways, for `seconds`."""
    ONE_WAY_PARTITION = "one-way partition"
    """From person to relay only, for `seconds`."""
    LOST_FRAME = "lost frame"
    DUPLICATED_FRAME = "duplicated frame"
    CORRUPTED_FRAME = "corrupted frame"
    REORDERED_FRAMES = "reordered frames"
    RESET = "reset"
    """The connection ends, and both ends hear of it."""
    HALF_OPEN = "half-open"
    """The connection is gone at the relay, and the person's node does not hear of it."""
    # A process (`target`)
    CRASH_BEFORE_COMMIT = "crash before commit"
    CRASH_AFTER_COMMIT = "crash after commit"
    CRASH_BEFORE_EFFECTS = "crash before effects"
    POWER_CUT = "power cut"
    """Nobody is told that the connections are gone."""
    RESTART = "restart"
    # Disk and clock of a host (`target`)
    FULL_DISK = "full disk"
    CLOCK_JUMP = "clock jump"
    """The wall clock is wrong by `amount` seconds from now on."""
    CLOCK_SKEW = "clock skew"
    """The steady clock runs `amount` times as fast after the next start."""
    # A relay (`target`)
    WITHHOLD = "relay withholds"
    """The next `amount` deliveries are thrown away as if acknowledged."""
    REPLAY = "relay replays"
    REORDER = "relay reorders"
    LIE_STORED = "relay lies about storing"
    """The next `amount` deposits are answered, and not stored."""
    LATE = "relay answers late"
    """By `amount` seconds, for `seconds`."""
    FORGED_CUSTODY = "relay forges custody"
    """The next `amount` deposits are signed for by another key, and not stored."""
    REFUSE = "relay refuses"
    """The next `amount` deposits, though it could store them."""
    OLD_DISK = "relay restored from an old disk"
    GONE = "relay gone for good"
    QUEUE_FULL = "queue full"
    """Its quota is `amount` envelopes a queue, for `seconds`."""
    # A contact (`target`) who writes to another (`other`)
    MALFORMED = "contact sends malformed content"
    HUGE = "contact sends huge content"
    REPLAYED = "contact replays"
    FORGED = "contact forges"
    TRESPASSED = "stranger tries queues of others"
    """`amount` commands about queues that are not this person's."""
    BROKEN_OFF = "contact breaks off a frame"
    """A deposit, and behind it in the same frame what no relay can read."""
    # People's doings that are hard to survive
    ROTATED = "queues rotated"
    """A person (`target`) leaves one relay and comes back to it after `seconds`."""
    CLAIMED_TWICE = "invitation claimed twice"
    """Of a person (`target`), by `other` and by `amount` (a person's number). With up to ten `seconds` relays lie about
    storing what comes next, a handshake mostly; with more one of them has no room for so long."""


class Say(Struct, frozen=True, tag="say"):
    """A text of so many bytes to a contact. `number` makes it unlike all others."""

    at: float
    number: int
    sender: int
    recipient: int
    bytes: int

    def __str__(self) -> str:
        return f"{self.at:8.3f} s  message {self.number} of {self.bytes} bytes, from {self.sender} to {self.recipient}"


class Fault(Struct, frozen=True, tag="fault"):
    """See `FaultKind` for what the fields mean; 0 where they mean nothing."""

    at: float
    kind: FaultKind
    target: int
    other: int = 0
    seconds: float = 0.0
    amount: float = 0.0

    def __str__(self) -> str:
        rest = [f"other {self.other}"] * (self.other != 0)
        rest += [f"for {self.seconds:.3f} s"] * (self.seconds != 0.0) + [f"amount {self.amount:g}"] * bool(self.amount)
        return f"{self.at:8.3f} s  {self.kind.value}, host {self.target}" + "".join(f", {part}" for part in rest)


_BETWEEN = frozenset({
    FaultKind.SLOW, FaultKind.CLOG, FaultKind.PARTITION, FaultKind.ONE_WAY_PARTITION, FaultKind.LOST_FRAME,
    FaultKind.DUPLICATED_FRAME, FaultKind.CORRUPTED_FRAME, FaultKind.REORDERED_FRAMES, FaultKind.RESET,
    FaultKind.HALF_OPEN,
})  # fmt: skip
"""From a person to a relay."""
_EITHERS = frozenset({
    FaultKind.CRASH_BEFORE_COMMIT, FaultKind.CRASH_AFTER_COMMIT, FaultKind.CRASH_BEFORE_EFFECTS, FaultKind.POWER_CUT,
    FaultKind.RESTART, FaultKind.FULL_DISK, FaultKind.CLOCK_JUMP, FaultKind.CLOCK_SKEW,
})  # fmt: skip
"""Of any host."""
_RELAYS_OWN = frozenset({
    FaultKind.WITHHOLD, FaultKind.REPLAY, FaultKind.REORDER, FaultKind.LIE_STORED, FaultKind.LATE,
    FaultKind.FORGED_CUSTODY, FaultKind.REFUSE, FaultKind.OLD_DISK, FaultKind.GONE, FaultKind.QUEUE_FULL,
})  # fmt: skip

Line: TypeAlias = Say | Fault


class Script(Struct, frozen=True):
    """A world's size and all that is done to it."""

    seed: int
    people: int
    relays: int
    contacts: tuple[tuple[int, int], ...]
    """Pairs of people who know each other from the start."""
    lines: tuple[Line, ...]
    """In the order of time."""
    seconds: float = 120.0
    """Of the safety phase; then everything heals."""
    real_crypto: bool = False
    reserve: tuple[Fault, ...] = ()
    """Done near the end, one after the other, until `least_faults` have struck: not every fault finds what it harms."""
    least_faults: int = 0
    found: list[str] = field(default_factory=list)
    """What this script brought to light, for whoever reads it."""

    def encode(self) -> bytes:
        """Readable JSON, one line of the script a line."""
        lines = b",\n  ".join(json.encode(line) for line in self.lines)
        rest = json.encode(replace(self, lines=()))
        return rest.replace(b'"lines":[]', b'"lines":[\n  ' + lines + b"\n]", 1) + b"\n"


def decode(data: bytes) -> Script:
    """Raises msgspec.DecodeError, which names the field, or ValueError: a line is about a host that is none."""
    script: Script = json.decode(data, type=Script)
    relays = range(script.people, script.people + script.relays)
    for line in (*script.lines, *script.reserve):
        for host, may_be in _hosts_of(line, range(script.people), relays):
            if host not in may_be:
                raise ValueError(f"host {host} is none of {may_be.start} to {may_be.stop - 1}, in: {str(line).strip()}")
    return script


def _hosts_of(line: Line, people: range, relays: range) -> Iterator[tuple[int, range]]:
    """Each host of a line, and which it may be."""
    if isinstance(line, Say):
        yield from ((line.sender, people), (line.recipient, people))
    elif line.kind in _BETWEEN:
        yield from ((line.target, people), (line.other, relays))
    elif line.kind in _RELAYS_OWN:
        yield line.target, relays
    elif line.kind in _EITHERS:
        yield line.target, range(relays.stop)
    else:
        yield from ((line.target, people), (line.other, people))
    if isinstance(line, Fault) and line.kind is FaultKind.CLAIMED_TWICE:
        yield int(line.amount), people


class Shape(Struct, frozen=True):
    """How worlds of fault seeds are drawn."""

    people: int = 7
    relays: int = 2
    contacts: int = 7
    messages: int = 40
    """Beside two last words a pair of contacts, once the world is whole."""
    least_faults: int = 10
    most_faults: int = 16
    seconds: float = 120.0


def draw(seed: int, shape: Shape, *, real_crypto: bool = False, base: int | None = None) -> Script:
    """The script of a seed. `base` numbers the set of contacts (default: by the seed), so that worlds share them."""
    chance = random.Random(f"script {seed}")
    contacts = draw_contacts(seed % BASES if base is None else base, shape)
    lines: list[Line] = [*draw_texts(chance, shape, contacts)]
    if seed % FLOOD_EVERY == 0:
        lines += draw_flood(chance, shape, contacts)
    gone = False
    for _ in range(chance.randint(shape.least_faults, shape.most_faults)):
        fault = draw_fault(chance, shape, contacts)
        if fault.kind is FaultKind.GONE:
            if gone:
                continue  # one relay at least is there in the end
            gone = True
        lines.append(fault)
        if fault.kind is FaultKind.CLAIMED_TWICE:
            lines += draw_lost_handshakes(chance, shape, fault)
        elif fault.kind is FaultKind.ROTATED and chance.random() < _LOST_QUEUES:
            relay = shape.people + chance.randrange(shape.relays)
            lines.append(Fault(fault.at, FaultKind.OLD_DISK, relay, 0, round(fault.seconds + 3.0, 3)))
    lines.sort(key=lambda line: line.at)
    reserve = tuple(draw_sure_fault(chance, shape) for _ in range(shape.least_faults))
    return Script(
        seed,
        shape.people,
        shape.relays,
        contacts,
        tuple(lines),
        shape.seconds,
        real_crypto,
        reserve,
        shape.least_faults,
    )


def draw_texts(chance: random.Random, shape: Shape, contacts: tuple[tuple[int, int], ...]) -> list[Say]:
    """At any time of the safety phase; now and then one follows the last at once, by the same person or in answer."""
    texts: list[Say] = []
    for number in range(shape.messages):
        text = draw_text(chance, number, shape, contacts)
        if texts and chance.random() < _FOLLOWS:
            last = texts[-1]
            text = replace(text, at=round(last.at + chance.uniform(0.0, 0.5), 3), sender=last.sender,
                           recipient=last.recipient)  # fmt: skip
            if chance.random() < _ANSWERS:
                text = replace(text, sender=last.recipient, recipient=last.sender)
        texts.append(text)
    return texts


def draw_flood(chance: random.Random, shape: Shape, contacts: tuple[tuple[int, int], ...]) -> list[Say]:
    """As many long texts at once to one person as fill more than a connection's window (Spec 8 §5)."""
    sender, recipient = chance.choice(contacts)[:: chance.choice((1, -1))]
    at = round(chance.uniform(0.5, shape.seconds / 2.0), 3)
    return [Say(at, _FLOOD_NUMBERS + number, sender, recipient, _FLOOD_BYTES) for number in range(_FLOOD_TEXTS)]


def draw_text(chance: random.Random, number: int, shape: Shape, contacts: tuple[tuple[int, int], ...]) -> Say:
    """A text between contacts: mostly short, now and then one of several envelopes, seldom one of many."""
    sender, recipient = chance.choice(contacts)[:: chance.choice((1, -1))]
    bounds = ((1, 120), (121, 1_200), (1_201, 6_000), (6_001, 60_000))
    sizes = [chance.randint(least, most) for least, most in bounds]
    at = round(chance.uniform(0.5, shape.seconds - 10.0), 3)
    return Say(at, number, sender, recipient, chance.choices(sizes, (40, 12, 2, 1))[0])


_FOLLOWS, _ANSWERS = 0.25, 0.25
"""The share of texts that follow the one before, and of those that answer it."""
FLOOD_EVERY = 100
"""One seed in so many has a flood: its texts are four times as many envelopes as all others."""
_FLOOD_NUMBERS, _FLOOD_TEXTS, _FLOOD_BYTES = 5_000_000, 10, 60_000
BASES = 8
"""Worlds begin from one of so many sets of contacts."""


def draw_contacts(base: int, shape: Shape) -> tuple[tuple[int, int], ...]:
    """A ring of people, and some more pairs."""
    chance = random.Random(f"contacts {base}")
    pairs = {(one, (one + 1) % shape.people): None for one in range(shape.people if shape.people > 2 else 1)}
    while len(pairs) < min(shape.contacts, shape.people * (shape.people - 1) // 2):
        one, other = chance.sample(range(shape.people), 2)
        if (one, other) not in pairs and (other, one) not in pairs:
            pairs[one, other] = None
    return tuple(pairs)


def draw_sure_fault(chance: random.Random, shape: Shape) -> Fault:
    """One that strikes whatever is up, for a moment near the end of the safety phase."""
    at, seconds = shape.seconds - 4.0, round(chance.uniform(1.0, 10.0), 3)
    person, relay = chance.randrange(shape.people), shape.people + chance.randrange(shape.relays)
    kinds = (FaultKind.SLOW, FaultKind.CLOG, FaultKind.PARTITION, FaultKind.ONE_WAY_PARTITION)
    return Fault(at, chance.choice(kinds), person, relay, seconds, round(chance.uniform(0.3, 3.0), 3))


_WEIGHTS = {
    FaultKind.CRASH_BEFORE_COMMIT: 6,
    FaultKind.CRASH_AFTER_COMMIT: 5,
    FaultKind.CRASH_BEFORE_EFFECTS: 5,
    FaultKind.GONE: 1,
    FaultKind.CLAIMED_TWICE: 2,
}
_KINDS = tuple(FaultKind)
_CUMULATIVE = tuple(_WEIGHTS.get(kind, 3) for kind in _KINDS)
YEAR_SECONDS = 365 * 86_400.0
_LOST_QUEUES = 0.25
"""The share of those who change relays and come back, one of which then loses the queues that were made meanwhile."""
_ACCEPTED_SECONDS = 0.2
"""By then an invitation is made and accepted, mostly."""


def draw_fault(chance: random.Random, shape: Shape, contacts: tuple[tuple[int, int], ...]) -> Fault:
    """One fault at any time of the safety phase."""
    kind = chance.choices(_KINDS, _CUMULATIVE)[0]
    at = round(chance.uniform(0.5, shape.seconds - 5.0), 3)
    person, relay = chance.randrange(shape.people), shape.people + chance.randrange(shape.relays)
    anybody = chance.choice((person, relay))
    seconds = round(chance.uniform(1.0, 40.0), 3)
    few = float(chance.randint(1, 4))
    match kind:
        case FaultKind.SLOW:
            return Fault(at, kind, person, relay, seconds, round(chance.uniform(0.3, 6.0), 3))
        case kind if kind in _BETWEEN:
            return Fault(at, kind, person, relay, seconds)
        case FaultKind.CLOCK_JUMP:
            return Fault(at, kind, anybody, 0, 0.0, chance.choice((-YEAR_SECONDS, -3_600.0, 3_600.0, YEAR_SECONDS)))
        case FaultKind.CLOCK_SKEW:
            return Fault(at, kind, anybody, 0, seconds, round(chance.uniform(0.8, 1.25), 3))
        case kind if kind in _EITHERS:
            return Fault(at, kind, anybody, 0, seconds)
        case (
            FaultKind.MALFORMED | FaultKind.HUGE | FaultKind.REPLAYED | FaultKind.FORGED | FaultKind.TRESPASSED
            | FaultKind.BROKEN_OFF
        ):  # fmt: skip
            pair = chance.choice(contacts)[:: chance.choice((1, -1))]
            return Fault(at, kind, pair[0], pair[1], 0.0, few)
        case FaultKind.ROTATED:
            return Fault(at, kind, person, 0, seconds)
        case FaultKind.CLAIMED_TWICE:
            one, other, third = chance.sample(range(shape.people), 3)
            return Fault(at, kind, one, other, 0.0, float(third))
        case FaultKind.LATE:
            return Fault(at, kind, relay, 0, seconds, round(chance.uniform(0.5, 8.0), 3))
        case FaultKind.QUEUE_FULL:
            return Fault(at, kind, relay, 0, seconds, few)
        case FaultKind.OLD_DISK:
            return Fault(at, kind, relay, 0, round(chance.uniform(1.0, 60.0), 3))
        case FaultKind.GONE:
            return Fault(at, kind, relay)
        case FaultKind.WITHHOLD:
            return Fault(at, kind, relay, 0, seconds, float(chance.choice((1, 2, 4, 16))))
        case _:
            return Fault(at, kind, relay, 0, seconds, few)


def draw_lost_handshakes(chance: random.Random, shape: Shape, claim: Fault) -> list[Fault]:
    """What befalls the first messages of those who accept: nothing, each relay drops one, or one has no room at all."""
    at = round(claim.at + chance.uniform(0.0, _ACCEPTED_SECONDS), 3)
    relays = range(shape.people, shape.people + shape.relays)
    match chance.randrange(3):
        case 0:
            return []
        case 1:
            return [Fault(at, FaultKind.LIE_STORED, relay, 0, 0.0, 1.0) for relay in relays]
        case _:
            return [Fault(at, FaultKind.QUEUE_FULL, chance.choice(relays), 0, round(chance.uniform(1.0, 40.0), 3), 0.0)]
