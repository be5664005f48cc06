"""`kassiber chat`: a conversation as it happens; typed lines are sent."""

import json as json_module
import os
import sys
import threading
from collections import deque
from collections.abc import Iterable
from typing import Annotated, Any

from cyclopts import Parameter

from node.api.client import Client, Stream
from node.cli.contacts import find_contact
from node.cli.exits import tell
from node.cli.inbox import all_messages, format_message, see
from node.cli.profiles import HERE, SETTLE_SECONDS, Json, Where, node_for
from node.cli.send import decode
from node.cli.terminal import indented, print_json, visible
from protocol.errors import KassiberError
from protocol.limits import MAX_TEXT_BYTES

SHOWN_AT_FIRST = 20
REMEMBERED = 256
"""Own messages whose later states can still be shown beside their text."""


def chat(
    contact: str,
    /,
    *,
    after: Annotated[int | None, Parameter(help="Start after this change number; 0: from the beginning.")] = None,
    json: Json = False,
    where: Where = HERE,
) -> None:
    """Follow a conversation: what comes, and how far each of your messages has come (queued, relayed, delivered).

    Each line that you type is sent. Ctrl-D ends. With --json all changes of the conversation after N are printed, then
    each as it comes, until interrupted; a reader resumes with the change number of the last complete line.
    """
    with node_for(where, settle=SETTLE_SECONDS) as client:
        row = find_contact(client, contact)
        if json:
            Conversation(client, row, client.changes(after or 0), ends_with_input=False).follow_as_json()
        else:
            _chat_on_terminal(client, row, after, where.words)


def _chat_on_terminal(client: Client, row: dict[str, Any], after: int | None, words: str) -> None:
    name = visible(row["name"])
    mark = "verified" if row["verified"] else f"not verified: kassiber verify {row['contact']}{words}"
    print(f"-- {name} ({mark}). Lines are sent; Ctrl-D ends. --")
    cursor = client.request("GET", "/v1/status")["last_change"] if after is None else after
    recent: deque[dict[str, Any]] = deque(maxlen=SHOWN_AT_FIRST)
    if after is None:
        recent.extend(shown for shown in all_messages(client, row["contact"], 0) if shown["change"] <= cursor)
    for shown in recent:
        print(format_message(shown, row["name"]))
    sys.stdout.flush()  # who reads through a pipe sees it before anything more happens
    see(client, row["contact"], cursor)
    Conversation(client, row, client.changes(cursor), ends_with_input=True, shown=recent).follow()


class Conversation:
    """One contact's changes on standard output, lines of standard input on their way."""

    def __init__(
        self, client: Client, contact: dict[str, Any], stream: Stream, ends_with_input: bool,
        shown: Iterable[dict[str, Any]] = (),
    ) -> None:  # fmt: skip
        """`shown`: messages that stand there already; what becomes of them is told too."""
        self._client = client
        self._contact = contact
        self._stream = stream
        self._ends_with_input = ends_with_input
        self._texts: dict[str, str] = {}
        for message in shown:
            self._remember(message)
        # A daemon: a read that waits for a terminal cannot be ended from here.
        threading.Thread(target=self._send_lines, name="input", daemon=True).start()

    def follow_as_json(self) -> None:
        """Until interrupted, or the node ends (NotRunningError)."""
        for change in self._changes():
            print_json(change)

    def follow(self) -> None:
        """The same for people, until input ends."""
        for change in self._changes():
            if change["kind"] == "message":
                self._remember(change)
                print(format_message(change, self._contact["name"]), flush=True)
                if not change["mine"]:
                    see(self._client, self._contact["contact"], change["change"])
            else:
                text = self._texts.get(change["message_id"], change["message_id"][:8])
                print(f"      [{change['state']}] {indented(text, 6)[:60]}", flush=True)

    def _changes(self) -> Any:
        for line in self._stream:
            change = json_module.loads(line or b"{}")
            if change.get("kind") in {"message", "state"} and change["contact"] == self._contact["contact"]:
                yield change

    def _remember(self, message: dict[str, Any]) -> None:
        if message["mine"]:
            self._texts[message["message_id"]] = message["text"].partition("\n")[0]
            if len(self._texts) > REMEMBERED:
                del self._texts[next(iter(self._texts))]

    def _send_lines(self) -> None:
        """Unbuffered: a buffer's lock that a waiting thread holds would stop the interpreter from ending."""
        partial = b""
        while piece := os.read(sys.stdin.fileno(), 65_536):
            *lines, partial = (partial + piece).split(b"\n")
            for line in lines:
                self._send(line)
            if len(partial) > MAX_TEXT_BYTES:
                self._send(partial)
                partial = b""
        if partial:
            self._send(partial)
        if self._ends_with_input:
            self._stream.leave()

    def _send(self, line: bytes) -> None:
        if not line:
            return
        try:
            body = {"contact": self._contact["contact"], "text": decode(line, "The line")}
            self._client.request("POST", "/v1/messages", body)
        except KassiberError as error:
            tell(error)
