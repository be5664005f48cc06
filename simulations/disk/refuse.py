"""The disk refuses: full, broken, or broken and then mended, from the operation on that the seed chose.

On a full disk nothing is lost and nobody's process ends: who asks is told, a relay answers `unavailable`, and with room
everything goes on. An I/O error ends the process with DiskBrokenError and nothing else; its next one finds all that was
said. A failed sync is the worst: Linux tells of it once and then takes what was not written for written, so the process
that comes next must not build on what it can still read but the disk may not hold. Its power fails soon after.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from node.store import ballast
from protocol.errors import Code, DiskBrokenError, DiskFullError, StoreError
from simulations.disk.chance import stream
from simulations.disk.fault import Outcome, Setting
from simulations.disk.platter import Loss, Platter, Sync
from simulations.disk.promises import Broken, Fact, Promises
from simulations.disk.recording import Recorder, any_habits, below
from simulations.disk.survey import LONG_SECONDS, check_settled, compare, survey
from simulations.disk.vfs import FULL, IO_READ, IO_SYNC, IO_TRUNCATE, IO_WRITE, Verdict
from simulations.disk.world import PEOPLE, RELAY, World

MESSAGES = 14
MOST_OPERATIONS = 300
MOST_ENDS = 4
IMAGES = 3


class Refusal(Enum):
    """What the disk does to its victim."""

    FULL_ONCE = "full once"
    FULL = "full for a while"
    ERROR_ONCE = "one I/O error"
    ERROR = "I/O errors until the process ends"
    ERROR_LONGER = "I/O errors until the process has ended"
    SYNC_ERROR = "a sync fails, then everything until the process ends"
    READ_ERROR = "one read error"


class Refusing(Recorder):
    """`victim`: the beginning of the names of the files that suffer; `at`: their operation that is refused first."""

    def __init__(self, victim: str, refusal: Refusal, at: int, part: float) -> None:
        super().__init__()
        self._victim, self._refusal, self._left, self._part = victim, refusal, at, part
        self.fired = 0
        self.well = False
        """Nothing is refused any more."""

    def read(self, path: str) -> Verdict | None:
        return Verdict(IO_READ) if self._refusal is Refusal.READ_ERROR and self._is_refused(path) else None

    def write(self, path: str, offset: int, data: bytes) -> Verdict | None:
        spared = self._refusal is Refusal.READ_ERROR or (self._refusal is Refusal.SYNC_ERROR and not self.fired)
        if spared or not self._is_refused(path):
            return super().write(path, offset, data)
        part = int(len(data) * self._part)
        if part:
            super().write(path, offset, data[:part])
        return Verdict(FULL if self._refusal in {Refusal.FULL, Refusal.FULL_ONCE} else IO_WRITE, part)

    def truncate(self, path: str, size: int) -> Verdict | None:
        spared = self._refusal is Refusal.SYNC_ERROR and not self.fired
        if spared or not self._is_broken() or not self._is_refused(path):
            return super().truncate(path, size)
        return Verdict(IO_TRUNCATE)

    def sync(self, path: str, directory: bool) -> Verdict | None:
        if not self._is_broken() or not self._is_refused(path):
            return super().sync(path, directory)
        self.operations.append(Sync(path, directory, failed=True))
        return Verdict(IO_SYNC)

    def _is_broken(self) -> bool:
        return self._refusal not in {Refusal.FULL, Refusal.FULL_ONCE, Refusal.READ_ERROR}

    def _is_refused(self, path: str) -> bool:
        if self.well or not path.rpartition("/")[2].startswith(self._victim):
            return False
        self._left -= 1
        if self._left > 0:
            return False
        self.fired += 1
        self.well = self._refusal in {Refusal.FULL_ONCE, Refusal.ERROR_ONCE, Refusal.READ_ERROR}
        return True


class Trial:
    """A conversation over such a disk, and the lives after it."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._chance = stream(setting.seed, "refuse")
        self._habits = any_habits(setting, self._chance)
        self._victim = self._chance.choice((RELAY, *PEOPLE))
        self.refusal = self._chance.choice(tuple(Refusal))
        most = 40 if self.refusal is Refusal.SYNC_ERROR else MOST_OPERATIONS
        at = self._chance.randint(1, self._chance.choice((20, most)))
        self.disk = Refusing(self._victim, self.refusal, at, self._chance.choice((0.0, 0.0, self._chance.random())))
        self._directory = setting.directory / "lived"
        self._directory.mkdir()
        self._facts: list[tuple[int, Fact]] = []
        self._promises = Promises()
        self._world = World(self._directory, setting.seed, self._habits, self._note)
        self._world.on_broken = self._on_broken
        self.told: Counter[str] = Counter()
        self._ends = 0

    def run(self) -> int:
        """How many facts were compared. Raises Broken."""
        with below(self._setting, self._directory, self.disk):
            self._talk()
            checked = compare(self._world, self._promises)
            check_settled(self._world)
        self._world.abandon()
        if self.disk.fired:
            checked += self._lose_power()
        return checked

    def _talk(self) -> None:
        world, chance = self._world, self._chance
        self.disk.well = True
        world.start()
        world.introduce()
        self.disk.well = False
        with _no_room():
            requests = []
            for number in range(MESSAGES):
                requests.append(world.say(chance.choice(PEOPLE), f"{number} {'x' * chance.choice((0, 400, 3_000))}"))
                world.run(chance.choice((0.0, 0.004, 0.1, 2.0)))
                if chance.random() < 0.1:
                    self._restart(chance.choice((RELAY, *PEOPLE)))
            world.run(1.0)
            self.disk.well = True
        world.run(LONG_SECONDS)
        for request in requests:
            answer = world.answers.get(request)
            if isinstance(answer, DiskFullError):
                self.told["the person was told that the disk is full"] += 1
            elif isinstance(answer, Exception):
                raise Broken(f"a text was refused with {type(answer).__name__}: {answer}")
        self.told["the relay answered unavailable"] += world.refused[Code.UNAVAILABLE]

    def _on_broken(self, name: str, error: DiskBrokenError) -> None:
        if self.refusal in {Refusal.FULL, Refusal.FULL_ONCE}:
            raise Broken(f"a full disk ended the process of {name}: {error}") from error
        self._ends += 1
        self.told["a process ended because of its disk"] += 1
        if self._ends >= MOST_ENDS:
            self.disk.well = True
        self._restart(name)

    def _restart(self, name: str) -> None:
        """As whoever looks after it does: again, and with a disk that works if need be."""
        try:
            self._world.stop(name)
        except StoreError:
            self.told["closing said that the disk is at fault"] += 1
        if self.refusal in {Refusal.ERROR, Refusal.SYNC_ERROR} and self.disk.fired:
            self.disk.well = True
        for _ in range(3):
            try:
                self._world.start(name)
            except StoreError:
                self.told["opening said that the disk is at fault"] += 1
                self.disk.well = True
            else:
                return
        raise Broken(f"{name} does not start again on a disk that works")

    def _note(self, fact: Fact) -> None:
        self._facts.append((len(self.disk.operations), fact))
        self._promises.note(fact)

    def _lose_power(self) -> int:
        """At some moments after the fault."""
        failed = [at for at, one in enumerate(self.disk.operations) if isinstance(one, Sync) and one.failed]
        first = failed[0] if failed else len(self.disk.operations) // 3
        positions = sorted(self._chance.randint(first, len(self.disk.operations)) for _ in range(IMAGES))
        platter, done, checked = Platter(self._chance), 0, 0
        for number, position in enumerate(positions):
            for operation in self.disk.operations[done:position]:
                platter.operate(operation)
            done = position
            found = self._setting.directory / f"found {number}"
            found.mkdir()
            loss = self._chance.choice((Loss.EVERYTHING, Loss.TAIL, Loss.SCATTERED))
            platter.image(found, {self._victim: loss})
            facts = [fact for at, fact in self._facts if at <= position]
            try:
                checked += survey(found, self._setting.seed, self._habits, facts, number + 1, self._world.time)
            except Broken as broken:
                where = f"operation {position} of {len(self.disk.operations)}, failed syncs {failed[:3]}, {loss.value}"
                raise Broken(f"after a power failure: {broken} ({where})") from broken
            self.told["the power failed afterwards"] += 1
            shutil.rmtree(found)
        return checked


def refuse(setting: Setting) -> Iterator[Outcome]:
    """One disk that refuses once or for a while."""
    trial = Trial(setting)
    label = trial.refusal.value
    try:
        checked = trial.run()
    except Broken as broken:
        yield Outcome(1, label, f"{label}: {broken}")
    except Exception as error:  # noqa: BLE001 - what must not come is what is looked for
        yield Outcome(1, label, f"{label}: {type(error).__name__}: {error}")
    else:
        struck = trial.disk.fired > 0
        label = label if struck else "the conversation ended before the fault"
        yield Outcome(checked, label, struck=struck, also=dict(trial.told))


@contextmanager
def _no_room() -> Iterator[None]:
    """While the disk is full, there is no room for a ballast."""
    kept = ballast.ROOM_BEFORE_MAKING_BYTES
    ballast.ROOM_BEFORE_MAKING_BYTES = 2**62
    try:
        yield
    finally:
        ballast.ROOM_BEFORE_MAKING_BYTES = kept
