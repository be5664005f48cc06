"""Two people and two relays, everything real: with nodes that run, and with none but for the moment."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.node.cli.program import KASSIBER, environment, kassiber, running
from tests.node.cli.typing_person import type_into

pytestmark = pytest.mark.journey


class Person:
    """A profile in a directory of its own, unlocked by a credential file."""

    def __init__(self, directory: Path, name: str, relays: list[str]) -> None:
        directory.mkdir()
        self.directory = directory
        options = [word for relay in relays for word in ("--relay", relay)]
        self("init", "--name", name, *options)

    def __call__(self, *words: str, stdin: bytes = b"", code: int = 0) -> str:
        ended = kassiber(self.directory, *words, "--credential-file", "key", stdin=stdin)
        assert ended.returncode == code, (words, ended.stdout, ended.stderr)
        return ended.stdout.decode()

    def texts(self) -> list[str]:
        return [json.loads(line)["text"] for line in self("inbox", "--json").splitlines()]

    def up(self) -> Any:
        return running(self.directory, [*KASSIBER, "up", "--traffic", "direct", "--credential-file", "key"])


@pytest.fixture
def relays(tmp_path: Path) -> Iterator[list[str]]:
    """The addresses of two."""
    with ExitStack() as stack:
        addresses = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            process = subprocess.Popen(
                [*KASSIBER, "relay", "--directory", str(tmp_path / name / "relay"), "--listen", "127.0.0.1:0"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment(tmp_path / name),
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.terminate)
            assert process.stdout is not None
            addresses.append(process.stdout.readline().strip())
        yield addresses


def befriend(alice: Person, bob: Person) -> None:
    link = alice("invite", "--name", "Bob").strip()
    bob("accept", "-", "--name", "Alice", stdin=link.encode())
    end = time.monotonic() + 20
    while json.loads(alice("contacts", "--json") or '{"state":""}')["state"] != "active":
        assert time.monotonic() < end
    while json.loads(bob("contacts", "--json"))["state"] != "active":
        assert time.monotonic() < end


def test_with_no_node_running_commands_run_one_for_the_moment(tmp_path: Path, relays: list[str]) -> None:
    alice, bob = (Person(tmp_path / name, name, relays) for name in ("Alice", "Bob"))
    befriend(alice, bob)
    alice("send", "Bob", "hello")
    assert bob.texts() == ["hello"]
    bob("send", "Alice", "-", stdin="line\n\x00\u202e".encode())
    assert alice.texts() == ["hello", "line\n\x00\u202e"]
    assert json.loads(alice("inbox", "--json").splitlines()[0])["state"] == "delivered"
    numbers = {person("verify", name).splitlines()[0] for person, name in ((alice, "Bob"), (bob, "Alice"))}
    assert len(numbers) == 1
    bob("verify", "Alice", *numbers.pop().split())


def test_with_nodes_running_a_chat_is_live_and_sends_are_quick(tmp_path: Path, relays: list[str]) -> None:
    alice, bob = (Person(tmp_path / name, name, relays) for name in ("Alice", "Bob"))
    with alice.up(), bob.up():
        befriend(alice, bob)
        chat = subprocess.Popen(
            [*KASSIBER, "chat", "Alice", "--json", "--after", "0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            cwd=bob.directory,
            env=environment(bob.directory),
        )
        with chat:
            begun = time.monotonic()
            alice("send", "Bob", "one")
            assert time.monotonic() - begun < 8.0, "a node for the moment would stay for ten seconds"
            assert chat.stdout is not None
            assert json.loads(chat.stdout.readline())["text"] == "one"
            alice("send", "Bob", "two")
            assert json.loads(chat.stdout.readline())["text"] == "two"
            chat.kill()


def test_a_chat_tells_what_becomes_of_what_was_said_before_it_began(tmp_path: Path, relays: list[str]) -> None:
    alice, bob = (Person(tmp_path / name, name, relays) for name in ("Alice", "Bob"))
    with alice.up():
        with bob.up():
            befriend(alice, bob)
        alice("send", "Bob", "one two three")
        with running(alice.directory, [*KASSIBER, "chat", "Bob"]) as chat, bob.up():
            bob("send", "Alice", "four")
            assert chat.stdout is not None
            for line in iter(chat.stdout.readline, b""):
                if b"[delivered]" in line:
                    assert line.strip() == b"[delivered] one two three"
                    break


def test_up_stops_cleanly_when_asked_and_the_next_one_starts(tmp_path: Path, relays: list[str]) -> None:
    alice = Person(tmp_path / "Alice", "Alice", relays)
    for asked in (signal.SIGTERM, signal.SIGINT):
        with alice.up() as node:
            os.kill(node.pid, asked)
            assert node.wait(10) == 0
            alice("status", code=69)


def test_a_killed_node_leaves_nothing_in_the_way_of_the_next(tmp_path: Path, relays: list[str]) -> None:
    alice = Person(tmp_path / "Alice", "Alice", relays)
    with alice.up() as node:
        node.kill()
        node.wait()
    assert "Alice" in alice("contacts", "--json") or alice("contacts", "--json") == ""
    with alice.up():
        assert json.loads(alice("status", "--json"))["running"] is True


def test_without_any_relay_a_text_stays_queued(tmp_path: Path, relays: list[str]) -> None:
    alice, bob = (Person(tmp_path / name, name, relays) for name in ("Alice", "Bob"))
    befriend(alice, bob)
    (alice.directory / "profile" / "settings.toml").write_text("[timing]\ndial_seconds = 1\n")
    for name in ("one", "two"):
        stop_relay(tmp_path / name)
    alice("send", "Bob", "later", "--wait", "1", code=75)
    assert alice.texts() == ["later"]


def stop_relay(directory: Path) -> None:
    """By the process that holds its lock."""
    lock = os.stat(directory / "relay" / "lock").st_ino
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if fields[1] == "FLOCK" and int(fields[5].rpartition(":")[2]) == lock:
            os.kill(int(fields[4]), signal.SIGKILL)


def test_contacts_are_renamed_and_removed_and_invitations_withdrawn(tmp_path: Path, relays: list[str]) -> None:
    alice, bob = (Person(tmp_path / name, name.capitalize(), relays) for name in ("alice", "bob"))
    with alice.up(), bob.up():
        bob("accept", alice("invite").split()[0])
        assert alice("contacts", "rename", "Bob", "Uncle Bob") == "Bob is called Uncle Bob now.\n"
        assert json.loads(alice("contacts", "--json"))["name"] == "Uncle Bob"
        withdrawn = alice("invite").split()[0]
        assert [row["state"] for row in map(json.loads, alice("invitations", "--json").splitlines())] == [
            "open",
            "used",
        ]
        assert alice("invitations", "withdraw", "2") == "Withdrew invitation 2.\n"
        alice("invitations", "withdraw", "1", code=66)
        alice("invitations", "withdraw", "7", code=66)
        bob("accept", withdrawn, code=65)
        alice("invite", "--name", "x" * 65, code=65)
        assert "kassiber up" not in kassiber(alice.directory, "invite", "--credential-file", "key").stderr.decode()
        bob("accept", "--name", "two\nlines", alice("invite").split()[0], code=65)
        assert "have one name" not in alice("contacts", "rename", "Uncle Bob", "2")
        alice("contacts", "rename", "2", "Uncle Bob")
        asked = type_into(alice.directory, ["contacts", "remove", "Uncle Bob", "--credential-file", "key"], "n")
        assert asked[0] == 0
        assert "Remove Uncle Bob, and all messages with them, for good?" in asked[1]
        assert "Nothing was removed." in asked[1]
        assert json.loads(alice("contacts", "--json"))["name"] == "Uncle Bob"
        assert alice("contacts", "remove", "Uncle Bob") == "Removed Uncle Bob, and all messages with them.\n"
        assert alice("contacts", "--json") == ""
        bob("send", "--wait", "3", "Alice", "are you there?", code=75)
        end = time.monotonic() + 60.0
        while not json.loads(bob("contacts", "--json"))["refused"]:
            assert time.monotonic() < end, "three refusals of each relay take some ten seconds"
            time.sleep(0.5)
        assert "they seem to have left" in bob("contacts")
        assert "All relays of Alice refuse what you write" in bob("doctor")
