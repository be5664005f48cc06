"""`kassiber contacts`: list, rename, remove; and how a command finds the contact that a person names."""

import sys
import unicodedata
from typing import Annotated, Any

from cyclopts import App, Parameter

from node.api.client import Client
from node.cli.exits import NoInputError
from node.cli.profiles import GATHER_SECONDS, HERE, SETTLE_SECONDS, Json, Where, node_for
from node.cli.terminal import print_json, print_table, visible

_STATES = {
    "waiting": "waiting for their first reply",
    "active": "",
    "refused": "this invitation was used by someone else, or withdrawn: ask for a new one",
    "closed": "they left",
}


app = App(name="contacts", help="List, rename or remove contacts.")


@app.default
def list_contacts(*, json: Json = False, where: Where = HERE) -> None:
    """List contacts: number, name, whether you compared safety numbers, unread messages, and by what way you write.

    nearby: over the local network, as long as they are there; direct: one of their routes is their own node.
    """
    with node_for(where, gather=GATHER_SECONDS) as client:
        rows = client.request("GET", "/v1/contacts")["contacts"]
    if json:
        for row in rows:
            print_json(row)
        return
    if not rows:
        print(f"No contacts yet. Make one: kassiber invite{where.words}, or kassiber accept LINK{where.words}")
        return
    print_table(
        ("", "NAME", "VERIFIED", "UNREAD", "ROUTE", "STATE"),
        (
            (
                str(row["contact"]),
                row["name"],
                "yes" if row["verified"] else "no",
                str(row["unread"] or ""),
                "nearby" if row["nearby"] else "direct" if row["direct"] else "relay",
                _STATES.get(row["state"], row["state"]) or ("they seem to have left" if row["refused"] else ""),
            )
            for row in rows
        ),
    )


@app.command
def rename(contact: str, name: str, /, *, where: Where = HERE) -> None:
    """Call a contact what you like; what they call themselves does not change it any more."""
    with node_for(where) as client:
        found = find_contact(client, contact)
        renamed = client.request("PATCH", f"/v1/contacts/{found['contact']}", {"name": name})
        rows = client.request("GET", "/v1/contacts")["contacts"]
    print(f"{visible(found['name'])} is called {visible(renamed['name'])} now.")
    alike = [str(row["contact"]) for row in rows if row["name"] == renamed["name"]]
    if len(alike) > 1:
        print(f"Contacts {', '.join(alike)} have one name now: write to them by their numbers.")


@app.command
def remove(
    contact: str,
    /,
    *,
    yes: Annotated[bool, Parameter(negative="", show_default=False, help="Do not ask at a terminal.")] = False,
    where: Where = HERE,
) -> None:
    """Remove a contact with all messages. Their way to you is gone: the queues are erased at the relays."""
    with node_for(where, settle=SETTLE_SECONDS) as client:
        found = find_contact(client, contact)
        name = visible(found["name"])
        if sys.stdin.isatty() and not yes and not _agrees(f"Remove {name}, and all messages with them, for good?"):
            print("Nothing was removed.")
            return
        client.request("DELETE", f"/v1/contacts/{found['contact']}")
    print(f"Removed {name}, and all messages with them.")


def _agrees(question: str) -> bool:
    try:
        return input(f"{question} y or n: ").strip().casefold() in {"y", "yes"}
    except EOFError:
        print()
        return False


def find_contact(client: Client, wanted: str) -> dict[str, Any]:
    """By number, by name, or by a name that differs in case only. Raises NoInputError where none or several match.

    The number first: whoever calls himself `1` gets nothing that is meant for contact 1.
    """
    rows: list[dict[str, Any]] = client.request("GET", "/v1/contacts")["contacts"]
    name = unicodedata.normalize("NFC", wanted)
    for matches in (
        [row for row in rows if str(row["contact"]) == name],
        [row for row in rows if row["name"] == name],
        [row for row in rows if row["name"].casefold() == name.casefold()],
    ):
        if len(matches) == 1:
            return matches[0]
        if matches:
            numbers = ", ".join(str(row["contact"]) for row in matches)
            raise NoInputError(f"Several contacts are called {name!r}. Use a number instead: {numbers}")
    known = ", ".join(row["name"] for row in rows[:20]) or "none yet"
    raise NoInputError(f"There is no contact {name!r}. There are: {known}")
