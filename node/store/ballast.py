"""Room that is kept for deleting on a full disk.

What deletes writes too: the write-ahead log grows before anything shrinks. So a file of a few megabytes lies beside the
database; it is given up when the disk is full, and made again once there is room. Without it nothing that grows the
database is written, so that what was freed serves deletions alone.
"""

import os
import shutil
from pathlib import Path
from typing import Protocol

BALLAST_BYTES = 8 * 2**20
"""Twice the log between two checkpoints."""
ROOM_BEFORE_MAKING_BYTES = 4 * BALLAST_BYTES
_ZEROS = bytes(2**20)


class Room(Protocol):
    """What a store asks of its ballast, be it of a file or of a simulated disk."""

    present: bool

    def restore(self) -> None:
        """Make it where it is missing and there is ample room."""

    def release(self) -> None:
        """Give it up."""


class Ballast:
    """Beside `database`, under its name and `-ballast`."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + "-ballast")
        self.present = self._path.exists() and self._path.stat().st_size == BALLAST_BYTES
        self.restore()

    def restore(self) -> None:
        """Make it where it is missing and there is ample room."""
        if not self.present and shutil.disk_usage(self._path.parent).free > ROOM_BEFORE_MAKING_BYTES:
            self.present = self._write()

    def release(self) -> None:
        """Give it up."""
        self.present = False
        self._path.unlink(missing_ok=True)

    def _write(self) -> bool:
        try:
            with open(self._path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.writelines(_ZEROS for _ in range(0, BALLAST_BYTES, len(_ZEROS)))
                file.flush()
                os.fsync(file.fileno())
        except OSError:  # somebody else took the room in between
            self._path.unlink(missing_ok=True)
            return False
        return True
