"""What a relay keeps (Spec 8), in one SQLite file: queues, sealed invitations, entries, digests, the service clock.

Rows of `entries` and `digests` are in the order of time: new ones go to the end, retention takes from the front, and no
index on time is needed. An entry's row fits one page, encrypted or not. `place` is queue << 32 | sequence.

Queues that a transaction has touched are kept as values and their counters written once, before the commit: eight
envelopes in a frame change their queue's row once. What is committed is remembered for the next, of those that only
read too; what is rolled back is forgotten, and a savepoint that is undone takes it back with it. Nobody else writes.
"""

import sqlite3
from collections.abc import Sequence as Rows
from pathlib import Path
from typing import Self

from msgspec.structs import replace

from node.store.ballast import Ballast, Room
from node.store.database import CLOCK_TABLE, Schema, WriteAheadLog, open_database, save_service, service_offset
from node.store.transaction import SqlTransaction
from protocol.errors import DiskFullError
from protocol.keys import (
    ClaimKey,
    Digest,
    LinkId,
    Minute,
    QueueNumber,
    ReceiveId,
    RecipientKey,
    SenderKey,
    SendId,
    Sequence,
)
from protocol.store import Entry, KeptCard, OnionKey, Queue, SealedLink

SCHEMA = Schema(
    name="relay database",
    application_id=0x4B53_4252,  # "KSBR"
    steps=(
        (
            CLOCK_TABLE,
            """CREATE TABLE queues (
                number INTEGER PRIMARY KEY AUTOINCREMENT,
                receive_id BLOB NOT NULL UNIQUE,
                recipient_key BLOB NOT NULL,
                send_id BLOB NOT NULL UNIQUE,
                claim_key BLOB NOT NULL,
                sender_key BLOB,
                stored INTEGER NOT NULL DEFAULT 0,
                markers INTEGER NOT NULL DEFAULT 0,
                full INTEGER NOT NULL DEFAULT 0,
                sequence INTEGER NOT NULL DEFAULT 0
            )""",
            """CREATE TABLE links (
                queue INTEGER PRIMARY KEY,
                link_id BLOB NOT NULL UNIQUE,
                expires REAL NOT NULL,
                sealed BLOB NOT NULL
            )""",
            "CREATE INDEX link_expiry ON links (expires)",
            """CREATE TABLE entries (
                id INTEGER PRIMARY KEY,
                place INTEGER NOT NULL UNIQUE,
                service REAL NOT NULL,
                counted INTEGER NOT NULL,
                body BLOB NOT NULL
            )""",
            """CREATE TABLE digests (
                id INTEGER PRIMARY KEY,
                queue INTEGER NOT NULL,
                digest BLOB NOT NULL,
                minute INTEGER NOT NULL,
                service REAL NOT NULL,
                UNIQUE (queue, digest)
            )""",
        ),
        ("CREATE TABLE onion_keys (epoch INTEGER PRIMARY KEY, private BLOB NOT NULL, since REAL NOT NULL)",),
        (
            """CREATE TABLE cards (name TEXT PRIMARY KEY, identity BLOB NOT NULL, serial INTEGER NOT NULL,
                expires REAL NOT NULL, card BLOB) WITHOUT ROWID""",
            "CREATE INDEX card_expiry ON cards (expires)",
        ),
    ),
    secure_delete="FAST",
)

_COLUMNS = "number, receive_id, recipient_key, send_id, claim_key, sender_key, stored, markers, full, sequence"
_SEQUENCES = 2**32
_KEPT_DIGEST_BYTES = 16
MOST_KNOWN = 4_096
"""Queues that are remembered from one transaction to the next, of some 500 bytes each."""


class RelayStore:
    """`protocol.store.Store[RelayTransaction]` over one file; to be made and used in one thread.

    `key`: 32 bytes where the file is encrypted. Raises as `open_database` does.
    """

    def __init__(self, path: Path, key: bytes | None = None) -> None:
        self._serve(open_database(path, SCHEMA, key), Ballast(path))

    @classmethod
    def over(cls, connection: sqlite3.Connection, ballast: Room) -> Self:
        """On a connection that is open and has the schema."""
        store = cls.__new__(cls)
        store._serve(connection, ballast)
        return store

    def _serve(self, connection: sqlite3.Connection, ballast: Room) -> None:
        self.connection = connection
        self._log = WriteAheadLog(connection)
        self._ballast = ballast
        known = _Known()
        self._writer = SqlRelayTransaction(connection, ballast, known, writes=True)
        self._reader = SqlRelayTransaction(connection, ballast, known, writes=False)

    def transaction(self) -> "SqlRelayTransaction":
        """For a step that may write."""
        self._ballast.restore()
        return self._writer

    def read(self) -> "SqlRelayTransaction":
        """For a step that only reads; what it wrote would be undone."""
        return self._reader

    def service_offset(self) -> float:
        """Service seconds when last saved. Raises StoreError."""
        return service_offset(self.connection)

    def save_service(self, service: float) -> None:
        """Durable at once; outside of a transaction. Raises StoreError."""
        save_service(self.connection, service)

    def fold_log(self) -> None:
        """If it is worth it; outside of a transaction. Raises DiskBrokenError."""
        self._log.fold()

    def close(self) -> None:
        """The write-ahead log is folded into the file."""
        self.connection.close()


