"""Relays and nodes as processes of this machine: for the demo, and for whatever measures or tests real ones."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from node.api.client import Client, NotRunningError
from node.cli.inbox import all_messages
from node.profile import Profile
from protocol.errors import WorldError

PROGRAM = (sys.executable, "-m", "node.cli")
STEP_SECONDS = 20.0
"""No step takes longer, or it has failed."""
SETTINGS = "[timing]\nreceipt_mean_seconds = 0.2\n"
"""Of every process: receipts leave at once, since nobody would wait here for those of a real node."""
NAMES = {"alice": "Alice Amsel", "bob": "Bob Buchfink", "carol": "Carol Kranich"}


class Stage:
    """The processes, by name. A directory, a log and a credential file each, in one place."""

    def __init__(self, place: Path, traffic: str = "direct") -> None:
        self.place = place
        self.traffic = traffic
        """The preset of all nodes. By default the one in which nothing waits."""
        self.settings = SETTINGS
        self.addresses: dict[str, str] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = os.environ | {"XDG_RUNTIME_DIR": str(_made(place / "run"))}

    def start_relay(self, name: str, *words: str) -> None:
        """On the port that it had before, or on any; until it says its address."""
        log = self.log(name)
        size = log.stat().st_size if log.exists() else 0
        self.spawn_relay(name, *words)
        self.addresses[name] = self.until(lambda: _address_in(log.read_bytes()[size:]), f"{name} did not start")

    def spawn_relay(self, name: str, *words: str) -> None:
        """The same, without waiting."""
        known = self.addresses.get(name)
        listen = known.partition("://")[2].partition("/")[0] if known else "127.0.0.1:0"
        place = () if "--listen" in words else ("--listen", listen)
        self.spawn(name, "relay", "--directory", str(self.place / name), *place, *words)

    def make_profile(self, name: str, relays: Sequence[str] | None = None) -> subprocess.Popen[bytes]:
        """`kassiber init` with these relays' addresses, or with all, under way."""
        chosen = self.addresses.values() if relays is None else relays
        words = [word for address in chosen for word in ("--relay", address)]
        return self.spawn(name, "init", "--name", NAMES[name], *words, *self.profile_words(name))

    def start_node(self, name: str, *words: str) -> None:
        """`kassiber up`, until its API answers."""
        self.spawn(name, "up", "--traffic", self.traffic, *words, *self.profile_words(name))
        self.until(self.client(name).is_running, f"{name}'s node did not start")

    def set_up(self) -> None:
        """Two relays and two nodes."""
        for name in ("relay-1", "relay-2"):
            self.start_relay(name)
        for process in [self.make_profile(name) for name in ("alice", "bob")]:
            process.wait(STEP_SECONDS)
        for name in ("alice", "bob"):
            self.start_node(name)

    def stop(self, name: str, how: signal.Signals) -> None:
        """End one process and wait for it."""
        process = self._processes.pop(name)
        process.send_signal(how)
        process.wait(STEP_SECONDS)

    def client(self, name: str) -> Client:
        """Talks to a node."""
        return Client(Profile(self.place / name))

    def ask(self, name: str, method: str, path: str, body: object = None) -> Any:
        """One request to a node's API."""
        return self.client(name).request(method, path, body)

    def log(self, name: str) -> Path:
        """All that a process printed."""
        return self.place / f"{name}.log"

    def until(self, condition: Callable[[], Any], failure: str, seconds: float = STEP_SECONDS) -> Any:
        """The condition's value once it is true. Raises WorldError."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                value = condition()
            except NotRunningError:
                value = None
            if value:
                return value
            time.sleep(0.02)
        raise WorldError(f"The demo failed: {failure}. Run it with --keep DIRECTORY and look at the logs there.")

    def end(self) -> None:
        """Stop whatever still runs."""
        for process in self._processes.values():
            process.kill()
            process.wait(STEP_SECONDS)

    def invite(self, name: str) -> str:
        """A link."""
        link: str = self.ask(name, "POST", "/v1/invitations", {})["link"]
        return link

    def accept(self, name: str, link: str, inviter: str) -> str:
        """Until both are contacts; their safety number."""
        self.ask(name, "POST", "/v1/contacts", {"link": link})
        for one in (name, inviter):
            self.until(partial(self._knows_somebody, one), "the two did not become contacts")
        numbers = {self.contacts(one)[-1]["safety_number"] for one in (name, inviter)}
        assert len(numbers) == 1, "the safety numbers differ"
        return str(numbers.pop())

    def contacts(self, name: str) -> list[dict[str, Any]]:
        """As the API lists them."""
        found: list[dict[str, Any]] = self.ask(name, "GET", "/v1/contacts")["contacts"]
        return found

    def is_state(self, name: str, text: str, state: str) -> bool:
        """Whether this text of theirs has come so far, and no further."""
        rows = all_messages(self.client(name), None, 0)
        return any(row["state"] == state for row in rows if row["mine"] and row["text"] == text)

    def profile_words(self, name: str) -> list[str]:
        """The options with which every command finds and unlocks this one's profile."""
        credential = self.place / f"{name}.credential"
        return ["--profile", str(self.place / name), "--credential-file", str(credential)]

    def program(self, name: str) -> Sequence[str]:  # noqa: ARG002 - others may run something else for one of them
        """What is run in this one's name."""
        return PROGRAM

    def spawn(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        """Start a process under this name, with these settings from its first start on; it prints to its log."""
        settings = Profile(_made(self.place / name)).settings
        if not settings.exists():
            settings.write_text(self.settings, encoding="utf-8")
        with self.log(name).open("ab") as log:
            self._processes[name] = subprocess.Popen(  # noqa: S603 - this very program
                [*self.program(name), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
            )
        return self._processes[name]

    def _knows_somebody(self, name: str) -> bool:
        return any(row["state"] == "active" for row in self.contacts(name))


S = TypeVar("S", bound=Stage)


@contextmanager
def opened(stage: S) -> Iterator[S]:
    """Ends all processes of the stage with the block. Sets the runtime directory meanwhile."""
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(stage.place / "run")
    try:
        yield stage
    finally:
        stage.end()
        if before is None:
            os.environ.pop("XDG_RUNTIME_DIR")
        else:
            os.environ["XDG_RUNTIME_DIR"] = before


@contextmanager
def staged(place: Path) -> Iterator[Stage]:
    """Two relays, two nodes, not acquainted yet; all ended with the block."""
    with opened(Stage(place)) as stage:
        stage.set_up()
        yield stage


def _made(directory: Path) -> Path:
    directory.mkdir(mode=0o700, exist_ok=True)
    return directory


def _address_in(log: bytes) -> str | None:
    for word in log.decode(errors="replace").split():
        if word.startswith("kassiber://") and "/r#" in word:
            return word
    return None
