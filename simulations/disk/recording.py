"""A conversation with every operation below it written down, and every fact at its place among them."""

import errno
import hashlib
import random
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from node import files
from simulations.disk.fault import Setting
from simulations.disk.library import Flavour
from simulations.disk.platter import Delete, Opened, Operation, Sync, Truncate, Write
from simulations.disk.promises import Fact
from simulations.disk.vfs import OK, Disk, Verdict, layer, obey
from simulations.disk.world import PEOPLE, Habits, Participant, World


def picture(connection: sqlite3.Connection) -> bytes:
    """A digest of every row, but for the clock's, which is saved beside the steps. Raises the database's errors."""
    digest = hashlib.blake2b(digest_size=16)
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name != 'clock' ORDER BY name")
    for (name,) in names.fetchall():
        rows = connection.execute(f"SELECT * FROM {name}")
        digest.update(repr((name, sorted(map(repr, rows)))).encode())
    return digest.digest()


class Recorder:
    """`simulations.disk.vfs.Disk`: carries everything out."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []

    def opened(self, path: str, existed: bool) -> None:
        self.operations.append(Opened(path, existed))

    def read(self, _path: str) -> Verdict | None:
        return None

    def write(self, path: str, offset: int, data: bytes) -> Verdict | None:
        self.operations.append(Write(path, offset, data))
        return None

    def truncate(self, path: str, size: int) -> Verdict | None:
        self.operations.append(Truncate(path, size))
        return None

    def sync(self, path: str, directory: bool) -> Verdict | None:
        self.operations.append(Sync(path, directory))
        return Verdict(OK)  # the platter decides what is durable; the machine's own disk need not be waited for

    def delete(self, path: str, directory: bool) -> None:
        self.operations.append(Delete(path, directory))


class Recording:
    """`facts`, `times`, `pictures`: each with how many operations came before it. The latter two after each step."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.facts: list[tuple[int, Fact]] = []
        self.times: list[tuple[int, float]] = []
        self.pictures: list[tuple[int, bytes]] = []

    def facts_before(self, position: int) -> list[Fact]:
        """What had been said when so many operations had been carried out."""
        return [fact for at, fact in self.facts if at <= position]

    def time_at(self, position: int) -> float:
        """The world's time then."""
        return max((time for at, time in self.times if at <= position), default=0.0)


def flavour(setting: Setting) -> Flavour:
    """The library that the setting's stores run on."""
    return "sqlcipher3" if setting.encrypted else "sqlite3"


@contextmanager
def below(setting: Setting, directory: Path, disk: Disk) -> Iterator[None]:
    """Whatever the stores in `directory` write goes through `disk`: what SQLite writes, and the log written again."""
    write_again = files.write_again

    def watched(path: Path) -> None:
        name = str(path.resolve())
        _ask(disk.write(name, 0, path.read_bytes()))
        write_again(path)
        _ask(disk.sync(name, True))

    with layer(flavour(setting)).attached(directory, disk), patch.object(files, "write_again", watched):
        yield


def _ask(verdict: Verdict | None) -> None:
    if verdict is not None and verdict.code != OK:
        obey(verdict)
        raise OSError(errno.EIO, "an I/O error")


def any_habits(setting: Setting, chance: random.Random, synchronous: str = "FULL") -> Habits:
    """Logs from tiny to the size that nodes use."""
    pages, log = chance.choice(((8, 0), (24, 65_536), (24, 0), (64, 65_536), (1_000, 2**24)))
    return Habits(setting.key, pages, log, synchronous)


def record(
    setting: Setting, directory: Path, habits: Habits, messages: int, pictured: str | None = None, absent: bool = False
) -> Recording:
    """From empty files to a conversation of so many messages.

    `pictured`: whose store is looked at after each step. `absent`: in the end Bob is away, and the relay holds his.
    """
    recording, recorder = Recording(), Recorder()
    recording.operations = recorder.operations

    def note(fact: Fact) -> None:
        recording.facts.append((len(recorder.operations), fact))

    def watch(one: Participant) -> None:
        recording.times.append((len(recorder.operations), world.time))
        if one.name == pictured:
            recording.pictures.append((len(recorder.operations), picture(one.store.read().connection)))

    with below(setting, directory, recorder):
        world = World(directory, setting.seed, habits, note)
        world.watch = watch
        world.start()
        for one in world.participants.values():
            watch(one)
        world.introduce()
        world.talk(messages, "before")
        world.run(world.chance.choice((0.0, 0.05, 5.0, 60.0)))
        if absent:
            world.stop(PEOPLE[1])
            for number in range(messages):
                world.say(PEOPLE[0], f"while you were away {number}")
                world.run(0.02)
    world.abandon()
    return recording
