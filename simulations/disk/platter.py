"""What a disk may hold after its power failed, given the operations before.

What was synced is there. Of what was not, each sector of 512 bytes holds any of the contents that it was given since,
independently of every other; what it was about to be given may be garbage; a file's length and a directory's entries
may be old or new. That is what SQLite promises to survive (sqlite.org/atomiccommit.html §2 and its "powersafe
overwrite"): bytes outside of what was being written stay as they are.
"""

import os
import random
from enum import Enum
from pathlib import Path
from typing import NamedTuple, TypeAlias

SECTOR_BYTES = 512


class Opened(NamedTuple):
    """`existed`: nothing was made."""

    path: str
    existed: bool


class Write(NamedTuple):
    path: str
    offset: int
    data: bytes


class Truncate(NamedTuple):
    path: str
    size: int


class Sync(NamedTuple):
    """`failed`: the caller was told, and what was to be written counts as written from now on (Linux does so)."""

    path: str
    directory: bool
    failed: bool = False


class Delete(NamedTuple):
    path: str
    directory: bool


Operation: TypeAlias = Opened | Write | Truncate | Sync | Delete
Change: TypeAlias = Write | Truncate


class Loss(Enum):
    """What becomes of what was not synced."""

    NOTHING = "all of it is there: the process ended, not the power"
    EVERYTHING = "none of it is there"
    TAIL = "written in order up to some sector"
    SCATTERED = "each sector old or new"
    GARBLED = "each sector old, new, or garbage where it was being written"


class File:
    """One file as the process sees it (`seen`), as the disk holds it (`durable`), and what lies between."""

    def __init__(self, contents: bytes = b"") -> None:
        self.seen = bytearray(contents)
        self.durable = bytearray(contents)
        self._pending: list[Change] = []
        self._forgotten: list[Write] = []
        """What a failed sync gave up: seen by the process, and written by no later sync."""

    def change(self, change: Change) -> None:
        """Not durable yet."""
        _apply(self.seen, change)
        self._pending.append(change)

    def sync(self, failed: bool) -> None:
        """What is pending becomes durable, or is forgotten."""
        for change in self._pending:
            if isinstance(change, Truncate):
                _apply(self.durable, change)
            elif failed:
                self._forgotten += _pieces(change)
            else:
                self._keep(change)
        self._pending = []

    def after(self, loss: Loss, chance: random.Random) -> bytes:
        """What may be found after the power failed."""
        if loss is Loss.NOTHING:
            return bytes(self.seen)
        found = bytearray(self.durable)
        changes = [*self._forgotten, *self._pending]
        if loss is Loss.TAIL:
            _apply_head(found, changes, chance)
        elif loss is not Loss.EVERYTHING:
            _scatter(found, changes, chance, garbage=loss is Loss.GARBLED)
        return bytes(found)

    def _keep(self, write: Write) -> None:
        """A sector is written as it is seen: with what was forgotten in it."""
        if not self._forgotten:
            _apply(self.durable, write)
            return
        first = write.offset // SECTOR_BYTES * SECTOR_BYTES
        last = -(-(write.offset + len(write.data)) // SECTOR_BYTES) * SECTOR_BYTES
        _apply(self.durable, Write(write.path, first, bytes(self.seen[first:last])))
        self._forgotten = [piece for piece in self._forgotten if not first <= piece.offset < last]


class Platter:
    """All files of one directory. `dropped_syncs`: the share of syncs that report success and do nothing."""

    def __init__(self, chance: random.Random, dropped_syncs: float = 0.0) -> None:
        self._chance = chance
        self._dropped_syncs = dropped_syncs
        self._seen: dict[str, File] = {}
        self._durable: dict[str, File] = {}

    def operate(self, operation: Operation) -> None:
        """In the order in which they happened."""
        match operation:
            case Opened():
                if operation.path not in self._seen:
                    self._seen[operation.path] = File()
            case Write() | Truncate():
                self._seen[operation.path].change(operation)
            case Sync():
                if self._dropped_syncs and self._chance.random() < self._dropped_syncs:
                    return
                self._seen[operation.path].sync(operation.failed)
                if operation.directory and not operation.failed:
                    self._durable = dict(self._seen)
            case Delete():
                self._seen.pop(operation.path, None)
                if operation.directory:
                    self._durable = dict(self._seen)

    def image(self, directory: Path, losses: dict[str, Loss]) -> None:
        """Write to `directory` what may be found. `losses`: by the beginning of a file's name; others lose nothing."""
        for path in sorted({*self._seen, *self._durable}):
            name = os.path.basename(path)  # noqa: PTH119
            loss = next((loss for owner, loss in losses.items() if name.startswith(owner)), Loss.NOTHING)
            old, new = self._durable.get(path), self._seen.get(path)
            file = new if loss is Loss.NOTHING else old if loss is Loss.EVERYTHING else self._chance.choice((old, new))
            if file is not None:
                (directory / name).write_bytes(file.after(loss, self._chance))

    def contents(self) -> dict[str, bytes]:
        """What the process sees, by name."""
        return {os.path.basename(path): bytes(file.seen) for path, file in self._seen.items()}  # noqa: PTH119


def _apply(contents: bytearray, change: Change) -> None:
    if isinstance(change, Truncate):
        del contents[change.size :]
        contents.extend(bytes(change.size - len(contents)))
        return
    end = change.offset + len(change.data)
    if change.offset > len(contents):
        contents.extend(bytes(change.offset - len(contents)))
    contents[change.offset : end] = change.data


def _apply_head(contents: bytearray, changes: list[Change], chance: random.Random) -> None:
    if not changes:
        return
    whole = chance.randrange(len(changes) + 1)
    for change in changes[:whole]:
        _apply(contents, change)
    if whole < len(changes):
        torn = changes[whole]
        if isinstance(torn, Write):
            pieces = _pieces(torn)
            for piece in pieces[: chance.randrange(len(pieces))]:
                _apply(contents, piece)


def _scatter(contents: bytearray, changes: list[Change], chance: random.Random, garbage: bool) -> None:
    """For each sector a point in time after which nothing reached it; lengths old or new."""
    pieces: list[Change] = []
    for change in changes:
        pieces += _pieces(change) if isinstance(change, Write) else [change]
    reached: dict[int, int] = {}
    for at, piece in enumerate(pieces):
        sector = piece.offset // SECTOR_BYTES if isinstance(piece, Write) else -1 - at
        if sector not in reached:
            reached[sector] = chance.randrange(at, len(pieces) + 1) if chance.random() < 0.5 else len(pieces)
            if chance.random() < 0.3:
                reached[sector] = -1
        if at <= reached[sector]:
            _apply(contents, piece)
        elif garbage and isinstance(piece, Write) and chance.random() < 0.3:
            _apply(contents, Write(piece.path, piece.offset, chance.randbytes(len(piece.data))))


def _pieces(write: Write) -> list[Write]:
    """Cut where sectors meet."""
    pieces: list[Write] = []
    at = 0
    while at < len(write.data):
        length = min(SECTOR_BYTES - (write.offset + at) % SECTOR_BYTES, len(write.data) - at)
        pieces.append(Write(write.path, write.offset + at, write.data[at : at + length]))
        at += length
    return pieces
