"""Tables of records in dicts, and the log that undoes what a transaction changed in them (`protocol.mailbox.Table`).

A table of few rows is searched as it is. One that grows beyond `FEW_ROWS` is indexed when it is next asked, and no
longer once it has shrunk: a world has tables by the hundred thousand, and most of them hold next to nothing.
"""

from bisect import bisect_left
from collections.abc import Callable, Hashable, Sequence
from operator import attrgetter
from typing import Any, Generic, Self, TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import replace

R = TypeVar("R", bound=Struct)
TX = TypeVar("TX", bound="DictTransaction")

FEW_ROWS = 16
_FEWER_ROWS = FEW_ROWS // 2

_NO_ROWS: dict[Any, Any] = {}
"""What all tables that hold nothing share; never written to."""
OUTSIDE = object()
"""Where an index says that it does not hold a row."""

Index: TypeAlias = Callable[[Any], Hashable]
"""Of a row: under what it is found, or OUTSIDE."""


class Shape:
    """What tables of one kind have in common: the fields that name a row, and how rows are found besides."""

    __slots__ = ("indexes", "key", "name_of", "single")

    def __init__(self, key: Sequence[str], equal: Sequence[str] = (), **indexes: Index) -> None:
        """`equal`: fields by which `find` searches; `indexes`: what a table's own questions search by."""
        self.key = tuple(key)
        self.single = len(self.key) == 1
        self.name_of: Callable[[Any], Any] = attrgetter(*self.key)
        self.indexes: dict[str, Index] = {field: attrgetter(field) for field in equal} | indexes


class DictTransaction:
    """The log of one store's tables. One object serves all its transactions, one at a time."""

    __slots__ = ("before_commit", "keeps", "log")

    def __init__(self) -> None:
        self.log: list[Any] = []
        """What undoes each change, as `undo` reads it. Here: table, key, row before or None, last number before."""
        self.keeps = True
        """False: what is written is undone at the end, as in a step that only reads."""
        self.before_commit: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        if raised[1] is not None or not self.keeps:
            self.undo(0)
            return
        try:
            if self.before_commit is not None:
                self.before_commit()
        except BaseException:
            self.undo(0)
            raise
        self.log.clear()

    def savepoint(self) -> "DictSavepoint":
        """May be nested."""
        return DictSavepoint(self)

    def undo(self, mark: int) -> None:
        """Back to where the log had `mark` entries."""
        log = self.log
        while len(log) > mark:
            table, key, before, last = log.pop()
            table.go_back(key, before, last)


class DictSavepoint:
    """An exception inside undoes what was done inside, and passes on."""

    __slots__ = ("_mark", "_transaction")

    def __init__(self, transaction: DictTransaction) -> None:
        self._transaction = transaction

    def __enter__(self) -> None:
        self._mark = len(self._transaction.log)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is not None:
            self._transaction.undo(self._mark)


class DictStore(Generic[TX]):
    """`node.core.DurableStore` on one transaction object; what is committed lives as long as the object."""

    __slots__ = ("_transaction", "before_read", "service")

    def __init__(self, transaction: TX) -> None:
        self._transaction = transaction
        self.service = 0.0
        self.before_read: Callable[[], None] | None = None

    def transaction(self) -> TX:
        """For a step that may write."""
        self._transaction.keeps = True
        return self._transaction

    def read(self) -> TX:
        """For a step that only reads: what it writes is undone."""
        if self.before_read is not None:
            self.before_read()
        self._transaction.keeps = False
        return self._transaction

    def service_offset(self) -> float:
        """Where the service clock goes on."""
        return self.service

    def save_service(self, service: float) -> None:
        """Never goes back."""
        self.service = max(self.service, service)

    def fold_log(self) -> None:
        """There is none."""


