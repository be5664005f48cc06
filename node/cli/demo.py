"""`kassiber demo`: two people, two relays, a crash; then every byte that a relay had, beside what was said."""

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from node.cli.inbox import all_messages
from node.cli.relay_view import RelayView, print_view
from node.cli.stage import NAMES, Stage, staged
from protocol.errors import WorldError

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
        _tell("Two relays start, and two nodes: four processes.")
        stage = stack.enter_context(staged(place))
        _meet(stage)
        _talk(stage, SAID)
        view = _lose_a_relay(stage)
        _check(stage, SAID + SAID_WHILE_AWAY)
        secrets = {"a text": [text for _, text in SAID + SAID_WHILE_AWAY], "a name": [NAMES["alice"], NAMES["bob"]]}
        secrets["a safety number"] = [stage.ask("alice", "GET", "/v1/contacts")["contacts"][0]["safety_number"]]
        print_view(view, SAID_WHILE_AWAY, secrets)
    print(f"\nThat took {time.monotonic() - began:.1f} seconds.")
    program = "kassiber" if shutil.which("kassiber") else os.path.normpath(sys.argv[0])
    print(f"Next: {program} init --name NAME --relay ADDRESS; then up, and invite. See the README.")


def _meet(stage: Stage) -> None:
    link = stage.invite("alice")
    _tell("Alice makes an invitation and gives Bob the link:", f"  {link}")
    number = stage.accept("bob", link, "alice")
    _tell("Bob accepts. Both see the same safety number:", f"  {number}")


def _talk(stage: Stage, lines: tuple[tuple[str, str], ...]) -> None:
    _tell("They talk. (Here receipts leave at once; those of a real node take minutes, since they can tell on people.)")
    for name, text in lines:
        stage.ask(name, "POST", "/v1/messages", {"contact": 1, "text": text})
        stage.until(partial(stage.is_state, name, text, "delivered"), f"{text!r} did not arrive")
        print(f"  {name.capitalize()}: {text}  [delivered]")


def _lose_a_relay(stage: Stage) -> RelayView:
    """Bob is away, the relay that holds his messages is killed with -9, and comes back."""
    stage.stop("bob", signal.SIGTERM)
    _tell("Bob's node is switched off. Alice goes on:")
    for name, text in SAID_WHILE_AWAY:
        stage.ask(name, "POST", "/v1/messages", {"contact": 1, "text": text})
        stage.until(partial(stage.is_state, name, text, "relayed"), f"{text!r} was not relayed")
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
        stage.until(partial(stage.is_state, name, text, "delivered"), f"{text!r} did not arrive")
    expected = [text for _, text in lines]
    for name in ("alice", "bob"):
        shown = [row["text"] for row in all_messages(stage.client(name), None, 0)]
        if shown != expected:
            raise WorldError(f"The demo failed: {name} was shown {json.dumps(shown)}, not {json.dumps(expected)}.")
    _tell(f"All {len(expected)} messages are there, once each, in the same order at both ends, and delivered.")


def _tell(*lines: str) -> None:
    print("\n" + "\n".join(lines), flush=True)


def _place(stack: ExitStack, keep: Path | None) -> Path:
    if keep is not None:
        keep.mkdir(mode=0o700, parents=True)
        return keep.resolve()
    place = Path(tempfile.mkdtemp(prefix="kassiber-demo-"))
    stack.callback(shutil.rmtree, place, ignore_errors=True)
    return place
