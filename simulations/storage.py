"""The real stores in memory: disks that fill up, processes that die around a commit, contents that go back in time.

A transaction that dies before its commit is rolled back by SQLite itself, as after a crash. What lies below SQLite
(torn and lost writes, corrupt pages) is not simulated here but tried on real files.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from typing import Any, Generic, TypeVar

from node.store import mailbox, relay
from node.store.database import Schema, open_in_memory
from node.store.mailbox import MailboxStore
from node.store.relay import RelayStore
from protocol.keys import QueueNumber

S = TypeVar("S", MailboxStore, RelayStore)

_ALL_PAGES = 2**30
_BALLAST_PAGES = 64


class Crash(BaseException):
    """The process is gone, here and now. No `except Exception` may survive it."""


class CrashPoint(Enum):
    """Where in a step a process dies."""

    BEFORE_COMMIT = auto()
    AFTER_COMMIT = auto()
    """Before the read step that follows."""
    BEFORE_EFFECTS = auto()
    """Everything is committed, nothing has left."""


class Disk(Generic[S]):
    """One participant's store on one connection, used for many worlds in turn."""

    def __init__(self, schema: Schema, over: Callable[[sqlite3.Connection, "Disk[S]"], S]) -> None:
        self.connection = open_in_memory(schema)
        self.connection.execute("PRAGMA journal_mode = MEMORY")
        self.store: S = over(self.connection, self)
        self.crash_point: CrashPoint | None = None
        self.present = True
        tables = self.connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall()
        self._tables = sorted((name for (name,) in tables), key=lambda name: name == "sqlite_sequence")
        self._kept: set[str] = set()
        self._changes = 0
        self._full_at_commit = False
        self._hook()

    # What a step meets

    def _hook(self) -> None:
        writer: Any = self.store.transaction()
        self._read: Callable[[], Any]
        before_commit, self._read = writer.before_commit, self.store.read

        def dying_before_commit() -> None:
            before_commit()
            changes, self._changes = self._changes, self.connection.total_changes
            if self._full_at_commit and changes != self._changes:
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorcode = sqlite3.SQLITE_FULL
                raise error
            if self.crash_point is CrashPoint.BEFORE_COMMIT:
                raise Crash

        def dying_read() -> Any:
            if self.crash_point is CrashPoint.AFTER_COMMIT:
                raise Crash
            return self._read()

        writer.before_commit = dying_before_commit
        self.store.read = dying_read  # type: ignore[method-assign]

    def look(self) -> Any:
        """A transaction to read with, beside the process: nothing dies of it."""
        return self._read()

    @contextmanager
    def beside(self) -> Iterator[Any]:
        """A transaction to write with, beside the process: nothing dies of it. Raises StoreError."""
        crash_point, self.crash_point = self.crash_point, None
        try:
            with self.store.transaction() as tx:
                yield tx
        finally:
            self.crash_point = crash_point

    def fill(self, spare_pages: int, *, at_commit: bool = False) -> None:
        """From now on the database may grow by so many pages only; or (`at_commit`) no change gets beyond its commit.

        A log ahead of the database is written at the commit, so on real disks that is where most find out. Packed
        first: what earlier worlds of this process left free must not decide what still fits.
        """
        self._full_at_commit = at_commit
        self.connection.execute("VACUUM main")
        self._allow(spare_pages)

    def _allow(self, spare_pages: int) -> None:
        pages = self.connection.execute("PRAGMA page_count").fetchone()[0]
        self.connection.execute(f"PRAGMA max_page_count = {pages + spare_pages}")

    def make_room(self) -> None:
        """As much as anybody could want."""
        self.connection.execute(f"PRAGMA max_page_count = {_ALL_PAGES}")
        self._full_at_commit = False
        self.present = True

    # `node.store.ballast.Room`: what a relay gives up on a full disk

    def restore(self) -> None:
        """There is no room before `make_room`, which restores it."""

    def release(self) -> None:
        """The pages that the ballast took."""
        self.present = self._full_at_commit = False
        self._allow(_BALLAST_PAGES)

    # One connection for many worlds: prepared statements are worth more than all that a world stores

    def keep(self, name: str = "kept") -> None:
        """What is stored now is what `go_back` returns to. `name`: for several of them, an SQL name."""
        if name not in self._kept:
            self._kept.add(name)
            self.connection.execute(f"ATTACH ':memory:' AS {name}")
            rows = self.connection.execute("SELECT name, sql FROM main.sqlite_master WHERE type = 'table'").fetchall()
            for table, statement in rows:
                if table != "sqlite_sequence":
                    self.connection.execute(statement.replace("CREATE TABLE ", f"CREATE TABLE {name}.", 1))
        self._copy("main", name)

    def go_back(self, name: str = "kept") -> None:
        """To what was kept."""
        self._copy(name, "main")

    def _copy(self, source: str, target: str) -> None:
        self.make_room()
        self.connection.execute("BEGIN")
        for table in self._tables:
            self.connection.execute(f"DELETE FROM {target}.{table}")
            self.connection.execute(f"INSERT INTO {target}.{table} SELECT * FROM {source}.{table}")
        self.connection.execute("COMMIT")

    def queue_numbers(self) -> list[QueueNumber]:
        """Of a relay, in ascending order."""
        return [row[0] for row in self.connection.execute("SELECT number FROM queues ORDER BY number")]

    def contents(self) -> bytes:
        """The database as a file would hold it."""
        return self.connection.serialize(name="main")


def mailbox_disk() -> Disk[MailboxStore]:
    """For a personal node."""
    return Disk(mailbox.SCHEMA, lambda connection, _disk: MailboxStore.over(connection))


def relay_disk() -> Disk[RelayStore]:
    """For a relay."""
    return Disk(relay.SCHEMA, RelayStore.over)
