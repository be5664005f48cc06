"""What a person's node keeps (Spec 6 §2), in one encrypted SQLite file (SQLCipher, raw key).

Deleted pages are overwritten (`secure_delete`), and the write-ahead log is cut back at each close.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from node.store.database import (
    CLOCK_TABLE,
    Schema,
    WriteAheadLog,
    open_database,
    save_service,
    service_offset,
    store_error,
)
from node.store.table import MOST_KNOWN, SqlTable
from node.store.transaction import SqlTransaction
from protocol.keys import MessageId, RelayKey
from protocol.mailbox import (
    Change,
    Contact,
    Head,
    HostTrouble,
    Joining,
    Message,
    OutgoingItem,
    OwnInvitation,
    OwnQueue,
    OwnRelay,
    Pair,
    Partial,
    PeerRoute,
    Profile,
    RouteState,
    SealedEnvelope,
    Seen,
    Session,
    Skipped,
    UnderWay,
)
from protocol.relays.kept import FollowedList, OwnCard, RelayHealth

SCHEMA = Schema(
    name="mailbox",
    application_id=0x4B53_424D,  # "KSBM"
    steps=(
        (
            CLOCK_TABLE,
            """CREATE TABLE profile (id INTEGER PRIMARY KEY, signing BLOB NOT NULL, dh BLOB NOT NULL,
                identity BLOB NOT NULL, name TEXT NOT NULL, relays BLOB NOT NULL)""",
            """CREATE TABLE queues (id INTEGER PRIMARY KEY AUTOINCREMENT, contact INTEGER, invitation INTEGER,
                position INTEGER NOT NULL, host TEXT NOT NULL, relay BLOB NOT NULL, direct INTEGER NOT NULL,
                key BLOB NOT NULL, receive_id BLOB NOT NULL, send_id BLOB NOT NULL, claim_seed BLOB NOT NULL,
                state INTEGER NOT NULL, sealed BLOB, claimed_by BLOB, drop_at REAL)""",
            "CREATE INDEX queues_contact ON queues (contact)",
            "CREATE INDEX queues_invitation ON queues (invitation)",
            "CREATE INDEX queues_relay ON queues (relay)",
            """CREATE TABLE invitations (id INTEGER PRIMARY KEY AUTOINCREMENT, state INTEGER NOT NULL, secret BLOB,
                dh BLOB, kem BLOB, encoded BLOB NOT NULL, created REAL NOT NULL, expires INTEGER NOT NULL,
                drop_at REAL NOT NULL,
                claimed_minute INTEGER, name TEXT)""",
            """CREATE TABLE joining (id INTEGER PRIMARY KEY AUTOINCREMENT, secret BLOB NOT NULL, encoded BLOB,
                name TEXT, candidates BLOB NOT NULL)""",
            """CREATE TABLE contacts (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,
                name_given INTEGER NOT NULL, identity BLOB NOT NULL, state INTEGER NOT NULL, inviter INTEGER NOT NULL,
                verified INTEGER NOT NULL, reset BLOB NOT NULL, discovery BLOB NOT NULL,
                own_routes_version INTEGER NOT NULL, peer_routes_version INTEGER NOT NULL,
                peer_floor INTEGER NOT NULL, peer_total INTEGER NOT NULL, seen_change INTEGER NOT NULL,
                unread INTEGER NOT NULL, height INTEGER NOT NULL, last_own BLOB)""",
            "CREATE TABLE sessions (contact INTEGER PRIMARY KEY, ratchet BLOB NOT NULL)",
            """CREATE TABLE routes (id INTEGER PRIMARY KEY AUTOINCREMENT, contact INTEGER NOT NULL,
                position INTEGER NOT NULL, host TEXT NOT NULL, relay BLOB NOT NULL, direct INTEGER NOT NULL,
                send_id BLOB NOT NULL, claim_seed BLOB NOT NULL, key BLOB NOT NULL, state INTEGER NOT NULL,
                retry_at REAL NOT NULL, failures INTEGER NOT NULL, refused_since REAL)""",
            "CREATE INDEX routes_contact ON routes (contact)",
            "CREATE INDEX routes_relay ON routes (relay)",
            """CREATE TABLE items (id INTEGER PRIMARY KEY AUTOINCREMENT, contact INTEGER NOT NULL,
                kind INTEGER NOT NULL, message_id BLOB, "index" INTEGER NOT NULL, due REAL NOT NULL, sealed INTEGER,
                stored INTEGER NOT NULL, arrived INTEGER NOT NULL)""",
            "CREATE INDEX items_contact ON items (contact, message_id)",
            "CREATE INDEX items_sealed ON items (sealed) WHERE sealed IS NOT NULL",
            "CREATE INDEX items_waiting ON items (contact, due) WHERE sealed IS NULL AND arrived = 0",
            """CREATE TABLE envelopes (id INTEGER PRIMARY KEY AUTOINCREMENT, contact INTEGER NOT NULL,
                route INTEGER NOT NULL, "index" INTEGER NOT NULL, envelope BLOB NOT NULL,
                stored_minute INTEGER, stored_at REAL)""",
            'CREATE INDEX envelopes_contact ON envelopes (contact, "index")',
            "CREATE INDEX envelopes_route ON envelopes (route)",
            "CREATE INDEX envelopes_stored ON envelopes (stored_at) WHERE stored_at IS NOT NULL",
            """CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, contact INTEGER NOT NULL,
                message_id BLOB NOT NULL, mine INTEGER NOT NULL, text TEXT NOT NULL, parents BLOB NOT NULL,
                minute INTEGER NOT NULL, height INTEGER NOT NULL, state INTEGER NOT NULL, change INTEGER,
                show_at REAL, missing_parent INTEGER NOT NULL, resent INTEGER NOT NULL)""",
            "CREATE UNIQUE INDEX messages_name ON messages (contact, message_id)",
            "CREATE INDEX messages_change ON messages (contact, change)",
            "CREATE INDEX messages_order ON messages (contact, height, message_id) WHERE change IS NOT NULL",
            "CREATE INDEX messages_hidden ON messages (contact) WHERE change IS NULL",
            "CREATE INDEX messages_show ON messages (show_at) WHERE show_at IS NOT NULL",
            """CREATE TABLE heads (contact INTEGER NOT NULL, message_id BLOB NOT NULL, mine INTEGER NOT NULL,
                PRIMARY KEY (contact, message_id)) WITHOUT ROWID""",
            """CREATE TABLE partials (contact INTEGER NOT NULL, message_id BLOB NOT NULL, "index" INTEGER NOT NULL,
                count INTEGER NOT NULL, chunk BLOB NOT NULL, at REAL NOT NULL,
                PRIMARY KEY (contact, message_id, "index"))""",
            """CREATE TABLE skipped (contact INTEGER NOT NULL, turn INTEGER NOT NULL, number INTEGER NOT NULL,
                "index" INTEGER NOT NULL, key BLOB NOT NULL, at REAL NOT NULL,
                PRIMARY KEY (contact, turn, number)) WITHOUT ROWID""",
            """CREATE TABLE seen (contact INTEGER NOT NULL, turn INTEGER NOT NULL, number INTEGER NOT NULL,
                digest BLOB NOT NULL, at REAL NOT NULL, PRIMARY KEY (contact, turn, number)) WITHOUT ROWID""",
            "CREATE INDEX seen_at ON seen (at)",
            "CREATE TABLE troubles (relay BLOB PRIMARY KEY, since REAL NOT NULL) WITHOUT ROWID",
            """CREATE TABLE changes (number INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL,
                row INTEGER NOT NULL, state INTEGER NOT NULL)""",
        ),
        (
            "CREATE INDEX envelopes_unstored ON envelopes (route) WHERE stored_at IS NULL",
            "CREATE INDEX messages_missing ON messages (contact) WHERE missing_parent = 1",
        ),
        (
            """CREATE TABLE pairs (contact INTEGER PRIMARY KEY, features INTEGER NOT NULL, told INTEGER NOT NULL,
                own BLOB, own_before BLOB, own_version INTEGER NOT NULL, own_since REAL NOT NULL,
                theirs BLOB, theirs_before BLOB, theirs_version INTEGER NOT NULL)""",
        ),
        (
            """CREATE TABLE relay_lists (id INTEGER PRIMARY KEY AUTOINCREMENT, publisher BLOB NOT NULL,
                serial INTEGER NOT NULL, digest BLOB NOT NULL, encoded BLOB NOT NULL, host TEXT, relay BLOB)""",
            """CREATE TABLE relay_health (relay BLOB PRIMARY KEY, connect_seconds REAL NOT NULL,
                sessions INTEGER NOT NULL, failures INTEGER NOT NULL, kept INTEGER NOT NULL, missed INTEGER NOT NULL)
                WITHOUT ROWID""",
        ),
        (
            "ALTER TABLE troubles RENAME TO troubles_of_hosts",
            # The key's columns first: elsewhere, SQLite 3.40's integrity check takes one of them for another.
            """CREATE TABLE troubles (relay BLOB NOT NULL, "group" INTEGER NOT NULL, since REAL NOT NULL,
                PRIMARY KEY (relay, "group")) WITHOUT ROWID""",
            'INSERT INTO troubles (relay, "group", since) SELECT relay, 0, since FROM troubles_of_hosts',
            "DROP TABLE troubles_of_hosts",
        ),
        (
            "ALTER TABLE relay_health ADD COLUMN loops_returned INTEGER NOT NULL DEFAULT 0",
            "ALTER TABLE relay_health ADD COLUMN loops_lost INTEGER NOT NULL DEFAULT 0",
            "ALTER TABLE relay_health ADD COLUMN missing_stored REAL NOT NULL DEFAULT 0",
            "ALTER TABLE relay_health ADD COLUMN missing_forwarded REAL NOT NULL DEFAULT 0",
        ),
        (
            """CREATE TABLE cards (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, host TEXT NOT NULL,
                relay BLOB NOT NULL, serial INTEGER NOT NULL, expires INTEGER NOT NULL, links BLOB NOT NULL,
                brought INTEGER NOT NULL)""",
            "ALTER TABLE joining ADD COLUMN identity BLOB",
        ),
    ),
    secure_delete="ON",
)

_WAITING = "sealed IS NULL AND arrived = 0"
_UNDER_WAY = 'SELECT id, contact, route, "index", stored_at FROM envelopes'


class SqlOwnQueues(SqlTable[OwnQueue]):
    """Spec 6 §3."""

    def hosts(self) -> list[OwnRelay]:
        """Where these queues are, each once, as the newest queue there names it."""
        newest = "SELECT max(id) FROM queues GROUP BY relay"
        rows = self.read_known(f"{self.select} WHERE id IN ({newest}) ORDER BY id")
        return [OwnRelay(row.host, row.relay, row.direct) for row in rows]


class SqlOutgoingItems(SqlTable[OutgoingItem]):
    """Spec 6 §4."""

    def waiting(self, contact: int, service: float, limit: int) -> list[OutgoingItem]:
        """What is due first; otherwise in the order in which it came to wait."""
        statement = f"{self.select} WHERE contact = ? AND {_WAITING} ORDER BY due > ?, id LIMIT ?"
        return self.read_all(statement, (contact, service, limit))

    def is_due(self, contact: int, service: float) -> bool:
        """Whether something must be sent now."""
        earliest = self.scalar(f"SELECT min(due) FROM items WHERE contact = ? AND {_WAITING}", (contact,))
        return earliest is not None and earliest <= service

    def due_contacts(self, service: float) -> list[int]:
        """In the order of their numbers."""
        statement = f"SELECT DISTINCT contact FROM items WHERE due <= ? AND {_WAITING} ORDER BY contact"
        return [row[0] for row in self.connection.execute(statement, (service,))]

    def next_due(self, after: float | None = None) -> float | None:
        """The earliest time (after `after`) at which something must be sent."""
        statement = f"SELECT min(due) FROM items WHERE due > ? AND {_WAITING}"
        found: float | None = self.scalar(statement, (-1.0 if after is None else after,))
        return found

    def all_stored(self, contact: int, message_id: MessageId) -> bool:
        """Whether every fragment of a message has been in a relay's custody."""
        statement = "SELECT 1 FROM items WHERE contact = ? AND message_id = ? AND kind = 1 AND stored = 0 LIMIT 1"
        return self.scalar(statement, (contact, message_id)) is None


