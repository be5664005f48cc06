"""`kassiber relays`: the relays that keep what this node cannot receive right now, and lists to take them from."""

import sys
import time
from base64 import b64encode
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from node.api.client import Client
from node.cli.exits import NoInputError
from node.cli.profiles import HERE, SETTLE_SECONDS, Json, Where, node_for
from node.cli.terminal import counted, day, print_json, print_table

app = App(
    name="relays",
    help="List, add or remove this node's relays; follow lists of relays.\n\n"
    "The list shows how each has served. CONNECTS: how long it took to connect, on average. ARRIVED: of the envelopes "
    "that it took, how many contacts have got, and how many they missed, so that they were sent again. LOOPS: of what "
    "this node sent to itself through it, how much came back (constant traffic, two relays or more).",
)
Address = Annotated[str, Parameter(help="kassiber://host:port/r#key, as `kassiber relay` prints it.")]
Number = Annotated[int, Parameter(help="As `kassiber relays lists` shows it.")]
SCHEMES = ("kassiber://", "kassibers://")


@app.default
def list_relays(*, json: Json = False, where: Where = HERE) -> None:
    """List this node's relays, in order of preference, and how each has served so far."""
    with node_for(where) as client:
        rows = client.request("GET", "/v1/relays")["relays"]
    if json:
        for row in rows:
            print_json(row | {"address": address(row)})
    elif rows:
        print_table(
            ("STATE", "CONNECTS", "ARRIVED", "LOOPS", "OPERATOR", "ADDRESS"),
            (
                (
                    row["state"],
                    connects(row),
                    arrived(row),
                    loops(row),
                    ", ".join(row["operators"]) or "-",
                    address(row),
                )
                for row in rows
            ),
        )
    else:
        print(
            f"No relays. Add one, better two: kassiber relays add ADDRESS{where.words}; "
            f"or follow a list: kassiber relays follow LIST{where.words}"
        )


@app.command
def add(relay: Address, /, *, where: Where = HERE) -> None:
    """Add a relay, as the last one. Contacts are told."""
    with node_for(where, settle=SETTLE_SECONDS) as client:
        known = _addresses(client)
        if relay.strip() not in known:
            client.request("PUT", "/v1/relays", {"relays": [*known, relay]})
            known.append(relay.strip())
    print(f"This node has {counted(len(known), 'relay')}. Contacts are told where they change.")


@app.command
def remove(relay: Address, /, *, where: Where = HERE) -> None:
    """Remove a relay. Contacts are told; what it still holds is fetched first."""
    with node_for(where, settle=SETTLE_SECONDS) as client:
        known = _addresses(client)
        if relay.strip() not in known:
            raise NoInputError(f"{relay!r} is none of this node's relays. There are: {', '.join(known) or 'none'}")
        kept = [other for other in known if other != relay.strip()]
        client.request("PUT", "/v1/relays", {"relays": kept})
    print(f"This node has {counted(len(kept), 'relay')} now. Contacts are told.")


@app.command
def follow(
    source: Annotated[
        str,
        Parameter(
            allow_leading_hyphen=True,
            help="A file, - for standard input, a text (kassiber-relays:...), a link, a relay's address.",
        ),
    ],
    /,
    *,
    publisher: Annotated[
        str | None, Parameter(allow_leading_hyphen=True, help="Whose list it must be: 43 characters.")
    ] = None,
    json: Json = False,
    where: Where = HERE,
) -> None:
    """Take a signed list of relays, or the next one of the same publisher.

    A node that has no relay takes two of different operators at once. A list that was signed by somebody else, is over,
    or is older than the one before changes nothing.
    """
    body: dict[str, Any] = {"publisher": publisher}
    if source.lstrip().startswith(SCHEMES):
        body["source"] = source
    else:
        body["list"] = b64encode(_read(source)).decode()
    with node_for(where, settle=SETTLE_SECONDS) as client:
        taken = client.request("POST", "/v1/relay-lists", body)
    if json:
        print_json(taken)
        return
    print(f"{'Following' if taken['first'] else 'The next list of'} {taken['publisher']} (list {taken['list']})")
    if taken["first"] and publisher is None:
        print("Nobody but whoever gave it to you says that this is the publisher that you mean: compare its key.")
    _print_chosen(taken["chosen"])
    if taken["too_few"]:
        print(f"This node has no relay yet. {taken['too_few']}")


