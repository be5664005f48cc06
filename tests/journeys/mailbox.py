"""What is on the disks of nodes and relays, for tests that must know the truth behind what is shown.

Nothing here changes a file: a mailbox that nobody runs is read where it lies, its write-ahead log included.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from sqlcipher3 import dbapi2 as sqlcipher

from node.profile import Profile
from node.store.database import apply_key
from node.store.keys import UnlockedKeys, derive_keys
from node.unlock import unlock
from protocol.envelope.envelope import parse_envelope
from protocol.mailbox import ItemKind, MessageState


def keys_of(profile: Path) -> UnlockedKeys:
    """The keys of a profile whose credential file lies beside it."""
    return derive_keys(unlock(Profile(profile), profile.with_name(f"{profile.name}.credential"), None))


@contextmanager
def opened(path: Path, key: bytes | None) -> Iterator[sqlite3.Connection]:
    """Read-only; closing it leaves the write-ahead log as it is. `key`: 32 bytes where the file is encrypted."""
    if key is None:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    else:
        connection = cast("sqlite3.Connection", sqlcipher.connect(f"file:{path}?mode=ro", uri=True))
        apply_key(connection, key)
    try:
        yield connection
    finally:
        connection.close()


class Mailbox:
    """One person's mailbox as it lies on the disk."""

    def __init__(self, profile: Path) -> None:
        self._path = profile / "mailbox.db"
        self._key = keys_of(profile).mailbox

    def states(self) -> dict[str, MessageState]:
        """How far each own message has come, by message id."""
        with opened(self._path, self._key) as connection:
            rows = connection.execute("SELECT message_id, state FROM messages WHERE mine = 1").fetchall()
        return {name.hex(): MessageState(state) for name, state in rows}

    def received(self) -> set[str]:
        """The ids of the messages that it holds of others, shown or not."""
        with opened(self._path, self._key) as connection:
            rows = connection.execute("SELECT message_id FROM messages WHERE mine = 0").fetchall()
        return {name.hex() for (name,) in rows}

    def in_custody(self) -> set[bytes]:
        """Digests of the envelopes of which it believes that a relay has them, 16 bytes each."""
        with opened(self._path, self._key) as connection:
            rows = connection.execute("SELECT envelope FROM envelopes WHERE stored_at IS NOT NULL").fetchall()
        return {parse_envelope(envelope).digest[:16] for (envelope,) in rows}

    def relayed_but_unstored(self) -> set[str]:
        """Own messages shown as relayed, of which a fragment was in nobody's verified custody."""
        with opened(self._path, self._key) as connection:
            rows = connection.execute(
                "SELECT message_id FROM messages JOIN items USING (contact, message_id) WHERE mine = 1 AND state = ?"
                " AND kind = ? AND stored = 0",
                (MessageState.RELAYED.value, ItemKind.FRAGMENT.value),
            ).fetchall()
        return {name.hex() for (name,) in rows}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query finds."""
        with opened(self._path, self._key) as connection:
            return connection.execute(query).fetchall()

    def values(self) -> Iterator[tuple[str, object]]:
        """Every value of every row, with the table it is in."""
        yield from values(self._path, self._key)


def values(path: Path, key: bytes | None) -> Iterator[tuple[str, object]]:
    """Every value of every row of a database, with the table it is in."""
    with opened(path, key) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                for value in row:
                    yield table, value


def relay_digests(directory: Path) -> set[bytes]:
    """The digests of all that a relay has stored, erased since or not; 16 bytes each."""
    with opened(directory / "relay.db", None) as connection:
        return {bytes(digest) for (digest,) in connection.execute("SELECT digest FROM digests")}