class _Known:
    """Queues as the transactions of one connection remember them."""

    def __init__(self) -> None:
        self.queues: dict[QueueNumber, Queue] = {}
        self.numbers: dict[tuple[str, bytes], QueueNumber] = {}
        """By a statement and the name that it looks for."""
        self.changes = -1
        """How many rows the connection had changed when this was true."""


class SqlRelayTransaction(SqlTransaction):
    """`protocol.store.RelayTransaction`."""

    def __init__(self, connection: sqlite3.Connection, ballast: Room, known: _Known, writes: bool) -> None:
        super().__init__(connection, writes)
        self._ballast = ballast
        self._remembered = known
        self.known = known.queues
        self.numbers = known.numbers
        self.changed: set[QueueNumber] = set()
        self.execute = connection.execute if writes else self._read
        self.queues = SqlQueues(self)
        self.links = SqlLinks(self)
        self.entries = SqlEntries(self)
        self.digests = SqlDigests(self)
        self.cards = SqlCards(self)
        self.onion_keys = SqlOnionKeys(self)

    @property
    def room(self) -> bool:
        """False while the ballast is given up: what it freed serves deletions alone."""
        return self._ballast.present

    def before_commit(self) -> None:
        """Write the counters of every queue that changed."""
        if self.changed:
            rows = [self.known[number] for number in sorted(self.changed)]
            self.connection.executemany(
                "UPDATE queues SET stored = ?, markers = ?, full = ?, sequence = ? WHERE number = ?",
                [(queue.stored, queue.markers, queue.full, queue.sequence, queue.number) for queue in rows],
            )

    def __enter__(self) -> Self:
        if self.connection.total_changes != self._remembered.changes:  # somebody has written beside these transactions
            self._forget()
            self._remembered.changes = self.connection.total_changes
        return super().__enter__() if self._writes else self

    def _read(self, statement: str, values: Rows[object] = ()) -> sqlite3.Cursor:
        """One that only reads begins with its first statement: most of the time, what is remembered answers."""
        if not self.connection.in_transaction:
            super().__enter__()
        return self.connection.execute(statement, values)

    def after_end(self, committed: bool) -> None:
        changes = self.connection.total_changes
        undone = not committed and (self._writes or self.changed or changes != self._remembered.changes)
        if undone or len(self.known) > MOST_KNOWN:
            self._forget()
        self.changed.clear()
        self._remembered.changes = changes

    def _forget(self) -> None:
        self.known.clear()
        self.numbers.clear()
        self.changed.clear()

    def mark(self) -> dict[QueueNumber, Queue]:
        """What is not written yet; the rest can be read again."""
        return {number: self.known[number] for number in self.changed}

    def undo(self, mark: object) -> None:
        assert isinstance(mark, dict)
        self._forget()
        self.known.update(mark)
        self.changed.update(mark)

    def fail(self, error: BaseException) -> None:
        try:
            super().fail(error)
        except DiskFullError:
            self._ballast.release()
            raise

    def queue(self, number: QueueNumber) -> Queue:
        """A queue that exists, as this transaction has left it."""
        queue = self.queues.by_number(number)
        assert queue is not None, f"queue {number} is gone"
        return queue

    def change(self, queue: Queue) -> None:
        """Its counters are to be written."""
        self.known[queue.number] = queue
        self.changed.add(queue.number)


