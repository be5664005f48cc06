"""What the libraries alone take for one deposit or one message: the same sizes and statements, and nothing around them.

No program in Python on these libraries can be cheaper; it can only do more of them at once.
"""

import hashlib
import os
import socket
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from msgspec import msgpack
from nacl import bindings as sodium
from wsproto.frame_protocol import XorMaskerSimple

from node.store.database import Schema, open_database
from node.store.mailbox import SCHEMA as MAILBOX
from node.store.relay import SCHEMA as RELAY
from protocol.keys import Request
from protocol.limits import (
    ENVELOPE_BYTES,
    FRAME_SLOTS,
    MAX_COMMANDS_PER_BATCH,
    MAX_EVENTS_PER_CONNECTION_IN_BATCH,
    NOISE_TAG_BYTES,
    SLOT_BYTES,
)
from protocol.wire.commands import Deposit, Stored, ToRelay
from tests.benchmarks.reference import microseconds

_COMMITS = 100


class DepositFloor(NamedTuple):
    """CPU µs of one deposit, by what takes it."""

    frame: float
    """Its share of a frame: unmasked, decrypted, decoded and encoded again, digested."""
    rows: float
    """Its rows in SQLite and its share of a commit with `synchronous=FULL`."""
    reply: float
    """Its share of a reply: encoded, signed, encrypted."""
    socket: float
    """Its share of one `recv` and one `send` on a TCP connection of this machine."""

    @property
    def total(self) -> float:
        return sum(self)


