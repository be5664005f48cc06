"""`kassiber inbox`: all messages, as they are now; and how a message looks on a terminal."""

from collections.abc import Iterator
from typing import Annotated, Any

from cyclopts import Parameter

from node.api.client import Client
from node.cli.contacts import find_contact
from node.cli.profiles import ANSWER_SECONDS, GATHER_SECONDS, HERE, Json, Where, node_for
from node.cli.terminal import clock, indented, print_json, visible


def inbox(
    contact: str | None = None,
    /,
    *,
    wait: Annotated[
        float, Parameter(help="Seconds to wait for what relays hold, where no node is running.")
    ] = GATHER_SECONDS,
    json: Json = False,
    where: Where = HERE,
) -> None:
    """Show messages, of one contact or of all, in the order in which they were shown. With --json they stay unread."""
    with node_for(where, gather=wait, settle=ANSWER_SECONDS) as client:
        names = {row["contact"]: row["name"] for row in client.request("GET", "/v1/contacts")["contacts"]}
        chosen = None if contact is None else find_contact(client, contact)["contact"]
        seen: dict[int, int] = {}
        for row in all_messages(client, chosen, 0):
            if json:
                print_json(row)
            else:
                print(format_message(row, names.get(row["contact"], "?"), addressed=chosen is None))
                seen[row["contact"]] = row["change"]
        for number, change in seen.items():
            see(client, number, change)


def see(client: Client, contact: int, change: int) -> None:
    """A person has looked at this conversation so far."""
    client.request("PATCH", f"/v1/contacts/{contact}", {"seen": change})


def all_messages(client: Client, contact: int | None, after: int) -> Iterator[dict[str, Any]]:
    """Page by page, so that a large mailbox is never in memory whole."""
    of_contact = "" if contact is None else f"&contact={contact}"
    cursor: int | None = after
    while cursor is not None:
        page = client.request("GET", f"/v1/messages?after={cursor}{of_contact}")
        yield from page["messages"]
        cursor = page["next"]


def format_message(row: dict[str, Any], name: str, addressed: bool = False) -> str:
    """`12:04 Bob: text`, or `12:05 you: text [relayed]`; `addressed` names whom ours went to."""
    shown = visible(name)
    author = (f"you to {shown}" if addressed else "you") if row["mine"] else shown
    head = f"{clock(row['at'])} {author}: "
    notes = [row["state"]] if row["mine"] else []
    if row["again"]:
        notes.append(f"sent again {row['again']}x")
    if row["missing_parent"]:
        notes.append("something earlier is missing")
    return head + indented(row["text"], len(head)) + (f" [{', '.join(notes)}]" if notes else "")
