"""A layer between SQLite and the operating system: sees every write, truncation, sync and deletion, and may refuse it.

It is SQLite's own interface for this (sqlite.org/vfs.html), filled in with ctypes: the system's VFS opens each file,
and then its method table is exchanged for a copy in which the methods that matter are ours. All others, locks and
shared memory among them, stay the system's. Files outside of every attached directory are not touched at all.
"""

import ctypes
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from simulations.disk.library import Flavour, Library, library

OK = 0
FULL = 13
IO_READ, IO_WRITE, IO_SYNC, IO_TRUNCATE = 266, 778, 1_034, 1_546
KILL = -1
"""As a code: the process is killed there."""

_JOURNALS = ("-wal", "-journal")


class Verdict(NamedTuple):
    """What becomes of an operation instead of success. `part`: bytes that are written all the same."""

    code: int
    part: int = 0


class Disk(Protocol):
    """What lies below the files of one directory. Each method is asked first; None: carry it out.

    `directory`: the operation also makes the directory's entries durable.
    """

    def opened(self, path: str, existed: bool) -> None: ...
    def read(self, path: str) -> Verdict | None: ...
    def write(self, path: str, offset: int, data: bytes) -> Verdict | None: ...
    def truncate(self, path: str, size: int) -> Verdict | None: ...
    def sync(self, path: str, directory: bool) -> Verdict | None: ...
    def delete(self, path: str, directory: bool) -> None: ...


_Pointer, _Int, _Long = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
_Open = ctypes.CFUNCTYPE(_Int, _Pointer, _Pointer, _Pointer, _Int, _Pointer)
_Delete = ctypes.CFUNCTYPE(_Int, _Pointer, _Pointer, _Int)
_Close = ctypes.CFUNCTYPE(_Int, _Pointer)
_Transfer = ctypes.CFUNCTYPE(_Int, _Pointer, _Pointer, _Int, _Long)
_Truncate = ctypes.CFUNCTYPE(_Int, _Pointer, _Long)
_Sync = ctypes.CFUNCTYPE(_Int, _Pointer, _Int)


class _Vfs(ctypes.Structure):
    _fields_ = (
        ("version", _Int),
        ("file_bytes", _Int),
        ("longest_path", _Int),
        ("next", _Pointer),
        ("name", ctypes.c_char_p),
        ("data", _Pointer),
        ("open", _Pointer),
        ("delete", _Pointer),
        ("others", _Pointer * 13),
    )


class _Methods(ctypes.Structure):
    _fields_ = (
        ("version", _Int),
        ("close", _Pointer),
        ("read", _Pointer),
        ("write", _Pointer),
        ("truncate", _Pointer),
        ("sync", _Pointer),
        ("others", _Pointer * 13),
    )


class _Opened:
    """One open file."""

    __slots__ = ("disk", "path", "unsynced_entry")

    def __init__(self, disk: Disk, path: str) -> None:
        self.disk = disk
        self.path = path
        self.unsynced_entry = path.endswith(_JOURNALS)
        """SQLite syncs the directory with the first sync of a journal or log that it opened."""


class _Table:
    """The system's methods for one kind of file, and the table in which five of them are ours."""

    def __init__(self, layer: "Layer", address: int) -> None:
        self.system = _Methods.from_address(address)
        self.ours = _Methods()
        ctypes.memmove(ctypes.byref(self.ours), address, ctypes.sizeof(_Methods))
        self.close, self.read = _Close(self.system.close), _Transfer(self.system.read)
        self.write = _Transfer(self.system.write)
        self.truncate, self.sync = _Truncate(self.system.truncate), _Sync(self.system.sync)
        self._kept = [
            ("close", _Close(partial(layer.on_close, self))),
            ("read", _Transfer(partial(layer.on_read, self))),
            ("write", _Transfer(partial(layer.on_write, self))),
            ("truncate", _Truncate(partial(layer.on_truncate, self))),
            ("sync", _Sync(partial(layer.on_sync, self))),
        ]
        for name, callback in self._kept:
            setattr(self.ours, name, _address(callback))


