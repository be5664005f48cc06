"""What a relay has: every row of its database and every line of its log, to be held against what was said."""

import sqlite3
from pathlib import Path
from typing import Self

from msgspec import Struct

from protocol.limits import ENVELOPE_BYTES

_SHOWN_BYTES = 24
_SHOWN_ROWS = 4


class RelayView(Struct, frozen=True):
    """A copy of what a relay's directory and log hold; `stored` is every byte of its files."""

    name: str
    tables: dict[str, tuple[list[str], list[tuple[object, ...]]]]
    stored: bytes
    log: bytes

    @classmethod
    def read(cls, name: str, directory: Path, log: Path) -> Self:
        """From the files of a relay that runs or was killed; nothing is changed."""
        stored = b"".join(path.read_bytes() for path in sorted(directory.iterdir()) if path.is_file())
        database = sqlite3.connect(f"file:{directory / 'relay.db'}?mode=ro", uri=True)
        try:
            names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            tables = {}
            for table in names:
                if not table.startswith("sqlite_"):
                    cursor = database.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - its own name
                    tables[table] = ([column[0] for column in cursor.description], cursor.fetchall())
        finally:
            database.close()
        return cls(name, tables, stored, log.read_bytes())

    @property
    def envelopes(self) -> int:
        """How many it keeps."""
        return sum(_is_envelope(value) for _, rows in self.tables.values() for row in rows for value in row)


def print_view(view: RelayView, said: tuple[tuple[str, str], ...], secrets: dict[str, list[str]]) -> None:
    """The relay's bytes beside what they mean to the two; then a search of all of them for what must not be there."""
    print(f"\nWhat {view.name} had when it was killed: every row of its database, and its log.")
    texts = iter(text for _, text in said)
    for table, (columns, rows) in view.tables.items():
        print(f"\n  {table}: {len(rows)} row{'' if len(rows) == 1 else 's'} of ({', '.join(columns)})")
        for row in rows[:_SHOWN_ROWS]:
            meaning = next(texts, None) if any(_is_envelope(value) for value in row) else None
            beside = f"   <- {meaning!r}" if meaning else ""
            print(f"    {', '.join(_shown(value) for value in row)}{beside}")
        if len(rows) > _SHOWN_ROWS:
            print(f"    and {len(rows) - _SHOWN_ROWS} more like these")
    print(f"\n  log: {len(view.log.splitlines())} lines, {len(view.log)} bytes")
    print(f"\n  Searched: all {len(view.stored) + len(view.log):,} bytes of its files and log, for")
    for kind, values in secrets.items():
        hits = sum(_count(view.stored + view.log, value) for value in values)
        print(f"    {kind:16} {hits} found" + ("" if hits == 0 else "  <- this must not be"))
    print(f"  Envelopes: {view.envelopes}, each of {ENVELOPE_BYTES} bytes.")
    print("  What it does know: which queues exist, when each envelope came, when somebody fetched, and from where")
    print("  they connected while they were connected. It keeps no address. See specs/1-threat-model.md.")


def _is_envelope(value: object) -> bool:
    return isinstance(value, bytes) and len(value) == ENVELOPE_BYTES


def _count(haystack: bytes, secret: str) -> int:
    found = haystack.lower()
    return sum(found.count(form) for form in {secret.lower().encode(), secret.replace(" ", "").lower().encode()})


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        more = f"... {len(value):,} bytes" if len(value) > _SHOWN_BYTES else ""
        return value[:_SHOWN_BYTES].hex() + more
    return str(value)