class SqlSealedEnvelopes(SqlTable[SealedEnvelope]):
    """Spec 6 §4."""

    def lowest_index(self, contact: int) -> int | None:
        """Of those that are under way."""
        statement = 'SELECT min("index") FROM envelopes WHERE contact = ?'
        found: int | None = self.scalar(statement, (contact,))
        return found

    def brief(self, number: int) -> UnderWay | None:
        """Without its bytes."""
        row = self.connection.execute(f"{_UNDER_WAY} WHERE id = ?", (number,)).fetchone()
        return UnderWay(*row) if row is not None else None

    def below(self, contact: int, total: int) -> list[UnderWay]:
        """In the order of their indexes."""
        statement = f'{_UNDER_WAY} WHERE contact = ? AND "index" < ? ORDER BY "index"'
        return [UnderWay(*row) for row in self.connection.execute(statement, (contact, total))]

    def any_unstored(self) -> bool:
        """From an index that holds only these."""
        return self.scalar("SELECT 1 FROM envelopes WHERE stored_at IS NULL LIMIT 1") is not None

    def unstored(self, relay: RelayKey, service: float, limit: int, contact: int | None = None) -> list[SealedEnvelope]:
        """Deposits at a host that nobody answered, on routes that may be used now, oldest first."""
        routes = f"SELECT id FROM routes WHERE relay = ? AND state = {RouteState.CLAIMED.value} AND retry_at <= ?"
        values: list[object] = [relay, service, limit]
        if contact is not None:
            routes += " AND contact = ?"
            values.insert(2, contact)
        statement = f"{self.select} WHERE stored_at IS NULL AND route IN ({routes}) ORDER BY id LIMIT ?"
        return self.read_all(statement, values)

    def stored_before(self, service: float, limit: int) -> list[UnderWay]:
        """Custody older than this, oldest first."""
        statement = f"{_UNDER_WAY} WHERE stored_at < ? ORDER BY stored_at LIMIT ?"
        return [UnderWay(*row) for row in self.connection.execute(statement, (service, limit))]


