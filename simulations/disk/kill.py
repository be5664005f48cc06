"""kill -9, over and over, of a process that runs the real machines on real files; the files live on.

`kill` strikes in the middle of an operation that the seed chose, after part of a write: it comes again exactly.
`kill_by_clock` strikes from outside after so many milliseconds: where that is, only the moment knows. What was said
before reaches this process through a pipe. After each death a copy of the files is compared; the next process takes the
originals, with the log and its index as they were left. In the end, everybody must still understand everybody.
"""

import os
import shutil
import signal
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn, TypeAlias

from protocol.errors import CallerError, StoreError
from simulations.disk.chance import stream
from simulations.disk.fault import Outcome, Setting
from simulations.disk.promises import Broken, Fact, Promises, decode_facts, encode_facts
from simulations.disk.recording import Recorder, any_habits, below
from simulations.disk.survey import check_settled, compare
from simulations.disk.vfs import KILL, Verdict
from simulations.disk.world import Habits, World

KILLS = 12
MOST_OPERATIONS = 500
MOST_MILLISECONDS = 60.0
SECONDS_BETWEEN = 1_000.0
"""Of the world's time, from one life to the next."""
_LENGTH = struct.Struct(">I")

Live: TypeAlias = Callable[[World, int], NoReturn]
"""What a process does until it is killed, given its number."""


class Deadly(Recorder):
    """Kills its own process in its operation number `at`; a write is carried out in part before."""

    def __init__(self, at: int, part: float) -> None:
        super().__init__()
        self._left, self._part = at, part

    def write(self, _path: str, _offset: int, data: bytes) -> Verdict | None:
        return self._next(int(len(data) * self._part))

    def truncate(self, _path: str, _size: int) -> Verdict | None:
        return self._next(0)

    def sync(self, _path: str, _directory: bool) -> Verdict | None:
        return self._next(0)

    def _next(self, part: int) -> Verdict | None:
        self._left -= 1
        return Verdict(KILL, part) if self._left <= 0 else None


def kill(setting: Setting) -> Iterator[Outcome]:
    """In the middle of an operation."""

    def live(world: World, life: int) -> NoReturn:
        chance = stream(setting.seed, "kill", life)
        deadly = Deadly(chance.randint(1, chance.choice((30, MOST_OPERATIONS))), chance.random())
        with below(setting, world.directory, deadly):
            _live(world)

    yield from _lives(setting, live, lambda _: None)


def kill_by_clock(setting: Setting) -> Iterator[Outcome]:
    """From outside, at any moment."""

    def milliseconds(life: int) -> float:
        return stream(setting.seed, "kill by clock", life).uniform(0.0, MOST_MILLISECONDS)

    yield from _lives(setting, lambda world, _: _live(world), milliseconds)


def _lives(setting: Setting, live: Live, milliseconds: Callable[[int], float | None]) -> Iterator[Outcome]:
    directory = setting.directory / "lived"
    directory.mkdir()
    habits = any_habits(setting, stream(setting.seed, "kill habits"))
    promises = Promises()
    _meet(directory, setting.seed, habits, promises)
    for life in range(1, KILLS + 1):
        facts = _one_life(directory, setting.seed, habits, life, live, milliseconds(life))
        try:
            for fact in facts:
                promises.note(fact)
            checked = _look(directory, setting, habits, promises, life)
        except Broken as broken:
            yield Outcome(promises.count, failure=f"{broken} (life {life})")
            return
        yield Outcome(checked, "a process was killed")
    failure = _settle(directory, setting.seed, habits, promises)
    if failure is not None:
        yield Outcome(promises.count, failure=failure)


def _meet(directory: Path, seed: int, habits: Habits, promises: Promises) -> None:
    world = World(directory, seed, habits, promises.note)
    world.start()
    world.introduce()
    world.abandon()


def _one_life(
    directory: Path, seed: int, habits: Habits, life: int, live: Live, milliseconds: float | None
) -> list[Fact]:
    """Everything that the process said before it was killed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            live(_telling_world(directory, seed, habits, life, writer), life)
        finally:
            os._exit(1)  # never back into the caller's program
    os.close(writer)
    if milliseconds is not None:
        time.sleep(milliseconds / 1_000)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        raise AssertionError(f"life {life} of seed {seed} ended by itself")
    return list(_facts(said))


def _telling_world(directory: Path, seed: int, habits: Habits, life: int, writer: int) -> World:
    def tell(fact: Fact) -> None:
        encoded = encode_facts([fact])
        os.write(writer, _LENGTH.pack(len(encoded)) + encoded)

    return World(directory, seed, habits, tell, life, life * SECONDS_BETWEEN)


def _facts(said: bytes) -> Iterator[Fact]:
    at = 0
    while at + _LENGTH.size <= len(said):
        (length,) = _LENGTH.unpack_from(said, at)
        at += _LENGTH.size
        if at + length <= len(said):
            yield from decode_facts(said[at : at + length])
        at += length


def _live(world: World) -> NoReturn:
    """Until killed."""
    world.start()
    number = 0
    while True:
        world.talk(10, f"life {world.time:.0f} {number}")
        number += 1


def _look(directory: Path, setting: Setting, habits: Habits, promises: Promises, life: int) -> int:
    """Compare a copy: opening the files would already mend them."""
    copy = setting.directory / "copy"
    shutil.copytree(directory, copy, ignore=lambda _, names: [name for name in names if name.endswith("-ballast")])
    world = World(copy, setting.seed, habits, promises.note, -life)
    try:
        world.start()
        return compare(world, promises)
    except (StoreError, CallerError) as error:
        raise Broken(str(error)) from error
    finally:
        world.abandon()
        shutil.rmtree(copy)


def _settle(directory: Path, seed: int, habits: Habits, promises: Promises) -> str | None:
    world = World(directory, seed, habits, promises.note, KILLS + 1, (KILLS + 1) * SECONDS_BETWEEN)
    try:
        world.start()
        world.talk(4, "in the end")
        world.run(300)
        compare(world, promises)
        check_settled(world)
    except Broken as broken:
        return f"{broken} (in the end)"
    finally:
        world.abandon()
    return None
