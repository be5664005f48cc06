"""Numbered steps that bring a database to its present form, each in a transaction of its own.

`user_version` counts the steps that a file has seen, `application_id` says what kind of file it is. A step that was
released is never changed; the next form is another step.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from protocol.errors import CallerError

Step: TypeAlias = tuple[str, ...]
"""The statements of one step."""


def check_version(connection: sqlite3.Connection, path: Path, name: str, application_id: int, newest: int) -> None:
    """Changes nothing. Raises CallerError for a file of another kind, or of a version that comes after `newest`."""
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        return
    if _pragma(connection, "application_id") != application_id:
        raise CallerError(f"{path} is not a Kassiber {name}. Name another file or directory.")
    version = _pragma(connection, "user_version")
    if version > newest:
        raise CallerError(
            f"{path} was written by a newer Kassiber (version {version} of a {name}; this one knows up to {newest}). "
            "Install the newer Kassiber again; nothing was changed."
        )


def migrate(connection: sqlite3.Connection, application_id: int, steps: Sequence[Step]) -> None:
    """Carry out the steps that this file has not seen. A step that fails leaves the file as the one before it did."""
    while True:
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = _pragma(connection, "user_version")
            if version >= len(steps):
                return
            for statement in steps[version]:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {application_id}")
            connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