class SqlQueues:
    """`protocol.store.Queues`."""

    def __init__(self, transaction: SqlRelayTransaction) -> None:
        self._transaction = transaction
        self._execute = transaction.execute

    def by_receive_id(self, receive_id: ReceiveId) -> Queue | None:
        return self._named(f"SELECT {_COLUMNS} FROM queues WHERE receive_id = ?", receive_id)

    def by_send_id(self, send_id: SendId) -> Queue | None:
        return self._named(f"SELECT {_COLUMNS} FROM queues WHERE send_id = ?", send_id)

    def by_number(self, number: QueueNumber) -> Queue | None:
        known = self._transaction.known.get(number)
        return known or self._load(f"SELECT {_COLUMNS} FROM queues WHERE number = ?", number)

    def add(
        self, receive_id: ReceiveId, recipient_key: RecipientKey, send_id: SendId, claim_key: ClaimKey
    ) -> QueueNumber:
        cursor = self._execute(
            "INSERT INTO queues (receive_id, recipient_key, send_id, claim_key) VALUES (?, ?, ?, ?)",
            (receive_id, recipient_key, send_id, claim_key),
        )
        assert cursor.lastrowid is not None
        assert cursor.lastrowid < 2**31, "places would no longer fit 64 bits"
        return QueueNumber(cursor.lastrowid)

    def claim(self, number: QueueNumber, sender_key: SenderKey) -> None:
        self._execute("UPDATE queues SET sender_key = ? WHERE number = ?", (sender_key, number))
        self._transaction.known[number] = replace(self._transaction.queue(number), sender_key=sender_key)

    def refuse(self, number: QueueNumber) -> None:
        self._transaction.change(replace(self._transaction.queue(number), full=True))

    def remove(self, number: QueueNumber) -> None:
        self._transaction.known.pop(number, None)
        self._transaction.changed.discard(number)
        self._execute("DELETE FROM queues WHERE number = ?", (number,))
        self._execute("DELETE FROM links WHERE queue = ?", (number,))
        first = number * _SEQUENCES
        self._execute("DELETE FROM entries WHERE place BETWEEN ? AND ?", (first, first + _SEQUENCES - 1))
        self._execute("DELETE FROM digests WHERE queue = ?", (number,))

    def _named(self, query: str, name: SendId | ReceiveId) -> Queue | None:
        number = self._transaction.numbers.get((query, name))
        known = self._transaction.known.get(number) if number is not None else None
        if known is None and (known := self._load(query, name)) is not None:
            self._transaction.numbers[query, name] = known.number
        return known

    def _load(self, query: str, name: bytes | QueueNumber) -> Queue | None:
        row = self._execute(query, (name,)).fetchone()
        if row is None:
            return None
        known = self._transaction.known.get(row[0])
        if known is None:
            known = self._transaction.known[row[0]] = Queue(*row)
        return known


class SqlLinks:
    """`protocol.store.Links`."""

    def __init__(self, transaction: SqlRelayTransaction) -> None:
        self._transaction = transaction
        self._execute = transaction.execute

    def get(self, link_id: LinkId) -> SealedLink | None:
        row = self._execute("SELECT queue, sealed, expires FROM links WHERE link_id = ?", (link_id,)).fetchone()
        return SealedLink(*row) if row else None

    def put(self, link_id: LinkId, number: QueueNumber, sealed: bytes, expires: float) -> None:
        self._execute(
            "INSERT INTO links (queue, link_id, expires, sealed) VALUES (?, ?, ?, ?)",
            (number, link_id, expires, sealed),
        )

    def remove(self, number: QueueNumber) -> None:
        self._execute("DELETE FROM links WHERE queue = ?", (number,))

    def expire(self, service: float, limit: int) -> int:
        return self._execute(
            "DELETE FROM links WHERE queue IN (SELECT queue FROM links WHERE expires <= ? ORDER BY expires LIMIT ?)",
            (service, limit),
        ).rowcount

    def next_expiry(self) -> float | None:
        row = self._execute("SELECT min(expires) FROM links").fetchone()
        return None if row[0] is None else float(row[0])


