"""`kassiber card`: be found under a name at a relay that keeps cards, or no more."""

import sys
from typing import Annotated

from cyclopts import App, Parameter

from node.cli.profiles import HERE, SETTLE_SECONDS, Json, Where, node_for
from node.cli.terminal import clock, print_json, print_table

app = App(name="card", help="Be found under a name at a relay, by whoever knows the name.")

At = Annotated[str | None, Parameter(help="The relay's address, or host:port of one that you know; else your first.")]


@app.default
def list_cards(*, json: Json = False, where: Where = HERE) -> None:
    """List the names under which you are found."""
    with node_for(where) as client:
        rows = client.request("GET", "/v1/cards")["cards"]
    if json:
        for row in rows:
            print_json(row)
    elif rows:
        print_table(
            ("NAME", "RELAY", "INVITATIONS", "GOOD UNTIL"),
            ((row["name"], row["host"], str(len(row["links"])), clock(row["expires"])) for row in rows),
        )
    else:
        print(f"You are found under no name. To be: kassiber card publish NAME{where.words}")


@app.command
def publish(name: str, /, *, relay: At = None, where: Where = HERE) -> None:
    """Be found as NAME: whoever knows it and the relay becomes a contact without being asked for.

    The relay must keep cards. The name is yours there while your node runs and renews it, and two weeks longer.
    """
    print("Making invitations; where links send at times of their own, that takes a minute or two.", file=sys.stderr)
    with node_for(where, settle=SETTLE_SECONDS) as client:
        client.request("POST", "/v1/cards", {"name": name, "relay": relay})
        rows = [row for row in client.request("GET", "/v1/cards")["cards"] if row["name"] == name]
    host = rows[-1]["host"].partition("://")[2]
    print(f"You are found as {name}@{host}. What others type: kassiber accept {name}@{rows[-1]['relay']}")
    print("Four people may take it at once; your node makes more invitations each hour while it runs.")


@app.command
def withdraw(name: str, /, *, relay: At = None, where: Where = HERE) -> None:
    """Be found as NAME no more. Those who are contacts already stay contacts."""
    with node_for(where, settle=SETTLE_SECONDS) as client:
        client.request("PUT", "/v1/cards/withdrawn", {"name": name, "relay": relay})
    print(f"You are found as {name} there no more.")
