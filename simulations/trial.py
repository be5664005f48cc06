"""One script from its beginning to the verdict: a safety phase under faults, then a liveness phase in which all heals.

In the safety phase the checkers watch; in the liveness phase everything must arrive. The last word of each person to
each contact is said once the world is whole: it shows every gap that a cheating relay left.
"""

from collections.abc import Callable
from functools import lru_cache, partial

from msgspec import Struct

from simulations.checkers import Violation
from simulations.checkers.authority import check_authority
from simulations.checkers.blame import check_blame
from simulations.checkers.bounds import check_bounds
from simulations.checkers.containment import Containment
from simulations.checkers.conversations import conversations
from simulations.checkers.custody import all_erased, check_books, check_custody, check_erased
from simulations.checkers.delivery import all_delivered, check_delivery
from simulations.checkers.keys import Turns, WatchedRealSuite, WatchedToySuite, check_forgotten
from simulations.checkers.order import check_order
from simulations.checkers.quiet import check_quiet
from simulations.checkers.secrecy import Listener
from simulations.checkers.truth import watch
from simulations.faults import expect, inflict
from simulations.script import BASES, Fault, Line, Say, Script
from simulations.world import Stage, World

LIVENESS_SECONDS = 1_800.0
"""Virtual seconds after which what has not arrived is lost."""
_LAST_WORD = 1_000_000
_CHECK_SECONDS = 10.0
_LOOKS = 10
"""How often it is looked into everything while faults strike."""


class Outcome(Struct, frozen=True):
    """What became of a script. Times in virtual seconds."""

    seed: int
    trace: str
    """Hash of everything on the wires: 32 hexadecimal digits."""
    violation: str
    """Empty where all promises held."""
    accepted: int
    shown: int
    fired: dict[str, int]
    """How often each kind of fault struck."""
    healed_seconds: float
    """From the healing until the last message was known to have arrived."""
    frames: int
    bytes: int
    actions: int


@lru_cache(maxsize=4 * BASES)
def stage(people: int, relays: int, contacts: tuple[tuple[int, int], ...], real_crypto: bool) -> Stage:
    """One for each set of contacts, made when it is first wanted, in this process."""
    return Stage(people, relays, contacts, real_crypto)


def carry_out(script: Script) -> Outcome:
    """Deterministic: the same script gives the same outcome in any process."""
    suite = WatchedRealSuite() if script.real_crypto else WatchedToySuite()
    world = World(stage(script.people, script.relays, script.contacts, script.real_crypto), script, suite=suite)
    violation, healed_seconds = "", 0.0
    witnesses = watch(world)
    listener, turns = Listener(world), Turns(world)
    expect(world)
    try:
        with Containment() as containment:
            _be_unsafe(world)
            healed_seconds = _be_live(world)
            containment.check()
        suite.check()
        turns.check()
        listener.check()
    except Violation as error:
        violation = str(error)
    finally:
        for host in world.hosts:
            host.die()
    return Outcome(
        seed=script.seed,
        trace=world.engine.trace(),
        violation=violation,
        accepted=len(world.accepted),
        shown=sum(witness.shown for witness in witnesses),
        fired={kind.value: times for kind, times in sorted(world.fired.items()) if times},
        healed_seconds=healed_seconds,
        frames=world.network.frames,
        bytes=world.network.bytes,
        actions=world.engine.actions,
    )


def _be_unsafe(world: World) -> None:
    """The safety phase: whatever strikes, what is looked at now and then holds."""
    script = world.script
    world.boot()
    for line in script.lines:
        world.engine.at(line.at, partial(_perform, world, line))
    for part in range(1, _LOOKS):
        world.engine.at(part / _LOOKS * script.seconds, partial(_look, world))
    world.engine.run(script.seconds)
    _look(world)


def _look(world: World) -> None:
    check_bounds(world)
    check_books(world)
    check_custody(world)


def _be_live(world: World) -> float:
    """The liveness phase; returns how long it took until everything had arrived."""
    world.heal()
    healed = world.engine.time
    _say_last_words(world)
    healed_seconds = _wait(world, lambda: all_delivered(world))
    check_delivery(world)
    check_order(world)
    check_bounds(world)
    if not all_erased(world):
        _wait(world, lambda: all_erased(world))
    check_erased(world)
    check_books(world)
    check_forgotten(world)
    check_authority(world)
    check_quiet(world, healed)
    check_blame(world)
    return healed_seconds


def _perform(world: World, line: Line) -> None:
    if isinstance(line, Fault):
        inflict(world, line)
    else:
        world.say(line)


def _say_last_words(world: World) -> None:
    number = _LAST_WORD
    for pair in list(conversations(world)):
        for side, other in (pair, pair[::-1]):
            number += 1
            one, two = side.person.index, other.person.index
            world.numbers[one, two] = side.contact.id
            world.say(Say(world.engine.time, number, one, two, 1))


def _wait(world: World, done: Callable[[], bool]) -> float:
    """Virtual seconds until `done`, looked at now and then; at most `LIVENESS_SECONDS`."""
    began = world.engine.time
    while world.engine.time < began + LIVENESS_SECONDS:
        world.engine.run(world.engine.time + _CHECK_SECONDS)
        if done():
            break
    return world.engine.time - began
