"""Mailbox: a million messages with 300 contacts, encrypted (SQLCipher, `synchronous=FULL`); wall time, core idle

Cold is a fresh connection, with the key and the first pages to be read; the system's file cache is as it is.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from node.store.database import open_reader
from node.store.mailbox import SCHEMA, MailboxStore
from node.store.reader import MailboxReader
from protocol.events import Now, Requested
from protocol.mailbox import MessageState
from protocol.operations import SendText
from tests.benchmarks import floors
from tests.benchmarks.table import Row
from tests.protocol.machines.world import START, Person, World

CONTACTS = 300
MESSAGES = 1_000_000
SENT = 400
SHAPE = "1,000,000 messages, 300 contacts"
_WORDS = ("left at the station with the grey umbrella and a list of names that nobody may read " * 4).encode()


def _fill(store: MailboxStore) -> None:
    """Rows such as conversations leave, most of contact 1's among the oldest."""
    store.connection.execute("BEGIN")
    for contact in range(2, CONTACTS + 1):
        store.connection.execute(
            f"""INSERT INTO contacts
                SELECT {contact}, 'contact {contact}', 1, randomblob(64), state, inviter, verified,
                reset, discovery, own_routes_version, peer_routes_version, peer_floor, peer_total, 0, 0, height,
                last_own
                FROM contacts WHERE id = 1"""
        )
    store.connection.executemany(
        "INSERT INTO changes (number, kind, row, state) VALUES (?, 1, ?, ?)",
        ((number, number, MessageState.RECEIVED) for number in range(1_000, 1_000 + MESSAGES)),
    )
    store.connection.executemany("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, 0, 0)", _rows())
    store.connection.execute("COMMIT")
    store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _rows() -> Iterator[tuple[object, ...]]:
    for number in range(1_000, 1_000 + MESSAGES):
        mine = number % 2
        text = _WORDS[number % 90 : number % 90 + 40 + number % 87].decode()
        state = MessageState.DELIVERED if mine else MessageState.RECEIVED
        yield number, 1 + number % CONTACTS, os.urandom(16), mine, text, b"", 29_000_000, number, state, number


def _sending(alice: Person) -> list[float]:
    """Seconds from the request to its commit, sealed for an open route and ready to go."""
    took = []
    for number in range(SENT):
        assert alice.core is not None
        begun = time.perf_counter()
        alice.core.step([Requested(10**6 + number, SendText(1, f"text {number}"))], _now(alice))
        took.append(time.perf_counter() - begun)
        if number % 40 == 39:
            alice.world.run(5)
    return took


def _now(alice: Person) -> Now:
    return Now(alice.service(), START + alice.world.time)


def _cold_conversation(path: Path, key: bytes) -> tuple[float, float]:
    begun = time.perf_counter()
    reader = MailboxReader(path, key)
    rows = reader.latest(1 + os.getpid() % CONTACTS, 50)
    opened = time.perf_counter()
    assert len(rows) == 50
    assert len(reader.contacts()) == CONTACTS
    listed = time.perf_counter()
    reader.close()
    return opened - begun, listed - opened


def _bare_conversation(path: Path, key: bytes) -> float:
    """Seconds for the same fifty rows, found by their numbers: the file, the key, and the pages that they lie on."""
    begun = time.perf_counter()
    connection = open_reader(path, SCHEMA, key)
    for number in range(50):
        row = connection.execute("SELECT * FROM messages WHERE id = ?", (1_000 + MESSAGES // 2 + number * CONTACTS,))
        assert row.fetchone() is not None
    took = time.perf_counter() - begun
    connection.close()
    return took


def measure(full: bool, only: str) -> list[Row]:
    """About a minute; `full` changes nothing."""
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory))
        world.mailbox_key = os.urandom(32)
        relays = world.relay("first"), world.relay("second")
        alice, bob = world.person("alice"), world.person("bob")
        alice.use(*relays)
        bob.use(*relays)
        world.introduce(alice, bob)
        alice.crash()
        store = MailboxStore(alice.path, world.mailbox_key)
        begun = time.perf_counter()
        _fill(store)
        filled = time.perf_counter() - begun
        store.close()
        cold = [_cold_conversation(alice.path, world.mailbox_key) for _ in range(20)]
        bare = [_bare_conversation(alice.path, world.mailbox_key) for _ in range(20)]
        alice.boot()
        world.run(5)
        sending = _sending(alice)
        size = alice.path.stat().st_size
        commits = floors.mailbox_commit_milliseconds()
    rows = [
        Row("bulk insert", SHAPE, filled / MESSAGES * 1e6, "µs a message"),
        Row("disk", SHAPE, size / MESSAGES, "bytes a message"),
        Row("floor: open, fifty rows by number, worst of 20", SHAPE, max(bare) * 1e3, "ms"),
        Row("open a conversation, cold, worst of 20", SHAPE, max(opened for opened, _ in cold) * 1e3, "ms", most=10),
        Row("list all contacts, worst of 20", SHAPE, max(listed for _, listed in cold) * 1e3, "ms"),
        Row("floor: the rows of a send, committed, p50", "an empty mailbox", statistics.median(commits), "ms"),
        Row("floor: the rows of a send, committed, p99", "an empty mailbox", floors.p99(commits), "ms"),
        Row("send p50", SHAPE, statistics.median(sending) * 1e3, "ms"),
        Row("send p99", SHAPE, statistics.quantiles(sending, n=100)[98] * 1e3, "ms", most=15),
    ]
    return [row for row in rows if only in row.name]