class SqlMessages(SqlTable[Message]):
    """Spec 6 §6."""

    def __init__(self, connection: sqlite3.Connection, name: str, record: type[Message], key: Sequence[str]) -> None:
        super().__init__(connection, name, record, key)
        self._numbers: dict[tuple[int, MessageId], int | None] = {}

    def add(self, record: Message) -> int:
        """A name that was looked for in vain is there now."""
        number = self._numbers[record.contact, record.message_id] = super().add(record)
        return number

    def save(self, record: Message) -> None:
        """It may have another name than what it replaces."""
        super().save(record)
        self._numbers.clear()

    def by_id(self, contact: int, message_id: MessageId) -> Message | None:
        """The message of this name."""
        name = contact, message_id
        if name in self._numbers:
            number = self._numbers[name]
            return self.get(number) if number is not None else None
        if len(self._numbers) >= MOST_KNOWN:
            self._numbers.clear()
        found = self.read_all(f"{self.select} WHERE contact = ? AND message_id = ?", name)
        self._numbers[name] = found[0].id if found else None
        return self.know(found[0].id, record=found[0]) if found else None

    def forget(self) -> None:
        """Numbers, too."""
        super().forget()
        self._numbers.clear()

    def unread(self, contact: int, after: int) -> int:
        """Walks only what is above `after`."""
        statement = "SELECT count(*) FROM messages WHERE contact = ? AND change > ? AND mine = 0"
        return int(self.connection.execute(statement, (contact, after)).fetchone()[0])

    def hidden(self, contact: int) -> list[Message]:
        """In the order in which they came."""
        return self.read_all(f"{self.select} WHERE contact = ? AND change IS NULL ORDER BY id", (contact,))

    def missing_parents(self, contact: int) -> list[Message]:
        """In the order of their numbers; few, from an index of their own."""
        return self.read_all(f"{self.select} WHERE contact = ? AND missing_parent = 1 ORDER BY id", (contact,))

    def shown_from(self, contact: int, change: int) -> list[Message]:
        """In the order in which they were shown."""
        return self.read_all(f"{self.select} WHERE contact = ? AND change >= ? ORDER BY change", (contact, change))

    def next_show(self) -> float | None:
        """When the next hidden one is shown all the same."""
        found: float | None = self.scalar("SELECT min(show_at) FROM messages WHERE show_at IS NOT NULL")
        return found

    def overdue(self, service: float) -> list[Message]:
        """In the order in which they came."""
        first = self.next_show()
        if first is None or first > service:
            return []
        return self.read_all(f"{self.select} WHERE show_at <= ? ORDER BY id", (service,))