class Layer:
    """Registered once a library and never taken out; without an attached directory it only passes on."""

    def __init__(self, below: Library) -> None:
        self._system_address = below.find(None)
        self._system = _Vfs.from_address(self._system_address)
        self._open, self._delete = _Open(self._system.open), _Delete(self._system.delete)
        self._ours = _Vfs()
        ctypes.memmove(ctypes.byref(self._ours), self._system_address, ctypes.sizeof(_Vfs))
        self._ours.name = b"kassiber-disk"
        self._kept = (_Open(self._on_open), _Delete(self._on_delete))
        self._ours.open, self._ours.delete = (_address(callback) for callback in self._kept)
        self._tables: dict[int, _Table] = {}
        self._files: dict[int, _Opened] = {}
        self._disks: dict[str, Disk] = {}
        below.register(ctypes.byref(self._ours), 1)

    @contextmanager
    def attached(self, directory: Path, disk: Disk) -> Iterator[None]:
        """Files opened in `directory` meanwhile lie on `disk`, until they are closed."""
        name = os.path.realpath(directory)
        assert name not in self._disks
        self._disks[name] = disk
        try:
            yield
        finally:
            del self._disks[name]

    def _disk(self, name: int | None) -> tuple[str, Disk] | None:
        if not name or not self._disks:
            return None
        path = os.fsdecode(ctypes.string_at(name))
        disk = self._disks.get(os.path.dirname(path))  # noqa: PTH120 - thousands a second
        return None if disk is None else (path, disk)

    def _on_open(self, _vfs: int, name: int | None, file: int, flags: int, out: int | None) -> int:
        found = self._disk(name)
        existed = found is not None and os.path.exists(found[0])  # noqa: PTH110
        code: int = self._open(self._system_address, name, file, flags, out)
        if code == OK and found is not None:
            path, disk = found
            slot = _Pointer.from_address(file)
            assert slot.value is not None
            table = self._tables.get(slot.value)
            if table is None:
                table = self._tables[slot.value] = _Table(self, slot.value)
            slot.value = ctypes.addressof(table.ours)
            self._files[file] = _Opened(disk, path)
            disk.opened(path, existed)
        return code

    def _on_delete(self, _vfs: int, name: int | None, directory: int) -> int:
        found = self._disk(name)
        code: int = self._delete(self._system_address, name, directory)
        if code == OK and found is not None:
            found[1].delete(found[0], bool(directory))
        return code

    def on_close(self, table: _Table, file: int) -> int:
        self._files.pop(file, None)
        code: int = table.close(file)
        return code

    def on_read(self, table: _Table, file: int, buffer: int, length: int, offset: int) -> int:
        opened = self._files[file]
        verdict = opened.disk.read(opened.path)
        code: int = table.read(file, buffer, length, offset) if verdict is None else verdict.code
        return code

    def on_write(self, table: _Table, file: int, buffer: int, length: int, offset: int) -> int:
        opened = self._files[file]
        verdict = opened.disk.write(opened.path, offset, ctypes.string_at(buffer, length))
        if verdict is not None and verdict.part:
            table.write(file, buffer, min(verdict.part, length), offset)
        return _carry_out(verdict, partial(table.write, file, buffer, length, offset))

    def on_truncate(self, table: _Table, file: int, size: int) -> int:
        opened = self._files[file]
        return _carry_out(opened.disk.truncate(opened.path, size), partial(table.truncate, file, size))

    def on_sync(self, table: _Table, file: int, flags: int) -> int:
        opened = self._files[file]
        entry, opened.unsynced_entry = opened.unsynced_entry, False
        return _carry_out(opened.disk.sync(opened.path, entry), partial(table.sync, file, flags))


def _carry_out(verdict: Verdict | None, action: Callable[[], int]) -> int:
    if verdict is None:
        return action()
    obey(verdict)
    return verdict.code


def obey(verdict: Verdict) -> None:
    """Does not return from KILL."""
    if verdict.code == KILL:
        os.kill(os.getpid(), signal.SIGKILL)


def _address(callback: Any) -> int | None:
    return ctypes.cast(callback, _Pointer).value


@cache
def layer(flavour: Flavour) -> Layer:
    """The layer of one library, put in at the first call. Raises CallerError where the library cannot be reached."""
    return Layer(library(flavour))
