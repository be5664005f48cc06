"""Databases that are new, old, newer, foreign, damaged, locked away, or on a full disk."""

import errno
import os
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2 as sqlcipher

from node.store import ballast
from node.store.ballast import BALLAST_BYTES, Ballast
from node.store.database import (
    CHECKPOINT_CHANGES,
    Schema,
    WriteAheadLog,
    apply_key,
    open_database,
    open_reader,
    store_error,
)
from node.store.mailbox import MailboxStore
from node.store.relay import RelayStore
from node.store.transaction import SqlTransaction
from protocol.errors import CallerError, DiskBrokenError, DiskFullError, StoreError
from protocol.keys import ClaimKey, Digest, Minute, QueueNumber, ReceiveId, RecipientKey, SendId, Sequence
from protocol.limits import ENVELOPE_BYTES

SECTOR_BYTES = 512
KEY, OTHER_KEY = bytes(range(32)), bytes(32)
KEYS = pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
FIRST = Schema("test database", 0x4B53_5454, (("CREATE TABLE one (a)",),), "FAST")
SECOND = Schema(
    "test database", 0x4B53_5454, (*FIRST.steps, ("ALTER TABLE one ADD COLUMN b", "CREATE TABLE two (c)")), "FAST"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "test.db"


@KEYS
def test_a_new_file_is_for_its_owner_only_and_set_up_to_survive_a_crash(path: Path, key: bytes | None) -> None:
    connection = open_database(path, FIRST, key)
    assert path.stat().st_mode & 0o777 == 0o600
    settings = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "page_size", "user_version", "application_id", "secure_delete")
    }
    assert [str(value) for value in settings.values()] == ["wal", "2", "4096", "1", str(FIRST.application_id), "2"]
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


@KEYS
def test_garbage_where_the_first_page_was_being_folded_is_mended_from_the_log(path: Path, key: bytes | None) -> None:
    """The power fails in the middle of a checkpoint: the log is whole, and what it holds is half in the file."""
    connection = open_database(path, FIRST, key)
    connection.execute("INSERT INTO one VALUES (7)")
    found = path.with_name("found.db")
    for name in ("test.db", "test.db-wal"):
        shutil.copy(path.with_name(name), path.with_name(name.replace("test", "found")))
    with found.open("r+b") as file:
        file.write(os.urandom(SECTOR_BYTES))
    again = open_database(found, FIRST, key)
    assert again.execute("SELECT a FROM one").fetchall() == [(7,)]
    again.close()
    assert not found.with_name("found.db-wal").exists()
    assert open_database(found, FIRST, key).execute("SELECT a FROM one").fetchall() == [(7,)]


def test_a_file_with_a_salt_of_its_own_is_opened_as_ever(path: Path) -> None:
    old = sqlcipher.connect(path, isolation_level=None)
    apply_key(old, KEY, salt=b"")
    old.execute(f"PRAGMA application_id = {FIRST.application_id}")
    old.execute("PRAGMA user_version = 1")
    old.execute("CREATE TABLE one (a)")
    old.execute("INSERT INTO one VALUES (7)")
    old.close()
    for opened in (open_database(path, SECOND, KEY), open_reader(path, SECOND, KEY)):
        assert opened.execute("SELECT a FROM one").fetchall() == [(7,)]


@KEYS
def test_an_older_file_is_brought_up_to_date_and_keeps_its_rows(path: Path, key: bytes | None) -> None:
    connection = open_database(path, FIRST, key)
    connection.execute("INSERT INTO one VALUES (7)")
    connection.close()
    connection = open_database(path, SECOND, key)
    assert connection.execute("SELECT a, b FROM one").fetchall() == [(7, None)]
    assert connection.execute("PRAGMA user_version").fetchone()[0] in {2, "2"}
    connection.close()


def test_a_step_that_fails_changes_nothing(path: Path) -> None:
    open_database(path, FIRST).close()
    broken = Schema(FIRST.name, FIRST.application_id, (*FIRST.steps, ("CREATE TABLE two (c)", "nonsense")), "FAST")
    before = path.read_bytes()
    with pytest.raises(sqlite3.OperationalError):
        open_database(path, broken)
    assert path.read_bytes() == before
    open_database(path, SECOND).close()


@KEYS
def test_a_newer_file_is_left_as_it_is_and_the_person_told(path: Path, key: bytes | None) -> None:
    open_database(path, SECOND, key).close()
    before = path.read_bytes()
    for opener in (open_database, open_reader):
        with pytest.raises(CallerError, match=r"newer Kassiber \(version 2 .*this one knows up to 1\)"):
            opener(path, FIRST, key)
    assert path.read_bytes() == before


