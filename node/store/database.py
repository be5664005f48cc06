"""Opens the SQLite files of a node or relay, plain or encrypted, and says whose fault an error of theirs is.

One connection belongs to one thread. Statements run outside of Python's implicit transactions: whoever writes says
BEGIN and COMMIT (`node.store.transaction`).
"""

import errno
import os
import sqlite3
from pathlib import Path
from typing import Literal, cast

from msgspec import Struct

from node import files
from node.store.migrations import Step, check_version, migrate
from protocol.crypto.suite import sha256
from protocol.errors import DiskBrokenError, DiskFullError, StoreError

PAGE_BYTES = 4_096
CHECKPOINT_CHANGES = 400
"""Rows changed, about as many pages written, after which `WriteAheadLog.fold` is worth its two synchronisations."""
CHECKPOINT_PAGES = 4_000
"""After which SQLite folds by itself, where nobody calls `fold`."""
MOST_LOG_BYTES = 16 * 2**20
"""What a write-ahead log that once grew is cut back to."""
BUSY_MILLISECONDS = 5_000

_SALT_BYTES = 16
_FULL = 13
_SHM_SIZE = 4_874  # an I/O error by name, a full disk in fact: the log's index could not grow
_BROKEN = frozenset((8, 10, 11, 14, 15, 26))  # READONLY, IOERR, CORRUPT, CANTOPEN, PROTOCOL, NOTADB
_PASSING = frozenset((5, 6, 7, 9))  # BUSY, LOCKED, NOMEM, INTERRUPT


class Schema(Struct, frozen=True):
    """One kind of file: what marks it, how it came to its present form, how thoroughly it deletes."""

    name: str
    """For messages: "relay database"."""
    application_id: int
    """SQLite's own field for this; 1 to 2**31 - 1."""
    steps: tuple[Step, ...]
    secure_delete: Literal["FAST", "ON"]
    """FAST zeroes what is deleted inside pages that are written anyway; ON also zeroes freed pages."""


def open_database(path: Path, schema: Schema, key: bytes | None = None) -> sqlite3.Connection:
    """A connection to an existing file, brought up to date, or to a new one (mode 0600).

    `key`: 32 bytes, SQLCipher's raw key; None for a plain file. Raises CallerError (a newer version, or a file of
    another kind; nothing is changed), DiskFullError, DiskBrokenError (damaged, unreadable, or under another key).
    """
    try:
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        connection = _connect(path, key)
    except OSError as error:
        raise DiskBrokenError(f"{path} cannot be opened: {error.strerror}.") from error
    try:
        check_version(connection, path, schema.name, schema.application_id, len(schema.steps))
        _settle_in(connection, schema)
        _trust_log(connection, path)
        migrate(connection, schema.application_id, schema.steps)
    except BaseException as error:
        connection.close()
        _explain(error, path, schema, key)
        raise
    return connection


def open_in_memory(schema: Schema) -> sqlite3.Connection:
    """A plain database that lives as long as its connection: the same statements, for simulations."""
    connection = sqlite3.connect(":memory:", isolation_level=None, cached_statements=256)
    _settle_in(connection, schema)
    migrate(connection, schema.application_id, schema.steps)
    return connection


def open_reader(path: Path, schema: Schema, key: bytes | None = None) -> sqlite3.Connection:
    """A connection that can only read, to a file that `open_database` has brought up to date. Raises as it does.

    It may move between threads, as long as one uses it at a time.
    """
    connection = _connect(path, key, one_thread=False)
    try:
        check_version(connection, path, schema.name, schema.application_id, len(schema.steps))
        connection.execute("PRAGMA query_only = ON")
    except BaseException as error:
        connection.close()
        _explain(error, path, schema, key)
        raise
    return connection


class WriteAheadLog:
    """The log of one connection, folded into its file between steps.

    By itself SQLite does it inside a commit, and whoever waits for the commit waits three times as long. Another thread
    could not: it never finds the log of a busy database unused, so that it would grow without end.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._folded_at = connection.total_changes

    def fold(self) -> None:
        """If enough lies in it. Raises DiskBrokenError; a full disk is left to the next commit to find."""
        if self._connection.total_changes - self._folded_at < CHECKPOINT_CHANGES:
            return
        self._folded_at = self._connection.total_changes
        try:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except Exception as error:
            meant = store_error(error)
            if meant is None:
                raise
            if isinstance(meant, DiskBrokenError):
                raise meant from error


def store_error(error: BaseException) -> StoreError | None:
    """What a database's exception means for whoever waits for the commit; None where it is our own mistake."""
    number = getattr(error, "sqlite_errorcode", None)
    if number is None:
        return None
    if number & 0xFF == _FULL or number == _SHM_SIZE:
        return DiskFullError("The disk is full. Make room; nothing that was confirmed is lost.")
    if number & 0xFF in _BROKEN:
        return DiskBrokenError(f"The database can no longer be trusted to be written: {error}.")
    if number & 0xFF in _PASSING:
        return StoreError(f"The database is busy: {error}.")
    return None


