"""`kassiber meet`: visible to whoever is on the same local network, for five minutes; calls, and a code to compare."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Annotated, Any

from cyclopts import Parameter

from node.api.client import Client
from node.api.errors import ApiError
from node.cli.exits import OK, UNAVAILABLE, tell
from node.cli.profiles import HERE, SETTLE_SECONDS, Json, Where, node_for
from node.cli.terminal import clock, print_json, visible
from protocol.errors import KassiberError

_SAME = {"y", "yes", "same"}
_DIFFERENT = {"n", "no", "different"}
MAX_LINE_BYTES = 4_096


def meet(
    *,
    name: Annotated[
        str | None, Parameter(help="What to be called here, for all to see; else what contacts are told.")
    ] = None,
    json: Json = False,
    where: Where = HERE,
) -> int:
    """Become contacts with somebody who stands beside you, without a link: both run this on the same local network.

    For five minutes everybody on the network can see you, by a name. Type the number of somebody in the list to call
    them, or wait to be called. Then compare the six digits aloud, and type yes only if they are the same. Ctrl-C ends.
    With --json each state is printed as it comes; lines typed are a number, yes, or no.
    """
    with node_for(where, settle=SETTLE_SECONDS) as client:
        state = client.request("POST", "/v1/meeting", {"name": name})
        try:
            last = _Screen(client, json, where.words).follow(state)
        except BaseException:
            _leave(client)
            raise
    return OK if last["over"] == "met" else UNAVAILABLE


def _leave(client: Client) -> None:
    try:
        client.request("DELETE", "/v1/meeting")
    except KassiberError:
        pass  # it has ended, and with it this


class _Screen:
    """What changes, on standard output; lines of standard input are what the person does."""

    def __init__(self, client: Client, json: bool, words: str) -> None:
        self._client = client
        self._json = json
        self._words = words
        self._call: dict[str, Any] | None = None

    def follow(self, begun: dict[str, Any]) -> dict[str, Any]:
        """Until it is over; the last state."""
        if not self._json:
            until = clock(time.time() + begun["seconds"])
            print(f"Until {until} everybody on this network can see you as {visible(begun['name'])}. Ctrl-C ends that.")
            print("Who do you want to become contacts with? They type: kassiber meet", flush=True)
        # A daemon: a read that waits for a terminal cannot be ended from here.
        threading.Thread(target=self._obey, name="input", daemon=True).start()
        before: dict[str, Any] = {"people": [], "call": None, "trouble": None, "anywhere": None}
        for state in self._states(begun):
            self._call = state["call"]
            if self._json:
                print_json(state)
            else:
                for line in news(before, state, self._words):
                    print(line, flush=True)
            before = state
        return before

    def _states(self, state: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield state
        while state["over"] is None:
            version = state["version"]
            state = self._client.request("GET", f"/v1/meeting?after={version}")
            if state["version"] != version or state["over"] is not None:
                yield state

    def _obey(self) -> None:
        """Unbuffered, as `chat` does. The end of input is no command: who is called may have none."""
        partial = b""
        while piece := os.read(sys.stdin.fileno(), 65_536):
            *lines, partial = (partial + piece).split(b"\n")
            partial = partial[:MAX_LINE_BYTES]
            for line in lines:
                if word := line.decode("utf-8", "replace").strip().lower():
                    self._do(word)

    def _do(self, word: str) -> None:
        try:
            if word in _SAME | _DIFFERENT:
                self._client.request("PUT", "/v1/meeting/call", {"same": word in _SAME})
            elif word.isascii() and word.isdigit() and len(word) < 10 and not self._compares():
                self._client.request("POST", "/v1/meeting/call", {"person": int(word)})
            else:
                wanted = "yes or no" if self._compares() else "the number of somebody in the list"
                print(f"kassiber: {visible(word)!r}? Type {wanted}.", file=sys.stderr, flush=True)
        except ApiError as error:
            if error.code != "unavailable":  # a call that failed is told as the state's trouble
                tell(error)
        except KassiberError as error:
            tell(error)

    def _compares(self) -> bool:
        return self._call is not None and self._call["code"] is not None


def news(before: dict[str, Any], state: dict[str, Any], words: str = "") -> Iterator[str]:
    """What a person is told of a change. `words`: what makes a command be about the same profile."""
    if before["anywhere"] is not False and state["anywhere"] is False and state["over"] is None:
        yield "There is no network now on which others could see you. Are you connected to the one that they are in?"
    known = {row["person"] for row in before["people"]}
    here = {row["person"] for row in state["people"]}
    for row in state["people"]:
        if row["person"] not in known:
            yield f"{row['person']:>4}  {visible(row['name'])}"
    for row in before["people"]:
        if row["person"] not in here:
            yield f"      {visible(row['name'])} ({row['person']}) has gone"
    if state["call"] != before["call"]:
        yield from _of_call(before["call"], state["call"])
    if state["trouble"] is not None and state["trouble"] != before["trouble"]:
        yield visible(state["trouble"])
        if state["wait_seconds"] > 1 and state["over"] is None:
            yield f"Another call is possible in {state['wait_seconds']:.0f} seconds."
    if state["over"] == "time":
        yield f"The five minutes are over. Nobody sees you any more; for more: kassiber meet{words}"
    elif state["over"] == "met":
        yield from _of_contact(before, state, words)


def _of_call(before: dict[str, Any] | None, call: dict[str, Any] | None) -> Iterator[str]:
    if call is None:
        return
    name = visible(call["name"])
    if before is None:
        yield f"Calling {name} ..." if call["calling"] else f"{name} calls you."
    if call["same"]:
        yield f"Waiting for {name} to say the same ..."
    elif call["same"] is None and call["code"] is not None:
        yield f"Code: {call['code'][:3]} {call['code'][3:]}. Does {name} see the same? Ask aloud, then type yes or no:"


def _of_contact(before: dict[str, Any], state: dict[str, Any], words: str) -> Iterator[str]:
    name = visible(before["call"]["name"]) if before["call"] else "They"
    if state["contact"] is not None:
        yield f"{name} is contact {state['contact']}. Write: kassiber chat {state['contact']}{words}"
    else:
        yield f"{name} has accepted, and is a contact as soon as their node has written: kassiber contacts{words}"