@app.command
def lists(number: Annotated[int | None, Parameter(help="Show what this one names.")] = None, /, *,
          json: Json = False, where: Where = HERE) -> None:  # fmt: skip
    """Show the lists that are followed, or the relays that one of them names."""
    with node_for(where) as client:
        if number is not None:
            rows = client.request("GET", f"/v1/relay-lists/{number}")["relays"]
        else:
            rows = client.request("GET", "/v1/relay-lists")["lists"]
    if json:
        for row in rows:
            print_json(row)
    elif number is not None:
        print_table(("OPERATOR", "ADDRESS"), ((row["operator"], row["address"]) for row in rows))
    elif rows:
        print_table(
            ("LIST", "PUBLISHER", "RELAYS", "OPERATORS", "HOLDS UNTIL", "FROM"),
            (
                (str(row["list"]), row["publisher"], str(row["relays"]), str(row["operators"]), _until(row),
                 row["source"] or "a file")
                for row in rows
            ),
        )  # fmt: skip
    else:
        print(f"No lists. Follow one: kassiber relays follow FILE{where.words}, or a link, or a relay's address")


@app.command
def unfollow(number: Number, /, *, where: Where = HERE) -> None:
    """Forget a list and its publisher. Relays that were taken from it stay."""
    with node_for(where) as client:
        client.request("DELETE", f"/v1/relay-lists/{number}")


@app.command
def choose(
    *,
    count: Annotated[int, Parameter(help="How many relays this node is to have.")] = 2,
    json: Json = False,
    where: Where = HERE,
) -> None:
    """Take relays of different operators from the lists that are followed. Contacts are told."""
    with node_for(where, settle=SETTLE_SECONDS) as client:
        chosen = client.request("POST", "/v1/relays", {"relays": count})["chosen"]
    if json:
        for row in chosen:
            print_json(row)
    else:
        _print_chosen(chosen)


@app.command
def sign(
    listing: Annotated[Path, Parameter(help="A text file: a relay's address and its operator's name on each line.")],
    /,
    *,
    key: Annotated[
        Path, Parameter(help="The publisher's key; made if missing. Keep it: a new one is a new publisher.")
    ],
    output: Annotated[Path, Parameter(help="Where the signed list goes; the next one gets a higher number.")],
    days: Annotated[int, Parameter(help="For how long it holds, 366 at most.")] = 90,
    text: Annotated[bool, Parameter(negative="", show_default=False, help="Print it as a text to paste, too.")] = False,
) -> None:
    """Sign a list of relays for others to follow. Needs no profile and no node."""
    from node.relay_listing import sign_listing
    from protocol.relays.links import to_text

    signed = sign_listing(listing, key, output, days)
    print(f"Signed list {signed.serial}: {signed.relays} relays of {signed.operators} operators, for {days} days")
    print(f"Publisher {signed.publisher}")
    if signed.operators < 2:
        print("It names one operator: nobody without relays of their own can choose two from it.", file=sys.stderr)
    print(f"Have a relay offer it: kassiber relay --directory DIRECTORY --list {output}")
    if text:
        print(to_text(signed.encoded))


def address(row: dict[str, Any]) -> str:
    """Of a relay as the API lists it."""
    scheme, _, authority = row["host"].partition("://")
    return f"{'kassibers' if scheme == 'wss' else 'kassiber'}://{authority}/r#{row['key']}"


def connects(row: dict[str, Any]) -> str:
    """How long connecting takes."""
    seconds = row["connect_seconds"]
    return "-" if seconds is None else f"{seconds * 1_000:.0f} ms" if seconds < 1.0 else f"{seconds:.1f} s"


def arrived(row: dict[str, Any]) -> str:
    """Of the envelopes that it had custody of and that anything is known of."""
    if not row["kept"] and not row["missed"]:
        return "-"
    return f"{row['kept']}" + (f", {row['missed']} missed" if row["missed"] else "")


def loops(row: dict[str, Any]) -> str:
    """Of what this node sent to itself, how much came back."""
    returned = row["loops_returned"]
    sent = returned + row["loops_lost"]
    return f"{returned} of {sent}" if sent else "-"


def is_over(row: dict[str, Any]) -> bool:
    """Whether a list has expired."""
    return bool(row["expires"] <= time.time())


def _until(row: dict[str, Any]) -> str:
    return day(row["expires"]) + (" (over)" if is_over(row) else "")


def _print_chosen(chosen: list[dict[str, Any]]) -> None:
    for row in chosen:
        print(f"Took {row['address']} of {', '.join(row['operators'])}")


def _read(source: str) -> bytes:
    """Raises NoInputError; longer than any list is only found out where it is read."""
    from protocol.relays.links import MAX_LIST_FILE_BYTES, TEXT_PREFIX

    if source.lstrip().startswith(TEXT_PREFIX):
        return source.encode(errors="replace")
    if source == "-":
        return sys.stdin.buffer.read(MAX_LIST_FILE_BYTES)
    try:
        with Path(source).open("rb") as file:
            return file.read(MAX_LIST_FILE_BYTES)
    except (FileNotFoundError, IsADirectoryError):
        raise NoInputError(f"{source!r} is no file; nor is it a link, an address or a text of a list.") from None


def _addresses(client: Client) -> list[str]:
    return [address(row) for row in client.request("GET", "/v1/relays")["relays"]]