def deposit(connections: int, window: int, per_frame: int) -> DepositFloor:
    """As many deposits in a batch, and in a reply, as this load lets the relay take at once."""
    frames = min(window, MAX_EVENTS_PER_CONNECTION_IN_BATCH)
    batch = max(1, min(MAX_COMMANDS_PER_BATCH, connections * frames * per_frame))
    replied = max(1, min(batch // min(connections, batch), frames * per_frame))
    length = _frame_bytes(per_frame)
    return DepositFloor(
        frame=microseconds(_taking_in(per_frame, length)) / per_frame,
        rows=_rows(batch),
        reply=microseconds(_replying(replied)) / replied,
        socket=_sockets(length, per_frame, replied),
    )


def _frame_bytes(envelopes: int) -> int:
    return next(slots * SLOT_BYTES for slots in FRAME_SLOTS if slots * SLOT_BYTES >= envelopes * (ENVELOPE_BYTES + 20))


def _taking_in(envelopes: int, length: int) -> Callable[[], None]:
    cipher, nonce = ChaCha20Poly1305(os.urandom(32)), bytes(12)
    sent = [Deposit(Request(number), os.urandom(ENVELOPE_BYTES)) for number in range(envelopes)]
    encode, decode = msgpack.Encoder().encode, msgpack.Decoder(list[ToRelay]).decode
    encoded = encode(sent)
    sealed = bytearray(cipher.encrypt(nonce, encoded.ljust(length - NOISE_TAG_BYTES, b"\0"), None))
    masker = XorMaskerSimple(b"\0\0\0\0")

    def take_in() -> None:
        masker.process(sealed)
        plaintext = cipher.decrypt(nonce, sealed, None)
        encode(decode(memoryview(plaintext)[: len(encoded)]))
        for command in sent:
            hashlib.blake2b(command.envelope, digest_size=32).digest()

    return take_in


def _replying(deposits: int) -> Callable[[], None]:
    cipher, nonce = ChaCha20Poly1305(os.urandom(32)), bytes(12)
    signing, digest = sodium.crypto_sign_seed_keypair(os.urandom(32))[1], os.urandom(32)
    stored, encode = [Stored(Request(number)) for number in range(deposits)], msgpack.Encoder().encode

    def reply() -> None:
        encoded = encode(stored)
        signature = sodium.crypto_sign(hashlib.blake2b(digest * deposits, digest_size=32).digest(), signing)[:64]
        cipher.encrypt(nonce, (encoded + signature).ljust(SLOT_BYTES - NOISE_TAG_BYTES, b"\0"), None)

    return reply


@contextmanager
def _database(schema: Schema, key: bytes | None = None) -> Iterator[sqlite3.Connection]:
    with tempfile.TemporaryDirectory(prefix="kassiber-") as directory:
        connection = open_database(Path(directory) / "floor.db", schema, key)
        yield connection
        connection.close()


def _rows(batch: int) -> float:
    """CPU µs of one deposit's rows, in commits of `batch`, checkpoints included."""
    body = os.urandom(ENVELOPE_BYTES)
    with _database(RELAY) as connection:
        begun = time.thread_time()
        commits = max(10, 4_000 // batch)
        for commit in range(commits):
            _commit_deposits(connection, range(commit * batch, (commit + 1) * batch), body)
        return (time.thread_time() - begun) / (commits * batch) * 1e6


def _commit_deposits(connection: sqlite3.Connection, numbers: Sequence[int], body: bytes) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        "INSERT INTO digests (queue, digest, minute, service) VALUES (?, ?, 0, 0.0)",
        ((number % 16, os.urandom(16)) for number in numbers),
    )
    connection.executemany(
        "INSERT INTO entries (place, service, counted, body) VALUES (?, 0.0, 1, ?)",
        ((number % 16 << 32 | number, body) for number in numbers),
    )
    connection.execute("COMMIT")


def _sockets(length: int, per_frame: int, replied: int) -> float:
    """CPU µs of one deposit; the client's halves are not counted."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        relay, _ = server.accept()
    frame, reply, taken = bytes(length), bytes(SLOT_BYTES), [0.0, 0.0]
    rounds = 300
    with client, relay:
        for _ in range(rounds):
            client.sendall(frame)
            begun, left = time.thread_time(), length
            while left:
                left -= len(relay.recv(65_536))
            taken[0] += time.thread_time() - begun
            begun = time.thread_time()
            relay.sendall(reply)
            taken[1] += time.thread_time() - begun
            left = SLOT_BYTES
            while left:
                left -= len(client.recv(65_536))
    return (taken[0] / per_frame + taken[1] / replied) / rounds * 1e6


def sync_milliseconds() -> list[float]:
    """Of 4 KiB written and synchronised, again and again."""

    def write() -> None:
        os.pwrite(file.fileno(), bytes(4_096), 0)
        os.fdatasync(file.fileno())

    with tempfile.TemporaryFile(prefix="kassiber-") as file:
        return _times(write)


def relay_commit_milliseconds() -> list[float]:
    """Of one deposit's rows, committed alone."""
    body, numbers = os.urandom(ENVELOPE_BYTES), iter(range(_COMMITS))
    with _database(RELAY) as connection:
        return _times(lambda: _commit_deposits(connection, (next(numbers),), body))


def mailbox_commit_milliseconds() -> list[float]:
    """Of a message, the session that sealed it and its envelope, in SQLCipher."""
    ratchet, numbers = os.urandom(3_675), iter(range(_COMMITS))

    def commit() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT OR REPLACE INTO sessions VALUES (1, ?)", (ratchet,))
        connection.execute(
            "INSERT INTO messages VALUES (NULL, 1, ?, 1, 'a text of some length', x'', 0, 0, 1, ?, NULL, 0, 0)",
            (os.urandom(16), next(numbers)),
        )
        connection.execute("INSERT INTO envelopes VALUES (NULL, 1, 1, 0, ?, NULL, NULL)", (os.urandom(ENVELOPE_BYTES),))
        connection.execute("COMMIT")

    with _database(MAILBOX, os.urandom(32)) as connection:
        return _times(commit)


def _times(action: Callable[[], object]) -> list[float]:
    taken = []
    for _ in range(_COMMITS):
        begun = time.perf_counter()
        action()
        taken.append((time.perf_counter() - begun) * 1e3)
    return taken


def p99(taken: Sequence[float]) -> float:
    return statistics.quantiles(taken, n=100)[98]
