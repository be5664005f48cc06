"""One profile: used by one process at a time, by whoever can unlock it, and never changed by an error."""

import shutil
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2 as sqlcipher

from node.cli.exits import BAD_TEXT, IO_ERROR, LOCKED, OK, QUEUED, UNAVAILABLE
from node.store.database import apply_key
from tests.journeys.journey import Journey, snapshot
from tests.journeys.mailbox import keys_of
from tests.node.cli.typing_person import type_into

pytestmark = pytest.mark.journey


def test_send_with_no_node_running_ends_with_0_when_relayed_and_75_when_queued(friends: Journey) -> None:
    friends.stop_politely("alice")
    friends.stop_politely("bob")
    sent = friends.kassiber("alice", "send", "Bob Buchfink", "with relays")
    assert sent.returncode == OK, sent
    assert b"relayed to Bob Buchfink" in sent.stderr
    for relay in ("relay-1", "relay-2"):
        friends.stop(relay, signal.SIGKILL)
    sent = friends.kassiber("alice", "send", "--wait", "1", "Bob Buchfink", "without")
    assert sent.returncode == QUEUED, sent
    assert b"queued: no relay has it yet" in sent.stderr
    assert [row["state"] for row in friends.inbox("alice")] == ["relayed", "queued"]
    friends.start_relay("relay-1")
    friends.start_relay("relay-2")
    sent = friends.kassiber("alice", "send", "Bob Buchfink", "with them again")
    assert sent.returncode == OK, sent
    assert [row["text"] for row in friends.inbox("bob")] == ["with relays", "without", "with them again"]


def test_a_second_node_is_refused_and_the_first_is_not_disturbed(old_friends: Journey) -> None:
    for _ in range(2):
        second = old_friends.kassiber("alice", "up")
        assert second.returncode == UNAVAILABLE
        assert b"A node or relay is running on" in second.stderr
    old_friends.talk(("alice", "still here"), ("bob", "so I see"))


def test_a_wrong_passphrase_says_so_and_changes_nothing(tmp_path: Path) -> None:
    right, wrong = "correct horse battery staple", ("incorrect", "", "correct horse battery stapl")
    code, shown = type_into(tmp_path, ["init", "--name", "Alice"], right, right)
    assert code == OK, shown
    before = snapshot(tmp_path / "profile")
    code, shown = type_into(tmp_path, ["inbox"], *wrong)
    assert code == LOCKED
    assert "The passphrase is wrong. Nothing was changed." in shown
    assert snapshot(tmp_path / "profile") == before
    code, shown = type_into(tmp_path, ["inbox"], "wrong", right)
    assert code == OK, shown


def refused(journey: Journey, name: str, *words: str) -> "subprocess.CompletedProcess[bytes]":
    """What a start says that changes no file of the profile."""
    before = snapshot(journey.place / name)
    ended = journey.kassiber(name, *words)
    assert snapshot(journey.place / name) == before
    assert b"Traceback" not in ended.stderr
    return ended


def test_a_newer_mailbox_is_left_as_it_is(old_friends: Journey) -> None:
    old_friends.stop_politely("alice")
    path = old_friends.place / "alice" / "mailbox.db"
    old = path.read_bytes()
    newer = sqlcipher.connect(str(path))
    apply_key(newer, keys_of(path.parent).mailbox)
    newer.execute("PRAGMA user_version = 999")
    newer.close()
    for command in ("up", "inbox", "contacts"):
        ended = refused(old_friends, "alice", command)
        assert ended.returncode == BAD_TEXT, ended
        assert b"was written by a newer Kassiber (version 999" in ended.stderr
    path.write_bytes(old)
    old_friends.start_node("alice")
    old_friends.talk(("alice", "the old one again"))


def test_a_damaged_mailbox_is_told_and_left_as_it_is(old_friends: Journey) -> None:
    for name in ("alice", "bob"):
        old_friends.stop_politely(name)
    path = old_friends.place / "alice" / "mailbox.db"
    whole = path.read_bytes()
    damages = {
        "its beginning": bytes(4_096) + whole[4_096:],
        "one bit of its first page": whole[:2_000] + bytes([whole[2_000] ^ 1]) + whole[2_001:],
        "all of it": b"not a database " * 4_096,
        "cut off": whole[:1_000],
        "another profile's": (old_friends.place / "bob" / "mailbox.db").read_bytes(),
    }
    for damage, content in damages.items():
        path.write_bytes(content)
        ended = refused(old_friends, "alice", "up")
        assert ended.returncode == IO_ERROR, (damage, ended)
        assert b"is damaged or not a mailbox" in ended.stderr
    path.write_bytes(whole)
    for name in ("alice", "bob"):
        old_friends.start_node(name)
    old_friends.talk(("alice", "restored"), ("bob", "indeed"))


@pytest.mark.parametrize("damage", ["newer", "rubbish"])
def test_a_relay_leaves_a_database_as_it_is_that_it_cannot_read(journey: Journey, damage: str) -> None:
    journey.start_relay("relay-1")
    journey.stop_politely("relay-1")
    path = journey.place / "relay-1" / "relay.db"
    if damage == "newer":
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA user_version = 999")
        connection.close()
    else:
        path.write_bytes(b"rubbish " * 1_000)
    before = snapshot(path.parent)
    process = journey.spawn("relay-1", "relay", "--directory", str(path.parent), "--listen", "127.0.0.1:0")
    assert process.wait(20) == (BAD_TEXT if damage == "newer" else IO_ERROR)
    told = journey.log("relay-1").read_bytes()
    assert (b"was written by a newer Kassiber" if damage == "newer" else b"is damaged or not a relay database") in told
    assert b"Traceback" not in told
    assert snapshot(path.parent) == before


def test_a_mailbox_that_is_gone_is_no_new_profile(old_friends: Journey) -> None:
    old_friends.stop_politely("alice")
    kept = old_friends.place / "kept"
    shutil.move(old_friends.place / "alice" / "mailbox.db", kept)
    ended = refused(old_friends, "alice", "up")
    assert ended.returncode == BAD_TEXT, ended
    assert b"mailbox.db is missing" in ended.stderr
    shutil.move(kept, old_friends.place / "alice" / "mailbox.db")
    old_friends.start_node("alice")
    old_friends.talk(("alice", "back"))
