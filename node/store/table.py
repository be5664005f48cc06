"""A table of records: one row a struct, one column a field (`protocol.mailbox.Table`)."""

import sqlite3
from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import cache
from typing import Any, Generic, TypeVar, get_type_hints

from msgspec import Struct
from msgspec.structs import replace

R = TypeVar("R", bound=Struct)

MOST_KNOWN = 64
"""Rows, and answers, that a table remembers: those of a few contacts and of what is under way."""
_MOST_ROWS = 8
"""Of an answer that is remembered."""
_UNKNOWN = object()


class SqlTable(Generic[R]):
    """`key`: the columns that name a row; rows come back in their order. Not thread-safe, as its connection is not.

    What was read is remembered, a row as it is written, an answer of several rows until the table is written to: events
    look at the same few rows again and again. Nobody else may write to the table; what may have been undone or changed
    by others is to be forgotten (`forget`).
    """

    def __init__(self, connection: sqlite3.Connection, name: str, record: type[R], key: Sequence[str]) -> None:
        self.connection = connection
        self.name = name
        self.columns = record.__struct_fields__
        self._record = record
        self._conversions = _conversions(record)
        self._key = tuple(key)
        self.select = f"SELECT {', '.join(_quoted(self.columns))} FROM {name}"
        self._order = f" ORDER BY {', '.join(_quoted(self._key))}"
        self._get = f"{self.select} WHERE {_all_equal(self._key)}"
        marks = ", ".join("?" for _ in self.columns)
        self._save = (
            f"INSERT INTO {name} ({', '.join(_quoted(self.columns))}) VALUES ({marks})"
            f" ON CONFLICT DO {_overwrite([column for column in self.columns if column not in self._key])}"
        )
        rest = [column for column in self.columns if column != self._key[0]]
        self._add = f"INSERT INTO {name} ({', '.join(_quoted(rest))}) VALUES ({', '.join('?' for _ in rest)})"
        self._add_columns = tuple(rest)
        self._updates: dict[tuple[str, ...], str] = {}
        self._remove = f"DELETE FROM {name} WHERE {_all_equal(self._key)}"
        self._known: dict[tuple[object, ...], R | None] = {}
        self._answers: dict[tuple[object, ...], Any] = {}

    def get(self, *key: object) -> R | None:
        """The row of this key."""
        try:
            return self._known[key]
        except KeyError:
            row = self.connection.execute(self._get, key).fetchone()
            return self.know(*key, record=self.read(row) if row is not None else None)

    def know(self, *key: object, record: R | None) -> R | None:
        """A row that was read by other means."""
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[key] = record
        return record

    def forget(self) -> None:
        """Part of what was read or written may have been undone, or changed by others."""
        self._known.clear()
        self._answers.clear()

    def add(self, record: R) -> int:
        """Insert under the next number, which is never used twice."""
        self._answers.clear()
        values = [getattr(record, column) for column in self._add_columns]
        number = self.connection.execute(self._add, values).lastrowid
        assert number is not None
        self._known.pop((number,), None)
        return number

    def save(self, record: R) -> None:
        """Insert or replace."""
        self._answers.clear()
        self.connection.execute(self._save, [getattr(record, column) for column in self.columns])
        self.know(*[getattr(record, column) for column in self._key], record=record)

    def update(self, *key: object, **changes: object) -> None:
        """Touches only these columns, and the indexes that hold them."""
        self._answers.clear()
        columns = tuple(changes)
        statement = self._updates.get(columns)
        if statement is None:
            assigned = ", ".join(f'"{column}" = ?' for column in columns)
            statement = f"UPDATE {self.name} SET {assigned} WHERE {_all_equal(self._key)}"
            self._updates[columns] = statement
        self.connection.execute(statement, (*changes.values(), *key))
        known = self._known.get(key)
        if known is not None:
            self._known[key] = replace(known, **changes)

    def remove(self, *key: object) -> None:
        """Nothing where it is not there."""
        self._answers.clear()
        self.connection.execute(self._remove, key)
        self.know(*key, record=None)

    def remove_where(self, **equal: object) -> None:
        """Every row that has these values."""
        where, values = _where(equal)
        self.connection.execute(f"DELETE FROM {self.name}{where}", values)
        self.forget()

    def find(self, limit: int | None = None, **equal: object) -> list[R]:
        """Rows that have these values."""
        where, values = _where(equal)
        cut = "" if limit is None else f" LIMIT {limit}"
        return self.read_known(f"{self.select}{where}{self._order}{cut}", values)

    def count(self, **equal: object) -> int:
        """How many rows have these values."""
        where, values = _where(equal)
        return int(self.scalar(f"SELECT count(*) FROM {self.name}{where}", values))

    def read(self, row: Sequence[Any]) -> R:
        """The record of a row of `select`."""
        if not self._conversions:
            return self._record(*row)
        values = list(row)
        for at, convert in self._conversions:
            if values[at] is not None:
                values[at] = convert(values[at])
        return self._record(*values)

    def read_all(self, statement: str, values: Sequence[object] = ()) -> list[R]:
        """The records of a statement that begins with `select`."""
        return [self.read(row) for row in self.connection.execute(statement, values)]

    def read_known(self, statement: str, values: Sequence[object] = ()) -> list[R]:
        """The same of a statement that is asked again and again, about this table alone."""
        question = statement, *values
        rows: list[R] | None = self._answers.get(question)
        if rows is None:
            rows = self.read_all(statement, values)
            if len(rows) > _MOST_ROWS:
                return rows
            self._answer(question, rows)
        return rows.copy()

    def scalar(self, statement: str, values: Sequence[object] = ()) -> Any:
        """The one value that answers a statement about this table alone; None where there is no row."""
        question = statement, *values
        value = self._answers.get(question, _UNKNOWN)
        if value is _UNKNOWN:
            row = self.connection.execute(statement, values).fetchone()
            value = self._answer(question, row[0] if row is not None else None)
        return value

    def _answer(self, question: tuple[object, ...], answer: Any) -> Any:
        if len(self._answers) >= MOST_KNOWN:
            self._answers.clear()
        self._answers[question] = answer
        return answer


def _where(equal: dict[str, object]) -> tuple[str, list[object]]:
    if not equal:
        return "", []
    parts = [f'"{column}" IS NULL' if value is None else f'"{column}" = ?' for column, value in equal.items()]
    return f" WHERE {' AND '.join(parts)}", [value for value in equal.values() if value is not None]


def _all_equal(columns: Sequence[str]) -> str:
    return " AND ".join(f'"{column}" = ?' for column in columns)


def _overwrite(columns: Sequence[str]) -> str:
    """A row of the same size is written over in place; REPLACE would free its pages, wipe them, and take others."""
    if not columns:
        return "NOTHING"
    return "UPDATE SET " + ", ".join(f"{column} = excluded.{column}" for column in _quoted(columns))


def _quoted(columns: Sequence[str]) -> list[str]:
    return [f'"{column}"' for column in columns]


@cache
def _conversions(record: type[Struct]) -> list[tuple[int, Callable[[int], object]]]:
    """SQLite knows integers only: which fields become enumerations or truth values again."""
    hints = get_type_hints(record)
    found: list[tuple[int, Callable[[int], object]]] = []
    for at, column in enumerate(record.__struct_fields__):
        hint = hints[column]
        if hint is bool:
            found.append((at, bool))
        elif isinstance(hint, type) and issubclass(hint, IntEnum):
            found.append((at, hint._value2member_map_.__getitem__))  # its call takes ten times as long
    return found