class DictTable(Generic[R]):
    """`protocol.mailbox.Table`. Rows are frozen, so whoever has read one has it as it was."""

    __slots__ = ("_indexes", "_log", "_shape", "_single", "last", "rows")

    def __init__(self, transaction: DictTransaction, shape: Shape) -> None:
        self.rows: dict[Any, R] = _NO_ROWS
        """By key: the one field, or the tuple of several."""
        self.last = 0
        """The highest number that was given out or saved."""
        self._log = transaction.log
        self._shape = shape
        self._single = shape.single
        self._indexes: dict[str, dict[Hashable, tuple[Any, ...]]] | None = None

    def get(self, *key: object) -> R | None:
        """The row of this key."""
        return self.rows.get(key[0] if self._single else key)

    def add(self, record: R) -> int:
        """Insert under the next number, which is never used twice."""
        number = self.last + 1
        self._put(number, None, replace(record, **{self._shape.key[0]: number}))
        self.last = number
        return number

    def save(self, record: R) -> None:
        """Insert or replace."""
        key = self._shape.name_of(record)
        self._put(key, self.rows.get(key), record)
        if self._single and type(key) is int and key > self.last:
            self.last = key

    def update(self, *key: object, **changes: object) -> None:
        """Nothing where there is no such row."""
        name = key[0] if self._single else key
        before = self.rows.get(name)
        if before is not None:
            self._put(name, before, replace(before, **changes))

    def remove(self, *key: object) -> None:
        """Nothing where it is not there."""
        self._take(key[0] if self._single else key)

    def remove_where(self, **equal: object) -> None:
        """Every row that has these values."""
        for key in self._matching(equal):
            self._take(key)

    def remove_all(self, keys: Sequence[Any]) -> None:
        """Every row of these keys."""
        for key in keys:
            self._take(key)

    def find(self, limit: int | None = None, **equal: object) -> list[R]:
        """Rows that have these values, in the order of their keys."""
        rows = self.rows
        return [rows[key] for key in self._matching(equal)[:limit]] if rows else []

    def count(self, **equal: object) -> int:
        """How many rows have these values."""
        return len(self._matching(equal)) if equal and self.rows else len(self.rows)

    def found(self, index: str, name: Hashable) -> Sequence[Any]:
        """Keys of the rows that an index has under this name, in order."""
        if self._is_small():
            of = self._shape.indexes[index]
            keys = [key for key, row in self.rows.items() if of(row) == name]
            return sorted(keys) if len(keys) > 1 else keys
        return self._indexed()[index].get(name, ())

    def all_found(self, index: str) -> list[R]:
        """The rows that an index holds at all, in no order."""
        if self._is_small():
            of = self._shape.indexes[index]
            return [row for row in self.rows.values() if of(row) is not OUTSIDE]
        return [self.rows[key] for keys in self._indexed()[index].values() for key in keys]

    def go_back(self, key: Any, before: R | None, last: int) -> None:
        """Undo one change; not logged. What is indexed is found out anew."""
        if before is None:
            del self.rows[key]
        else:
            self._own_rows()[key] = before
        self.last = last
        self._indexes = None

    def replace_all(self, rows: dict[Any, R], last: int) -> None:
        """Rows and last number of another time; not logged."""
        self.rows = rows.copy() if rows else _NO_ROWS
        self.last = last
        self._indexes = None

    def shrink(self) -> None:
        """Give back the room of rows that were removed; between transactions."""
        self.rows = dict(self.rows.items()) if self.rows else _NO_ROWS

    def _matching(self, equal: dict[str, object]) -> Sequence[Any]:
        """Keys in order. An index serves the first field that has one; the rest is looked at row by row."""
        if not equal:
            return sorted(self.rows)
        wanted = list(equal.items())
        if self._is_small():
            field, value = wanted.pop()
            keys: Sequence[Any] = sorted([key for key, row in self.rows.items() if getattr(row, field) == value])
        else:
            field = next((field for field, _ in wanted if field in self._shape.indexes), "")
            if field:
                wanted.remove((field, equal[field]))
                keys = self._indexed()[field].get(equal[field], ())
            else:
                keys = sorted(self.rows)
        for field, value in wanted:
            keys = [key for key in keys if getattr(self.rows[key], field) == value]
        return keys

    def _own_rows(self) -> dict[Any, R]:
        if self.rows is _NO_ROWS:
            self.rows = {}
        return self.rows

    def _put(self, key: Any, before: R | None, row: R) -> None:
        self._log.append((self, key, before, self.last))
        self._own_rows()[key] = row
        if self._indexes is not None:
            self._reindex(key, before, row)

    def _take(self, key: Any) -> None:
        before = self.rows.pop(key, None)
        if before is None:
            return
        self._log.append((self, key, before, self.last))
        if self._indexes is not None:
            self._reindex(key, before, None)
            if len(self.rows) < _FEWER_ROWS:
                self._indexes = None

    def _is_small(self) -> bool:
        return self._indexes is None and len(self.rows) <= FEW_ROWS

    def _indexed(self) -> dict[str, dict[Hashable, tuple[Any, ...]]]:
        if self._indexes is None:
            self._indexes = {}
            for index, of in self._shape.indexes.items():
                gathered: dict[Hashable, list[Any]] = {}
                for key in sorted(self.rows):
                    if (name := of(self.rows[key])) is not OUTSIDE:
                        gathered.setdefault(name, []).append(key)
                self._indexes[index] = {name: tuple(keys) for name, keys in gathered.items()}
        return self._indexes

    def _reindex(self, key: Any, before: R | None, after: R | None) -> None:
        indexes = self._indexes
        assert indexes is not None
        for index, of in self._shape.indexes.items():
            former = OUTSIDE if before is None else of(before)
            name = OUTSIDE if after is None else of(after)
            if former == name:
                continue
            names = indexes[index]
            if former is not OUTSIDE:
                keys = names[former]
                at = bisect_left(keys, key)
                if len(keys) == 1:
                    del names[former]
                else:
                    names[former] = keys[:at] + keys[at + 1 :]
            if name is not OUTSIDE:
                keys = names.get(name, ())
                at = bisect_left(keys, key)
                names[name] = (*keys[:at], key, *keys[at:])
