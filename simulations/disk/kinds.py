"""The kinds of fault by name, and how many seeds of one are run."""

import shutil
import tempfile
import time
from pathlib import Path

from msgspec import Struct

from simulations.disk.crash import crash, dropped_sync, never_synced
from simulations.disk.cut import cut
from simulations.disk.fault import Setting, Strike, Tally
from simulations.disk.kill import kill, kill_by_clock
from simulations.disk.refuse import refuse
from simulations.disk.rot import rot

_MEMORY = Path("/dev/shm")  # noqa: S108 - where what is simulated to be a disk costs no disk


class Kind(Struct, frozen=True):
    """`breaks_word`: the disk does not do what it reports, so the comparison must find something."""

    strike: Strike
    what: str
    breaks_word: bool = False


KINDS = {
    "crash": Kind(crash, "the power fails: what was not synced is lost, torn, or garbage"),
    "kill": Kind(kill, "kill -9 in the middle of an operation"),
    "kill-by-clock": Kind(kill_by_clock, "kill -9 at any moment"),
    "cut": Kind(cut, "the write-ahead log is cut at any byte"),
    "rot": Kind(rot, "bits flip in a file or its log"),
    "refuse": Kind(refuse, "the disk is full, fails, or fails to sync; then the power fails"),
    "dropped-sync": Kind(dropped_sync, "every fourth sync is a lie; the power fails", breaks_word=True),
    "never-synced": Kind(never_synced, "synchronous=OFF; the power fails", breaks_word=True),
}


def run_kind(kind: Kind, seeds: range, directory: Path | None = None) -> Tally:
    """Each seed on files of its own in `directory`; odd seeds encrypted. Raises CallerError: SQLite is out of reach."""
    tally = Tally()
    started = time.monotonic()
    for seed in seeds:
        place = Path(tempfile.mkdtemp(prefix="kassiber-disk-", dir=directory or default_directory()))
        try:
            tally.add(seed, kind.strike(Setting(seed, place, encrypted=seed % 2 == 1)))
        finally:
            shutil.rmtree(place)
    tally.seconds = time.monotonic() - started
    return tally


def default_directory() -> Path:
    """Memory where there is such a place: the faults are made above it, and nothing below it counts."""
    return _MEMORY if _MEMORY.is_dir() else Path(tempfile.gettempdir())


def is_kept(kind: Kind, tally: Tally) -> bool:
    """Whether every promise was kept and, on a disk that breaks its word, something was found."""
    return not tally.failures and (not kind.breaks_word or tally.found > 0)
