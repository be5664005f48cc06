"""`kassiber demo`: two people, two relays, a crash; then every byte that a relay had, beside what was said."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from node.api.client import Client, NotRunningError
from node.cli.inbox import all_messages
from node.cli.relay_view import RelayView, print_view
from node.profile import Profile
from protocol.errors import WorldError

STEP_SECONDS = 20.0
"""No step takes longer, or the demo has failed."""

NAMES = {"alice": "Alice Amsel", "bob": "Bob Buchfink"}
SAID = (
    ("alice", "Can you talk?"),
    ("bob", "Yes. Nobody else reads this."),
    ("alice", "Meet me at the Anhalter Bahnhof, platform 3."),
    ("bob", "At nine. I will carry the grey umbrella \u2602"),
)
SAID_WHILE_AWAY = (
    ("alice", "Change of plan: the bridge, not the station."),
    ("alice", "Burn the list."),
    ("alice", "And bring Clara."),
)

Keep = Annotated[
    Path | None, Parameter(help="Leave all files of the demo here, in a directory that does not exist yet.")
]


def demo(*, keep: Keep = None) -> None:
    """Run two relays and two nodes, each a process of its own, on this machine; about ten seconds, no questions."""
    began = time.monotonic()
    with ExitStack() as stack:
        place = _place(stack, keep)
        stage = stack.enter_context(_stage(place))
        _meet(stage)
        _talk(stage, SAID)
        view = _lose_a_relay(stage)
        _check(stage, SAID + SAID_WHILE_AWAY)
        secrets = {"a text": [text for _, text in SAID + SAID_WHILE_AWAY], "a name": list(NAMES.values())}
        secrets["a safety number"] = [stage.ask("alice", "GET", "/v1/contacts")["contacts"][0]["safety_number"]]
        print_view(view, SAID_WHILE_AWAY, secrets)
    print(f"\nThat took {time.monotonic() - began:.1f} seconds.")
    print("Next: kassiber init --relay ADDRESS, kassiber up, kassiber invite. See the README.")


class Stage:
    """The processes of the demo, by name."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.addresses: dict[str, str] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._environment = os.environ | {"XDG_RUNTIME_DIR": str(_made(place / "run"))}

    def start_relay(self, name: str) -> None:
        """On the port that it had before, or on any."""
        known = self.addresses.get(name)
        listen = known.partition("://")[2].partition("/")[0] if known else "127.0.0.1:0"
        log = self.log(name)
        size = log.stat().st_size if log.exists() else 0
        self._spawn(name, "relay", "--directory", str(self.place / name), "--listen", listen)
        self.addresses[name] = self.until(lambda: _address_in(log.read_bytes()[size:]), f"{name} did not start")

    def make_profile(self, name: str) -> subprocess.Popen[bytes]:
        """`kassiber init`, under way."""
        relays = [word for address in self.addresses.values() for word in ("--relay", address)]
        self._spawn(name, "init", "--name", NAMES[name], *relays, *self._profile_words(name))
        return self._processes[name]

    def start_node(self, name: str) -> None:
        """`kassiber up`, until its API answers."""
        self._spawn(name, "up", *self._profile_words(name))
        self.until(self.client(name).is_running, f"{name}'s node did not start")

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

    def until(self, condition: Callable[[], Any], failure: str) -> Any:
        """The condition's value once it is true. Raises WorldError."""
        end = time.monotonic() + STEP_SECONDS
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

    def _profile_words(self, name: str) -> list[str]:
        credential = self.place / f"{name}.credential"
        return ["--profile", str(self.place / name), "--credential-file", str(credential)]

    def _spawn(self, name: str, *words: str) -> None:
        with self.log(name).open("ab") as log:
            self._processes[name] = subprocess.Popen(  # noqa: S603 - this very program
                [sys.executable, "-m", "node.cli", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
            )


@contextmanager
def _stage(place: Path) -> Iterator[Stage]:
    """Two relays, two nodes."""
    stage = Stage(place)
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(place / "run")
    try:
        _tell("Two relays start, and two nodes: four processes.")
        for name in ("relay-1", "relay-2"):
            stage.start_relay(name)
        for process in [stage.make_profile(name) for name in ("alice", "bob")]:
            process.wait(STEP_SECONDS)
        for name in ("alice", "bob"):
            stage.start_node(name)
        yield stage
    finally:
        stage.end()
        if before is None:
            os.environ.pop("XDG_RUNTIME_DIR")
        else:
            os.environ["XDG_RUNTIME_DIR"] = before


def _meet(stage: Stage) -> None:
    link = stage.ask("alice", "POST", "/v1/invitations", {})["link"]
    _tell("Alice makes an invitation and gives Bob the link:", f"  {link}")
    stage.ask("bob", "POST", "/v1/contacts", {"link": link})
    for name in ("alice", "bob"):
        stage.until(partial(_is_active, stage, name), "the two did not become contacts")
    numbers = {name: _contacts(stage, name)[0]["safety_number"] for name in ("alice", "bob")}
    assert numbers["alice"] == numbers["bob"], "the safety numbers differ"
    _tell("Bob accepts. Both see the same safety number:", f"  {numbers['alice']}")


def _contacts(stage: Stage, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.ask(name, "GET", "/v1/contacts")["contacts"]
    return found


def _talk(stage: Stage, lines: tuple[tuple[str, str], ...]) -> None:
    _tell("They talk:")
    for name, text in lines:
        stage.ask(name, "POST", "/v1/messages", {"contact": 1, "text": text})
        stage.until(partial(_is, stage, name, text, "delivered"), f"{text!r} did not arrive")
        print(f"  {name.capitalize()}: {text}  [delivered]")


def _lose_a_relay(stage: Stage) -> RelayView:
    """Bob is away, the relay that holds his messages is killed with -9, and comes back."""
    stage.stop("bob", signal.SIGTERM)
    _tell("Bob's node is switched off. Alice goes on:")
    for name, text in SAID_WHILE_AWAY:
        stage.ask(name, "POST", "/v1/messages", {"contact": 1, "text": text})
        stage.until(partial(_is, stage, name, text, "relayed"), f"{text!r} was not relayed")
        print(f"  {name.capitalize()}: {text}  [relayed]")
    views = [RelayView.read(name, stage.place / name, stage.log(name)) for name in ("relay-1", "relay-2")]
    view = max(views, key=lambda view: view.envelopes)
    stage.stop(view.name, signal.SIGKILL)
    view = RelayView.read(view.name, stage.place / view.name, stage.log(view.name))
    _tell(f"{view.name}, which holds them, is killed (kill -9) and started again; Bob's node is switched on.")
    stage.start_relay(view.name)
    stage.start_node("bob")
    return view


def _check(stage: Stage, lines: tuple[tuple[str, str], ...]) -> None:
    """Everything at both ends, once, in the same order, and known to be delivered."""
    for name, text in lines:
        stage.until(partial(_is, stage, name, text, "delivered"), f"{text!r} did not arrive")
    expected = [text for _, text in lines]
    for name in ("alice", "bob"):
        shown = [row["text"] for row in all_messages(stage.client(name), None, 0)]
        if shown != expected:
            raise WorldError(f"The demo failed: {name} was shown {json.dumps(shown)}, not {json.dumps(expected)}.")
    _tell(f"All {len(expected)} messages are there, once each, in the same order at both ends, and delivered.")


def _is(stage: Stage, name: str, text: str, state: str) -> bool:
    rows = all_messages(stage.client(name), None, 0)
    return any(row["state"] == state for row in rows if row["mine"] and row["text"] == text)


def _is_active(stage: Stage, name: str) -> bool:
    return [row["state"] for row in _contacts(stage, name)] == ["active"]


def _tell(*lines: str) -> None:
    print("\n" + "\n".join(lines), flush=True)


def _place(stack: ExitStack, keep: Path | None) -> Path:
    if keep is not None:
        keep.mkdir(mode=0o700, parents=True)
        return keep.resolve()
    place = Path(tempfile.mkdtemp(prefix="kassiber-demo-"))
    stack.callback(shutil.rmtree, place, ignore_errors=True)
    return place


def _made(directory: Path) -> Path:
    directory.mkdir(mode=0o700, exist_ok=True)
    return directory


def _address_in(log: bytes) -> str | None:
    for word in log.decode(errors="replace").split():
        if word.startswith("kassiber://") and "/r#" in word:
            return word
    return None
