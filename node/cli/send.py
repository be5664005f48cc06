"""`kassiber send`: a text from the command line, from standard input byte for byte, or from an editor."""

import json
import math
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from node.api.client import Client
from node.cli.contacts import find_contact
from node.cli.exits import OK, QUEUED, BadTextError, UsageError
from node.cli.profiles import HERE, Json, Where, node_for
from node.cli.terminal import print_json, visible
from node.files import make_private_directory
from node.profile import runtime_directory
from protocol.errors import CallerError
from protocol.limits import MAX_TEXT_BYTES


def send(
    contact: str,
    text: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    /,
    *,
    wait: Annotated[float, Parameter(help="Seconds to wait until a relay has it.")] = 10.0,
    json: Json = False,
    where: Where = HERE,
) -> int:
    """Send a text to a contact, named or by number.

    Without TEXT, or with -, standard input is sent as it is, final newline included; on a terminal $EDITOR opens.
    Ends with 0 once a relay or the contact has the text, with 75 while it is only queued here.
    """
    if text is not None and text.startswith("-") and text != "-" and "--" not in sys.argv:
        raise UsageError(f"{text} is no option of send. To send it as a text: kassiber send CONTACT -- {text}")
    if not 0.0 <= wait < math.inf:
        raise UsageError(f"--wait {wait:g}: it should be a number of seconds, 0 or more.")
    content = read_text(text)
    with node_for(where) as client:
        found = find_contact(client, contact)
        queued = client.request("POST", "/v1/messages", {"contact": found["contact"], "text": content})
        state = await_custody(client, queued["message_id"], queued["change"], wait)
    if json:
        print_json(queued | {"state": state})
    elif state == "queued":
        print(f"queued: no relay has it yet; {_what_next(where, client)}", file=sys.stderr)
    else:
        print(f"{state} to {visible(found['name'])}", file=sys.stderr)
    return QUEUED if state == "queued" else OK


def _what_next(where: Where, client: Client) -> str:
    if not client.is_running():
        return f"a running node will send it (kassiber up{where.words})"
    traffic = client.request("GET", "/v1/status")["traffic"]
    own_time = "" if traffic == "direct" else f", at times of its links' own ({traffic})"
    return f"the node that runs goes on{own_time} (kassiber status{where.words})"


def await_custody(client: Client, message_id: str, after: int, seconds: float) -> str:
    """The state of a message as soon as it is more than queued, else `queued` after so long."""
    for line in client.changes(after, seconds):
        change = json.loads(line or b"{}")
        if change.get("kind") == "state" and change["message_id"] == message_id and change["state"] != "queued":
            return str(change["state"])
    return "queued"


def read_text(argument: str | None) -> str:
    """The text as given; never changed but for an editor's last newline. Raises BadTextError."""
    if argument not in {None, "-"}:
        return decode(os.fsencode(argument or ""), "The text")
    if argument is None and sys.stdin.isatty():
        return decode(_edit(), "The text")
    return decode(sys.stdin.buffer.read(MAX_TEXT_BYTES + 1), "Standard input")


def decode(content: bytes, source: str) -> str:
    """Raises BadTextError: nothing, too much, or no UTF-8, with the offset of the first wrong byte."""
    if not content:
        raise BadTextError(f"{source} is empty: nothing was sent.")
    if len(content) > MAX_TEXT_BYTES:
        raise BadTextError(f"{source} is too long: a text has at most {MAX_TEXT_BYTES:,} bytes. Nothing was sent.")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise BadTextError(
            f"{source} is not UTF-8: byte {error.start} (0x{content[error.start]:02x}) does not fit. Nothing was sent."
        ) from None


def _edit() -> bytes:
    """What was written in the editor; the draft lies in the runtime directory, which most systems keep in memory."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    directory = runtime_directory()
    make_private_directory(directory)
    descriptor, name = tempfile.mkstemp(prefix="draft-", suffix=".txt", dir=directory)
    os.close(descriptor)
    draft = Path(name)
    try:
        ended = subprocess.run([*shlex.split(editor), name], check=False)  # noqa: S603 -- the person's own editor
        if ended.returncode != 0:
            raise BadTextError(f"The editor ended with {ended.returncode}: nothing was sent.")
        return draft.read_bytes().removesuffix(b"\n")
    except OSError as error:
        raise CallerError(f"The editor {editor!r} does not start: {error.strerror}. Set $EDITOR.") from error
    finally:
        draft.unlink(missing_ok=True)