class SqlSkippedKeys(SqlTable[Skipped]):
    """Spec 4 §5."""

    def missing(self, contact: int, floor: int, limit: int) -> list[int]:
        """In ascending order."""
        highest = self.scalar('SELECT max("index") FROM skipped WHERE contact = ?', (contact,))
        if highest is None or highest < floor:
            return []
        statement = 'SELECT "index" FROM skipped WHERE contact = ? AND "index" >= ? ORDER BY "index" LIMIT ?'
        return [row[0] for row in self.connection.execute(statement, (contact, floor, limit))]


class MailboxTransaction(SqlTransaction):
    """`protocol.mailbox.PersonalTransaction` on SQLite."""

    def __init__(self, connection: sqlite3.Connection, writes: bool = True) -> None:
        super().__init__(connection, writes)
        self.profile = SqlTable(connection, "profile", Profile, ("id",))
        self.queues = SqlOwnQueues(connection, "queues", OwnQueue, ("id",))
        self.invitations = SqlTable(connection, "invitations", OwnInvitation, ("id",))
        self.joining = SqlTable(connection, "joining", Joining, ("id",))
        self.contacts = SqlTable(connection, "contacts", Contact, ("id",))
        self.sessions = SqlTable(connection, "sessions", Session, ("contact",))
        self.pairs = SqlTable(connection, "pairs", Pair, ("contact",))
        self.routes = SqlTable(connection, "routes", PeerRoute, ("id",))
        self.items = SqlOutgoingItems(connection, "items", OutgoingItem, ("id",))
        self.envelopes = SqlSealedEnvelopes(connection, "envelopes", SealedEnvelope, ("id",))
        self.messages = SqlMessages(connection, "messages", Message, ("id",))
        self.heads = SqlTable(connection, "heads", Head, ("contact", "message_id"))
        self.partials = SqlTable(connection, "partials", Partial, ("contact", "message_id", "index"))
        self.skipped = SqlSkippedKeys(connection, "skipped", Skipped, ("contact", "turn", "number"))
        self.seen = SqlTable(connection, "seen", Seen, ("contact", "turn", "number"))
        self.troubles = SqlTable(connection, "troubles", HostTrouble, ("relay", "group"))
        self.relay_lists = SqlTable(connection, "relay_lists", FollowedList, ("id",))
        self.cards = SqlTable(connection, "cards", OwnCard, ("id",))
        self.relay_health = SqlTable(connection, "relay_health", RelayHealth, ("relay",))
        self.changes = SqlTable(connection, "changes", Change, ("number",))
        self._tables = [table for table in vars(self).values() if isinstance(table, SqlTable)]
        self._changes = -1
        """How many rows the connection had changed when what is remembered was true."""

    def __enter__(self) -> Self:
        if self.connection.total_changes != self._changes:  # somebody has written beside this transaction
            self._forget_all()
        return super().__enter__()

    def after_end(self, committed: bool) -> None:
        if not committed:
            self._forget_all()
        self._changes = self.connection.total_changes

    def undo(self, mark: object) -> None:  # noqa: ARG002 - nothing was gathered but what can be read again
        self._forget_all()

    def _forget_all(self) -> None:
        for table in self._tables:
            table.forget()

    def forget(self, before: float) -> None:
        """Skipped keys, digests and partial contents from before this service time."""
        for table in ("skipped", "seen", "partials"):
            self.connection.execute(f"DELETE FROM {table} WHERE at < ?", (before,))
        for timed in (self.skipped, self.seen, self.partials):
            timed.forget()