class SqlEntries:
    """`protocol.store.Entries`."""

    def __init__(self, transaction: SqlRelayTransaction) -> None:
        self._transaction = transaction
        self._execute = transaction.execute

    def append(self, number: QueueNumber, body: bytes, service: float, counted: bool) -> Sequence:
        queue = self._transaction.queue(number)
        sequence = queue.sequence + 1
        assert sequence < _SEQUENCES
        self._execute(
            "INSERT INTO entries (place, service, counted, body) VALUES (?, ?, ?, ?)",
            (number * _SEQUENCES + sequence, service, counted, body),
        )
        self._count(queue, 1, counted, sequence)
        return Sequence(sequence)

    def after(self, number: QueueNumber, sequence: int, limit: int) -> Rows[Entry]:
        known = self._transaction.known.get(number)
        if known is not None and known.sequence <= sequence:
            return []
        first = number * _SEQUENCES
        rows = self._execute(
            "SELECT place, body FROM entries WHERE place > ? AND place < ? ORDER BY place LIMIT ?",
            (first + min(sequence, _SEQUENCES), first + _SEQUENCES, limit),
        )
        return [Entry(Sequence(place - first), body) for place, body in rows]

    def remove(self, number: QueueNumber, sequence: Sequence) -> bool:
        if sequence >= _SEQUENCES:  # a peer's number: it must not reach into another queue's places
            return False
        rows = self._execute(
            "DELETE FROM entries WHERE place = ? RETURNING counted", (number * _SEQUENCES + sequence,)
        ).fetchall()
        for (counted,) in rows:
            self._count(self._transaction.queue(number), -1, counted)
        return bool(rows)

    def expire(self, until: float, limit: int) -> int:
        rows = self._execute("SELECT id, place, service, counted FROM entries ORDER BY id LIMIT ?", (limit,)).fetchall()
        past = [row for row in rows if row[2] <= until]
        for entry, place, _, counted in past:
            self._execute("DELETE FROM entries WHERE id = ?", (entry,))
            self._count(self._transaction.queue(QueueNumber(place // _SEQUENCES)), -1, counted)
        return len(past)

    def oldest(self) -> float | None:
        row = self._execute("SELECT service FROM entries ORDER BY id LIMIT 1").fetchone()
        return float(row[0]) if row else None

    def _count(self, queue: Queue, by: int, counted: bool, sequence: int | None = None) -> None:
        self._transaction.change(
            Queue(  # by hand: `replace` takes 2 µs of every deposit
                queue.number,
                queue.receive_id,
                queue.recipient_key,
                queue.send_id,
                queue.claim_key,
                queue.sender_key,
                stored=queue.stored + by if counted else queue.stored,
                markers=queue.markers if counted else queue.markers + by,
                full=queue.full and not (counted and by > 0),
                sequence=sequence or queue.sequence,
            )
        )


class SqlDigests:
    """`protocol.store.Digests`; keeps the first 16 bytes of each."""

    def __init__(self, transaction: SqlRelayTransaction) -> None:
        self._transaction = transaction
        self._execute = transaction.execute

    def minute(self, number: QueueNumber, digest: Digest) -> Minute | None:
        row = self._execute(
            "SELECT minute FROM digests WHERE queue = ? AND digest = ?", (number, digest[:_KEPT_DIGEST_BYTES])
        ).fetchone()
        return row[0] if row else None

    def add(self, number: QueueNumber, digest: Digest, minute: Minute, service: float) -> Minute | None:
        # One statement where, as nearly always, it is new: looking first would search the same index twice.
        added = self._execute(
            "INSERT OR IGNORE INTO digests (queue, digest, minute, service) VALUES (?, ?, ?, ?)",
            (number, digest[:_KEPT_DIGEST_BYTES], minute, service),
        ).rowcount
        return None if added else self.minute(number, digest)

    def expire(self, until: float, limit: int) -> int:
        rows = self._execute("SELECT id, service FROM digests ORDER BY id LIMIT ?", (limit,)).fetchall()
        past = [number for number, service in rows if service <= until]
        if past:
            self._execute("DELETE FROM digests WHERE id <= ?", (past[-1],))
        return len(past)

    def oldest(self) -> float | None:
        row = self._execute("SELECT service FROM digests ORDER BY id LIMIT 1").fetchone()
        return float(row[0]) if row else None


class SqlCards:
    """`protocol.store.Cards`."""

    def __init__(self, transaction: SqlRelayTransaction) -> None:
        self._execute = transaction.execute

    def get(self, name: str) -> KeptCard | None:
        row = self._execute("SELECT identity, serial, expires, card FROM cards WHERE name = ?", (name,)).fetchone()
        return KeptCard(*row) if row else None

    def put(self, name: str, card: KeptCard) -> None:
        self._execute(
            "INSERT OR REPLACE INTO cards (name, identity, serial, expires, card) VALUES (?, ?, ?, ?, ?)",
            (name, card.identity, card.serial, card.expires, card.card),
        )

    def count(self) -> int:
        return int(self._execute("SELECT count(*) FROM cards").fetchone()[0])

    def expire(self, service: float, limit: int) -> int:
        return self._execute(
            "DELETE FROM cards WHERE name IN (SELECT name FROM cards WHERE expires <= ? ORDER BY expires LIMIT ?)",
            (service, limit),
        ).rowcount

    def next_expiry(self) -> float | None:
        row = self._execute("SELECT min(expires) FROM cards").fetchone()
        return None if row[0] is None else float(row[0])


class SqlOnionKeys:
    """`protocol.store.OnionKeys`."""

    def __init__(self, transaction: SqlRelayTransaction) -> None:
        self._execute = transaction.execute

    def all(self) -> Rows[OnionKey]:
        return [OnionKey(*row) for row in self._execute("SELECT epoch, private, since FROM onion_keys")]

    def add(self, key: OnionKey) -> None:
        values = (key.epoch, key.private, key.since)
        self._execute("INSERT OR REPLACE INTO onion_keys (epoch, private, since) VALUES (?, ?, ?)", values)

    def remove(self, epoch: int) -> None:
        self._execute("DELETE FROM onion_keys WHERE epoch = ?", (epoch,))
