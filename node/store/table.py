"""A table of records: one row a struct, one column a field (`protocol.mailbox.Table`)."""

import sqlite3
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, Generic, TypeVar, get_type_hints

from msgspec import Struct
from msgspec.structs import replace

R = TypeVar("R", bound=Struct)


class SqlTable(Generic[R]):
    """`key`: the columns that name a row; rows come back in their order. Not thread-safe, as its connection is not.

    What `get` has read is kept until the transaction ends (`forget`): one event looks at the same rows many times.
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

    def get(self, *key: object) -> R | None:
        """The row of this key."""
        try:
            return self._known[key]
        except KeyError:
            row = self.connection.execute(self._get, key).fetchone()
            record = self._known[key] = self.read(row) if row is not None else None
            return record

    def know(self, *key: object, record: R) -> R:
        """A row that was read by other means."""
        self._known[key] = record
        return record

    def forget(self) -> None:
        """The transaction is over, or part of it undone."""
        if self._known:
            self._known.clear()

    def add(self, record: R) -> int:
        """Insert under the next number, which is never used twice."""
        values = [getattr(record, column) for column in self._add_columns]
        number = self.connection.execute(self._add, values).lastrowid
        assert number is not None
        self._known.pop((number,), None)
        return number

    def save(self, record: R) -> None:
        """Insert or replace."""
        self.connection.execute(self._save, [getattr(record, column) for column in self.columns])
        self._known[tuple([getattr(record, column) for column in self._key])] = record

    def update(self, *key: object, **changes: object) -> None:
        """Touches only these columns, and the indexes that hold them."""
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
        self.connection.execute(self._remove, key)
        self._known[key] = None

    def remove_where(self, **equal: object) -> None:
        """Every row that has these values."""
        where, values = _where(equal)
        self.connection.execute(f"DELETE FROM {self.name}{where}", values)
        self.forget()

    def find(self, limit: int | None = None, **equal: object) -> list[R]:
        """Rows that have these values."""
        where, values = _where(equal)
        cut = "" if limit is None else f" LIMIT {limit}"
        return self.read_all(f"{self.select}{where}{self._order}{cut}", values)

    def count(self, **equal: object) -> int:
        """How many rows have these values."""
        where, values = _where(equal)
        return int(self.connection.execute(f"SELECT count(*) FROM {self.name}{where}", values).fetchone()[0])

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
