"""Disks of worlds that keep everything in dicts: quicker and smaller than SQLite, and never full.

What only a database has is not there: pages to run out of, a connection for checkers that ask in SQL.
"""

from typing import Any

from protocol.keys import QueueNumber
from simulations.mailbox import DictMailboxStore
from simulations.storage import Crash, CrashPoint, Disk
from simulations.store import DictRelayStore
from simulations.table import DictStore


class DictDisk(Disk[Any]):
    """`simulations.storage.Disk` over dicts."""

    __slots__ = ("_kept", "crash_point", "present", "store")

    def __init__(self, store: DictStore[Any]) -> None:  # the base opens SQLite
        self.store = store
        self.crash_point: CrashPoint | None = None
        self.present = True
        self._kept: dict[str, tuple[Any, float]] = {}  # type: ignore[assignment]  # with what was kept, not its name alone
        store.transaction().before_commit = self._dying_before_commit
        store.before_read = self._dying_read

    def _dying_before_commit(self) -> None:
        if self.crash_point is CrashPoint.BEFORE_COMMIT:
            raise Crash

    def _dying_read(self) -> None:
        if self.crash_point is CrashPoint.AFTER_COMMIT:
            raise Crash

    def look(self) -> Any:
        """A transaction to read with, beside the process: nothing dies of it."""
        crash_point, self.crash_point = self.crash_point, None
        try:
            return self.store.read()
        finally:
            self.crash_point = crash_point

    def fill(self, spare_pages: int, *, at_commit: bool = False) -> None:
        """Refused."""
        raise AssertionError(f"dicts have no pages of which {spare_pages} could be left: use SQLite")

    def make_room(self) -> None:
        """There always is."""

    def keep(self, name: str = "kept") -> None:
        """What is stored now is what `go_back` returns to."""
        self._kept[name] = self.store.transaction().copied(), self.store.service

    def go_back(self, name: str = "kept") -> None:
        """To what was kept."""
        copied, self.store.service = self._kept[name]
        self.store.transaction().bring_back(copied)

    def queue_numbers(self) -> list[QueueNumber]:
        """Of a relay, in ascending order."""
        return sorted(self.store.transaction().queue)

    def contents(self) -> bytes:
        """Refused: nothing is encoded here as a file would hold it."""
        raise AssertionError("dicts have no file: use SQLite")


def mailbox_dicts() -> DictDisk:
    """For a personal node."""
    return DictDisk(DictMailboxStore())


def relay_dicts() -> DictDisk:
    """For a relay."""
    return DictDisk(DictRelayStore())
