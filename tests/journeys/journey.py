"""Whole programs as processes of their own, with durations scaled down: what every journey builds on.

A journey is a `Stage` with two relays and two people who know each other, and with the command line at hand.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from msgspec.structs import asdict, replace

from node.cli.inbox import all_messages
from node.cli.stage import PROGRAM, STEP_SECONDS, Stage
from protocol.errors import WorldError
from protocol.timing import Timing

SCALED = replace(
    Timing(),
    dial_seconds=5.0,
    redial_first_seconds=0.1,
    redial_most_seconds=1.0,
    unreachable_seconds=1.0,
    reroute_seconds=3.0,
    gap_seconds=1.0,
    full_first_seconds=0.5,
    full_most_seconds=2.0,
    receipt_mean_seconds=0.2,
    store_retry_seconds=0.2,
    forward_seconds=3.0,
    mix_seconds=0.1,
)
"""What a person would wait minutes for is over in seconds; what guards a busy machine stays as it is."""


class Journey(Stage):
    """The processes of one test, by name."""

    def __init__(self, place: Path, timing: Timing = SCALED) -> None:
        super().__init__(place)
        self.timing = timing
        defaults = asdict(Timing())
        scaled = {name: value for name, value in asdict(timing).items() if value != defaults[name]}
        lines = [f"{key} = {value}\n" for key, value in scaled.items()]
        self.settings = "".join(['traffic = "direct"\n[timing]\n', *lines])
        self._launched: dict[str, list[str]] = {}
        print(f"Durations are scaled: {scaled}")

    def launch(self, name: str, *words: str) -> None:
        """From now on run this one with these options of `tests.journeys.launcher`."""
        self._launched[name] = [sys.executable, "-m", "tests.journeys.launcher", *words, "--"]

    def program(self, name: str) -> Sequence[str]:
        """What is run in this one's name."""
        return self._launched.get(name) or super().program(name)

    def until(self, condition: Callable[[], Any], failure: str, seconds: float = STEP_SECONDS) -> Any:
        """The condition's value once it is true; else what failed, and what everybody printed."""
        try:
            return super().until(condition, failure, seconds)
        except WorldError:
            raise AssertionError("\n".join([failure, *self.told()])) from None

    def told(self) -> list[str]:
        """The end of what each process printed."""
        logs = sorted(self.place.glob("*.log"))
        return [f"--- {path.name}\n{path.read_text(encoding='utf-8', errors='replace')[-2_000:]}" for path in logs]

    def make_person(self, name: str, *relays: str) -> None:
        """A profile with these relays, or all; no node yet."""
        made = self.make_profile(name, relays or None)
        assert made.wait(STEP_SECONDS) == 0, self.told()

    def befriend(self, inviter: str, joiner: str) -> str:
        """Two running nodes; their safety number."""
        return self.accept(joiner, self.invite(inviter), inviter)

    def kassiber(self, name: str, *words: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        """One command on this one's profile to its end."""
        return self.run(*words, *self.profile_words(name), program=self.program(name), stdin=stdin)

    def run(
        self, *words: str, program: Sequence[str] = PROGRAM, stdin: bytes = b""
    ) -> "subprocess.CompletedProcess[bytes]":
        """Any command to its end; without a terminal."""
        return subprocess.run(
            [*program, *words],
            input=stdin,
            capture_output=True,
            env=self.environment,
            timeout=60,
            start_new_session=True,
            check=False,
        )

    def done(self, name: str, *words: str, stdin: bytes = b"") -> bytes:
        """What a command printed that must succeed."""
        ended = self.kassiber(name, *words, stdin=stdin)
        assert ended.returncode == 0, (words, ended)
        return ended.stdout

    def inbox(self, name: str) -> list[dict[str, Any]]:
        """As `inbox --json` prints it."""
        return [json.loads(line) for line in self.done(name, "inbox", "--json").splitlines()]

    def texts(self, name: str) -> list[str]:
        """What a running node shows, in its order."""
        return [row["text"] for row in all_messages(self.client(name), None, 0)]

    def say(self, name: str, text: str, contact: int = 1) -> str:
        """Queue a text at a running node; its message id."""
        queued = self.ask(name, "POST", "/v1/messages", {"contact": contact, "text": text})
        return str(queued["message_id"])

    def arrives(self, name: str, text: str, state: str = "delivered", seconds: float = STEP_SECONDS) -> None:
        """Wait until a text of theirs has come so far."""
        self.until(partial(self.is_state, name, text, state), f"{text[:80]!r} of {name} is not {state}", seconds)

    def talk(self, *lines: tuple[str, str]) -> None:
        """Each line said and delivered before the next."""
        for name, text in lines:
            self.say(name, text)
            self.arrives(name, text)

    def pid(self, name: str) -> int:
        """Of a running process."""
        return self._processes[name].pid

    def stop_politely(self, name: str) -> None:
        """As Ctrl-C or the system's service manager does; it must end well."""
        process = self._processes[name]
        self.stop(name, signal.SIGTERM)
        assert process.returncode == 0, self.told()


def snapshot(directory: Path) -> dict[str, bytes]:
    """Every file below a directory, with its bytes."""
    return {
        os.fspath(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def free_port(address: str) -> int:
    """One that is free now; a node that is killed wants the same again."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
