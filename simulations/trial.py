"""One script from its beginning to the verdict: a safety phase under faults, then a liveness phase in which all heals.

In the safety phase the checkers watch; in the liveness phase everything must arrive. The last word of each person to
each contact is said once the world is whole: it shows every gap that a cheating relay left.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache, partial

from msgspec import Struct

from simulations.checkers import Violation
from simulations.checkers.authority import check_authority
from simulations.checkers.blame import check_blame
from simulations.checkers.bounds import check_bounds
from simulations.checkers.containment import Containment
from simulations.checkers.conversations import conversations
from simulations.checkers.custody import all_erased, check_books, check_custody, check_erased, check_fetched
from simulations.checkers.delivery import all_delivered, check_delivery
from simulations.checkers.keys import Turns, check_forgotten, check_keys_once, watched_suite
from simulations.checkers.order import check_order
from simulations.checkers.quiet import GONE_WITHOUT_A_WORD_SECONDS, check_prompt, prompt_seconds, quiet
from simulations.checkers.routes import all_routed, check_routes
from simulations.checkers.secrecy import Listener
from simulations.checkers.ticks import TickWatch
from simulations.checkers.truth import watch
from simulations.faults import expect, inflict
from simulations.script import BASES, Fault, Line, Say, Script
from simulations.world import Stage, World

LIVENESS_SECONDS = 1_800.0
"""Virtual seconds after which what has not arrived is lost."""
_LAST_WORD = 1_000_000
_CHECK_SECONDS = 10.0
_LONG_TEXT_BYTES = 13_000
"""Ten envelopes: more than one frame holds."""
_LOOKS = 10
"""How often it is looked into everything while faults strike."""
_SOUND_EVERY = 4
"""One seed in so many has long texts at its end; they are a third of the envelopes of such a world."""
_RESERVE_SECONDS = 4.0
"""Before the end of the safety phase: when faults are made up for that found nothing to harm."""


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


class Trial:
    """One world on its way through a script: `course` says what is done to it, whoever lets its time pass."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.violation = ""
        self._healed_seconds = 0.0
        self._witnesses = watch(world)
        self._listener = Listener(world)
        self._turns = Turns(world)
        self._ticks = TickWatch(world)
        expect(world)

    def course(self) -> Iterator[float]:
        """Virtual times: until each of them the world is to be left to itself. Raises Violation."""
        with Containment() as containment:
            yield from self._unsafe()
            yield from self._live()
            containment.check()
        check_keys_once(self.world)
        self._turns.check()
        self._ticks.check()
        self._listener.check()

    def _unsafe(self) -> Iterator[float]:
        """The safety phase: whatever strikes, what is looked at now and then holds."""
        world, script = self.world, self.world.script
        world.boot()
        for line in script.lines:
            world.engine.at(line.at, partial(_perform, world, line))
        for part in range(1, _LOOKS + 1):
            world.engine.at(part / _LOOKS * script.seconds, partial(_look, world))
        yield script.seconds - _RESERVE_SECONDS
        for fault in script.reserve:
            if world.fired.total() >= script.least_faults:
                break
            inflict(world, fault)
        yield script.seconds

    def _live(self) -> Iterator[float]:
        """The liveness phase: the world is whole; everything arrives, is erased where it was, and comes to rest."""
        world = self.world
        world.heal()
        healed = world.engine.time
        _say_last_words(world)
        yield from _wait(world, lambda: all_delivered(world))
        self._healed_seconds = world.engine.time - healed
        check_delivery(world)
        check_order(world)
        check_bounds(world)
        if not all_erased(world):
            yield from _wait(world, lambda: all_erased(world))
        check_erased(world)
        check_books(world)
        check_forgotten(world)
        check_authority(world)
        if not all_routed(world):
            yield from _wait(world, lambda: all_routed(world))
        check_routes(world)
        yield max(world.engine.time, world.network.arrived_by + GONE_WITHOUT_A_WORD_SECONDS)
        if world.script.seed % _SOUND_EVERY == 0:
            yield from self._sound()
        yield from quiet(world)
        check_fetched(world)
        check_blame(world)

    def _sound(self) -> Iterator[float]:
        """Once broken connections are found out, long texts arrive in seconds, and nobody hangs up on anybody."""
        world = self.world
        before = world.network.accused.copy()
        _say_to_a_contact_each(world)
        yield world.engine.time + prompt_seconds(world)
        check_prompt(world, before)
        check_delivery(world)

    def outcome(self) -> Outcome:
        """What came of it."""
        world = self.world
        return Outcome(
            seed=world.script.seed,
            trace=world.engine.trace(),
            violation=self.violation,
            accepted=len(world.accepted),
            shown=sum(witness.shown for witness in self._witnesses),
            fired={kind.value: times for kind, times in sorted(world.fired.items()) if times},
            healed_seconds=self._healed_seconds,
            frames=world.network.frames,
            bytes=world.network.bytes,
            actions=world.engine.actions,
        )


def carry_out(script: Script, observe: Callable[[World], object] = lambda world: None) -> Outcome:
    """Deterministic: the same script gives the same outcome in any process. `observe` is shown the world first."""
    begun = stage(script.people, script.relays, script.contacts, script.real_crypto)
    world = World(begun, script, suite=watched_suite(script.real_crypto))
    trial = Trial(world)
    observe(world)
    try:
        for until in trial.course():
            world.engine.run(until)
    except Violation as error:
        trial.violation = str(error)
    finally:
        for host in world.hosts:
            host.die()
    return trial.outcome()


def _look(world: World) -> None:
    check_bounds(world)
    check_books(world)
    check_custody(world)


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


def _say_to_a_contact_each(world: World) -> None:
    number = 2 * _LAST_WORD
    for inviter, joiner in conversations(world):
        number += 1
        one, two = inviter.person.index, joiner.person.index
        world.numbers[one, two] = inviter.contact.id
        world.say(Say(world.engine.time, number, one, two, _LONG_TEXT_BYTES))


def _wait(world: World, done: Callable[[], bool]) -> Iterator[float]:
    """Until `done`, looked at now and then; at most `LIVENESS_SECONDS`."""
    began = world.engine.time
    while world.engine.time < began + LIVENESS_SECONDS:
        yield world.engine.time + _CHECK_SECONDS
        if done():
            break