def service_offset(connection: sqlite3.Connection) -> float:
    """Service seconds when last saved: where the service clock goes on after a start; 0 in a new file.

    Expects the table of `CLOCK_TABLE`. Raises StoreError.
    """
    try:
        row = connection.execute("SELECT service FROM clock").fetchone()
    except Exception as error:
        raise store_error(error) or error from error
    return float(row[0]) if row else 0.0


def save_service(connection: sqlite3.Connection, service: float) -> None:
    """Save the service clock; it never goes back. Raises StoreError."""
    try:
        connection.execute(
            "INSERT INTO clock (id, service) VALUES (1, ?)"
            " ON CONFLICT DO UPDATE SET service = max(service, excluded.service)",
            (service,),
        )
    except Exception as error:
        raise store_error(error) or error from error


CLOCK_TABLE = "CREATE TABLE clock (id INTEGER PRIMARY KEY CHECK (id = 1), service REAL NOT NULL)"
"""For a schema's first step."""


def _connect(path: Path, key: bytes | None, one_thread: bool = True) -> sqlite3.Connection:
    if key is None:
        return sqlite3.connect(path, isolation_level=None, cached_statements=256, check_same_thread=one_thread)
    assert len(key) == 32, "SQLCipher's raw key"
    connection = _connect_encrypted(path, one_thread)
    apply_key(connection, key)
    if not _opens(connection):  # made when salts were random, perhaps
        connection.close()
        connection = _connect_encrypted(path, one_thread)
        apply_key(connection, key, salt=b"")
    return connection


def _connect_encrypted(path: Path, one_thread: bool) -> sqlite3.Connection:
    from sqlcipher3 import dbapi2 as sqlcipher  # noqa: PLC0415 - a plain relay needs no SQLCipher

    # The same interface as sqlite3 in classes of its own.
    opened = sqlcipher.connect(path, isolation_level=None, cached_statements=256, check_same_thread=one_thread)
    return cast("sqlite3.Connection", opened)


def _salt(key: bytes) -> bytes:
    """SQLCipher's salt. What follows from the key cannot be lost.

    A random one is in the file alone, in its first sector. If the power failed while that was written, and left garbage
    there, the log would still hold all that belongs there, and nothing could read it.
    """
    return sha256(b"kassiber database salt", key)[:_SALT_BYTES]


def _opens(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except Exception as error:  # noqa: BLE001 - anything else meets whoever uses it, who can say what it means
        return not isinstance(store_error(error), DiskBrokenError)
    return True


def apply_key(connection: sqlite3.Connection, key: bytes, salt: bytes | None = None) -> None:
    """What a fresh SQLCipher connection is told before all else. `key`: 32 bytes.

    `salt`: 16 bytes, those of the key by default; none: whatever is in the file.
    """
    connection.execute("PRAGMA cipher_log_level = NONE")
    connection.execute(f"PRAGMA key = \"x'{key.hex()}{(_salt(key) if salt is None else salt).hex()}'\"")
    connection.execute("PRAGMA cipher_hmac_algorithm = HMAC_SHA256")  # processors help with it: a fifth less a commit


def _settle_in(connection: sqlite3.Connection, schema: Schema) -> None:
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("PRAGMA temp_store = MEMORY")  # nothing that is undone may reach a temporary file
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {MOST_LOG_BYTES}")
    connection.execute(f"PRAGMA secure_delete = {schema.secure_delete}")


def _trust_log(connection: sqlite3.Connection, path: Path) -> None:
    """Write a log that a killed process left once more before anything is built upon it.

    Had its last sync failed, SQLite would still read, and take for committed, what the disk does not hold; the next
    power failure would then take along all that was confirmed after it.
    """
    log = path.with_name(path.name + "-wal")
    connection.execute("BEGIN IMMEDIATE")  # nobody else appends meanwhile
    try:
        if log.exists() and log.stat().st_size:
            files.write_again(log)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFullError("The disk is full. Make room; nothing that was confirmed is lost.") from error
        raise DiskBrokenError(f"{log} cannot be written: {error.strerror}.") from error
    finally:
        connection.execute("ROLLBACK")


def _explain(error: BaseException, path: Path, schema: Schema, key: bytes | None) -> None:
    """Raise what a person can act on, where `error` is a database's."""
    meant = store_error(error)
    # Python meets the letters of a damaged schema before it can say what SQLite thinks of them.
    if isinstance(meant, DiskBrokenError) or isinstance(error, UnicodeDecodeError):
        other = "" if key is None else ", or encrypted under another key"
        raise DiskBrokenError(
            f"{path} is damaged or not a {schema.name}{other}. Restore it, or move it away to begin with an empty one."
        ) from error
    if meant is not None:
        raise meant from error