def test_a_file_of_another_kind_is_left_as_it_is(path: Path) -> None:
    foreign = sqlite3.connect(path)
    foreign.execute("CREATE TABLE somebody (s)")
    foreign.close()
    before = path.read_bytes()
    with pytest.raises(CallerError, match="not a Kassiber test database"):
        open_database(path, FIRST)
    with pytest.raises(CallerError, match="not a Kassiber relay database"):
        RelayStore(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("size", [100, 4_096, 20_000])
@KEYS
def test_rubbish_is_not_opened_and_not_changed(path: Path, size: int, key: bytes | None) -> None:
    rubbish = (b"rubbish!" * size)[:size]
    path.write_bytes(rubbish)
    with pytest.raises(DiskBrokenError, match="damaged or not a test database"):
        open_database(path, FIRST, key)
    assert path.read_bytes() == rubbish


def test_a_schema_that_is_damaged_down_to_its_letters_is_called_damaged(path: Path) -> None:
    open_database(path, FIRST).close()
    damaged = (
        path.read_bytes()
        .replace(b"tableoneone", b"table\xd4neone")
        .replace(b"CREATE TABLE one", b"CRE\xd4TE TABLE one")
    )
    path.write_bytes(damaged)
    for opener in (open_database, open_reader):
        with pytest.raises(DiskBrokenError, match="damaged or not a test database"):
            opener(path, FIRST)


def test_an_encrypted_file_opens_under_its_key_alone(path: Path) -> None:
    open_database(path, FIRST, KEY).close()
    assert b"SQLite" not in path.read_bytes()
    for key in (OTHER_KEY, None):
        with pytest.raises(DiskBrokenError, match="damaged or not a test database"):
            open_database(path, FIRST, key)
    open_database(path, FIRST, KEY).close()


def test_a_missing_directory_is_named(path: Path) -> None:
    with pytest.raises(DiskBrokenError, match="cannot be opened: No such file or directory"):
        open_database(path / "nowhere" / "x.db", FIRST)


@KEYS
def test_a_reader_cannot_write(path: Path, key: bytes | None) -> None:
    open_database(path, FIRST, key).close()
    reader = open_reader(path, FIRST, key)
    assert reader.execute("SELECT count(*) FROM one").fetchone() == (0,)
    with pytest.raises(Exception, match="readonly") as caught:
        reader.execute("INSERT INTO one VALUES (1)")
    assert isinstance(store_error(caught.value), DiskBrokenError)
    reader.close()


@KEYS
def test_a_damaged_page_is_found_when_it_is_read(tmp_path: Path, key: bytes | None) -> None:
    path = tmp_path / "relay.db"
    store = RelayStore(path, key)
    fill(store, 30)
    store.close()
    with path.open("r+b") as file:
        for page in range(12, 30):
            file.seek(page * 4_096)
            file.write(b"\xa5" * 4_096)
    store = RelayStore(path, key)
    with pytest.raises(DiskBrokenError), store.transaction() as tx, tx.savepoint():
        tx.entries.after(QueueNumber(1), 0, 100)
    store.close()


def test_our_own_mistakes_are_not_the_disks(path: Path) -> None:
    connection = open_database(path, FIRST)
    for mistake in ("SELECT nothing FROM nowhere", "INSERT INTO one VALUES (1, 2, 3)"):
        with pytest.raises(sqlite3.Error) as caught, SqlTransaction(connection) as tx:
            tx.connection.execute(mistake)
        assert store_error(caught.value) is None
    assert store_error(ValueError()) is None


@KEYS
def test_a_full_database_undoes_the_whole_transaction_and_works_again_with_room(path: Path, key: bytes | None) -> None:
    connection = open_database(path, FIRST, key)
    connection.execute("PRAGMA max_page_count = 10")

    def write(count: int) -> None:
        with SqlTransaction(connection) as tx:
            for _ in range(count):
                with tx.savepoint():
                    tx.connection.execute("INSERT INTO one VALUES (randomblob(4000))")

    write(3)
    with pytest.raises(DiskFullError):
        write(20)
    assert not connection.in_transaction
    assert connection.execute("SELECT count(*) FROM one").fetchone() == (3,)
    connection.execute("PRAGMA max_page_count = 1000")
    write(20)
    assert connection.execute("SELECT count(*) FROM one").fetchone() == (23,)
    connection.close()


def test_a_database_that_somebody_else_holds_is_busy_not_broken(path: Path) -> None:
    holder, waiter = open_database(path, FIRST), open_database(path, FIRST)
    waiter.execute("PRAGMA busy_timeout = 10")
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError) as caught, SqlTransaction(waiter):
        pass
    assert type(caught.value) is StoreError


@KEYS
def test_a_mailbox_that_cannot_be_folded_is_closed_all_the_same_and_says_why(path: Path, key: bytes | None) -> None:
    store = MailboxStore(path, key)
    store.save_service(7.0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))
    try:
        with pytest.raises(StoreError):
            store.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with pytest.raises(Exception, match="closed"):
        store.connection.execute("SELECT 1")
    again = MailboxStore(path, key)
    assert again.service_offset() == 7.0
    again.close()