class MailboxStore:
    """Owned by one thread. Raises as `node.store.database.open_database` does."""

    def __init__(self, path: Path, key: bytes | None) -> None:
        self._serve(open_database(path, SCHEMA, key))

    @classmethod
    def over(cls, connection: sqlite3.Connection) -> Self:
        """On a connection that is open and has the schema."""
        store = cls.__new__(cls)
        store._serve(connection)
        return store

    def _serve(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._log = WriteAheadLog(connection)
        self._writing = MailboxTransaction(connection)
        self._reading = MailboxTransaction(connection, writes=False)

    def transaction(self) -> MailboxTransaction:
        """For a step that may write."""
        return self._writing

    def read(self) -> MailboxTransaction:
        """For a step that only reads."""
        return self._reading

    def service_offset(self) -> float:
        """Where the service clock goes on."""
        return service_offset(self.connection)

    def save_service(self, service: float) -> None:
        """Never goes back."""
        save_service(self.connection, service)

    def fold_log(self) -> None:
        """If it is worth it; outside of a transaction. Raises DiskBrokenError."""
        self._log.fold()

    def close(self) -> None:
        """With the write-ahead log emptied. Raises StoreError where the disk does not let it; closed all the same."""
        try:
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except Exception as error:
            raise store_error(error) or error from error
        finally:
            self.connection.close()
