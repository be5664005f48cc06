"""Transactions and savepoints of one SQLite connection (`protocol.store.Transaction`).

SQLITE_FULL rolls the whole transaction back by itself; whoever goes on as if nothing had happened is in autocommit.
So every database error that means the disk leaves as a StoreError, which ends the batch, and ROLLBACK looks first.
"""

import sqlite3
from typing import Self

from node.store.database import store_error
from protocol.errors import StoreError


class SqlTransaction:
    """The base of a subject's transactions; one object serves all transactions of its connection, one at a time."""

    def __init__(self, connection: sqlite3.Connection, writes: bool = True) -> None:
        self.connection = connection
        self._begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
        self._writes = writes

    def __enter__(self) -> Self:
        try:
            self.connection.execute(self._begin)
        except Exception as error:
            self.fail(error)
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        error = raised[1]
        committed = False
        try:
            if error is None and self._writes:
                self.before_commit()
                self.connection.execute("COMMIT")
                committed = True
        except Exception as failure:
            self.fail(failure)
            raise
        finally:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            self.after_end(committed)
        if isinstance(error, BaseException):
            self.fail(error)

    def savepoint(self) -> "Savepoint":
        """An exception inside undoes what was done inside, and passes on; StoreError where it was the disk's."""
        return Savepoint(self)

    def fail(self, error: BaseException) -> None:
        """Raise the StoreError that `error` means, if it means one."""
        meant = store_error(error)
        if meant is not None:
            raise meant from error

    def before_commit(self) -> None:
        """Write what was gathered."""

    def after_end(self, committed: bool) -> None:
        """Forget what was gathered, and what was read where it may have been undone."""

    def mark(self) -> object:
        """What was gathered up to here, for `undo`."""

    def undo(self, mark: object) -> None:
        """Back to what `mark` returned."""


class Savepoint:
    """May be nested."""

    __slots__ = ("_mark", "_transaction")

    def __init__(self, transaction: SqlTransaction) -> None:
        self._transaction = transaction

    def __enter__(self) -> None:
        self._mark = self._transaction.mark()
        self._transaction.connection.execute("SAVEPOINT event")

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        connection = self._transaction.connection
        if error is None:
            connection.execute("RELEASE event")
            return
        if connection.in_transaction:
            connection.execute("ROLLBACK TO event")
            connection.execute("RELEASE event")
            self._transaction.undo(self._mark)
        if not isinstance(error, StoreError):
            self._transaction.fail(error)