@pytest.fixture
def left_behind(path: Path) -> Path:
    """A database whose process was killed: its log lies beside it."""
    connection = open_database(path, FIRST)
    connection.execute("INSERT INTO one VALUES (7)")
    copy = path.with_name("copy.db")
    for end in ("", "-wal"):
        shutil.copy(f"{path}{end}", f"{copy}{end}")
    connection.close()
    return copy


def test_a_log_that_was_left_is_written_and_synced_again_before_anything_is_built_upon_it(
    left_behind: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = left_behind.with_name("copy.db-wal")
    held, synced = log.read_bytes(), []

    def fsync(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_ino, log.read_bytes()))
        real_fsync(descriptor)

    real_fsync = os.fsync
    monkeypatch.setattr(os, "fsync", fsync)
    connection = open_database(left_behind, FIRST)
    assert synced[0] == (log.stat().st_ino, held)
    assert connection.execute("SELECT a FROM one").fetchall() == [(7,)]
    connection.close()


@pytest.mark.parametrize(("number", "expected"), [(errno.EIO, DiskBrokenError), (errno.ENOSPC, DiskFullError)])
def test_a_log_that_cannot_be_written_again_is_not_built_upon(
    left_behind: Path, monkeypatch: pytest.MonkeyPatch, number: int, expected: type[StoreError]
) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        with pytest.raises(expected):
            open_database(left_behind, FIRST)
    connection = open_database(left_behind, FIRST)
    assert connection.execute("SELECT a FROM one").fetchall() == [(7,)]
    connection.close()


# The ballast


def fill(store: RelayStore, count: int) -> None:
    with store.transaction() as tx:
        number = QueueNumber(1)
        if tx.queues.by_number(number) is None:
            number = tx.queues.add(
                ReceiveId(bytes(16)), RecipientKey(bytes(32)), SendId(bytes(16)), ClaimKey(bytes(32))
            )
        for _ in range(count):
            sequence = tx.entries.append(number, os.urandom(ENVELOPE_BYTES), 1.0, counted=True)
            tx.digests.add(number, Digest(sequence.to_bytes(32, "little")), Minute(1), 1.0)


def fill_up(store: RelayStore) -> None:
    for _ in range(1_000):
        fill(store, 64)


def test_the_ballast_is_made_once_there_is_room_and_given_up_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "relay.db-ballast"
    held = Ballast(tmp_path / "relay.db")
    assert held.present
    assert file.stat().st_size == BALLAST_BYTES
    assert file.stat().st_blocks * 512 >= BALLAST_BYTES, "it must really hold the room"
    held.release()
    assert not file.exists()
    monkeypatch.setattr(ballast, "ROOM_BEFORE_MAKING_BYTES", 2**62)
    held.restore()
    assert not file.exists()
    monkeypatch.undo()
    held.restore()
    assert file.exists()


def test_a_ballast_that_was_cut_short_is_made_again(tmp_path: Path) -> None:
    file = tmp_path / "relay.db-ballast"
    file.write_bytes(b"short")
    assert Ballast(tmp_path / "relay.db").present
    assert file.stat().st_size == BALLAST_BYTES


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A file system of so many bytes; needs the right to mount one."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(size: int) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("a file system cannot be mounted here")
        return place

    yield mount
    subprocess.run(["umount", str(place)], capture_output=True, check=False)


@KEYS
def test_on_a_disk_that_is_really_full_deletions_go_through(
    small_disk: Callable[[int], Path], key: bytes | None
) -> None:
    path = small_disk(48 * 2**20) / "relay.db"
    store = RelayStore(path, key)
    with pytest.raises(DiskFullError):
        fill_up(store)
    assert not path.with_name("relay.db-ballast").exists()
    for sequence in range(1, 2_000):
        with store.transaction() as tx:
            assert not tx.room
            assert tx.entries.remove(QueueNumber(1), Sequence(sequence))
    store.close()
    again = RelayStore(path, key)
    with again.transaction() as tx:
        queue = tx.queues.by_number(QueueNumber(1))
        assert queue is not None
        assert len(tx.entries.after(queue.number, 0, 10**6)) == queue.stored
        assert queue.stored % 64 == (64 - 1_999 % 64) % 64, "no batch is there in part"
    again.close()


def test_a_log_is_folded_into_its_file_once_enough_lies_in_it(path: Path) -> None:
    connection = open_database(path, FIRST)
    log = WriteAheadLog(connection)
    empty = path.stat().st_size
    sizes = []
    for _ in range(2):
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO one VALUES (?)", [(bytes(3_900),)] * (CHECKPOINT_CHANGES // 2))
        connection.execute("COMMIT")
        log.fold()
        sizes.append(path.stat().st_size)
    assert sizes[0] <= empty
    assert sizes[1] > CHECKPOINT_CHANGES * 3_900
    connection.close()
