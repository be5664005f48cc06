"""The SQLite library that a Python module has loaded, reached in place with ctypes.

The store runs on `sqlite3` and `sqlcipher3` as they are; a wrapper of another library would test another library. Both
export SQLite's C interface wherever it is a shared library or an extension module of its own, as on Debian, with pyenv
and in sqlcipher3's wheels. An interpreter that has SQLite built in and hidden cannot be reached, and says so.
"""

import ctypes
import sys
from functools import cache
from importlib import import_module
from typing import Literal, TypeAlias

from protocol.errors import CallerError

Flavour: TypeAlias = Literal["sqlite3", "sqlcipher3"]

_MODULES: dict[Flavour, str] = {"sqlite3": "_sqlite3", "sqlcipher3": "sqlcipher3._sqlite3"}
_NEEDED = ("sqlite3_vfs_find", "sqlite3_vfs_register")


class Library:
    """One loaded library. `version`: of its SQLite."""

    def __init__(self, flavour: Flavour) -> None:
        module = import_module(_MODULES[flavour])
        file = getattr(module, "__file__", None) or sys.executable
        loaded = ctypes.CDLL(file)
        if not all(hasattr(loaded, name) for name in _NEEDED):
            raise CallerError(f"The SQLite of {flavour} is hidden in {file}. Use a Python with a shared SQLite.")
        self.flavour = flavour
        self.find = loaded.sqlite3_vfs_find
        self.find.restype = ctypes.c_void_p
        self.find.argtypes = [ctypes.c_char_p]
        self.register = loaded.sqlite3_vfs_register
        self.register.argtypes = [ctypes.c_void_p, ctypes.c_int]
        loaded.sqlite3_libversion.restype = ctypes.c_char_p
        self.version = loaded.sqlite3_libversion().decode()


@cache
def library(flavour: Flavour) -> Library:
    """Loaded once. Raises CallerError where it cannot be reached."""
    return Library(flavour)
