"""`kassiber relays`: the relays that keep what this node cannot receive right now."""

from typing import Annotated, Any

from cyclopts import App, Parameter

from node.api.client import Client
from node.cli.exits import NoInputError
from node.cli.profiles import HERE, SETTLE_SECONDS, Json, Where, node_for
from node.cli.terminal import print_json, print_table

app = App(name="relays", help="List, add or remove this node's relays.")
Address = Annotated[str, Parameter(help="kassiber://host:port/r#key, as `kassiber relay` prints it.")]


@app.default
def list_relays(*, json: Json = False, where: Where = HERE) -> None:
    """List this node's relays, in order of preference."""
    with node_for(where) as client:
        rows = client.request("GET", "/v1/relays")["relays"]
    if json:
        for row in rows:
            print_json(row | {"address": address(row)})
    elif rows:
        print_table(("STATE", "ADDRESS"), ((row["state"], address(row)) for row in rows))
    else:
        print("No relays. Add one, better two: kassiber relays add ADDRESS")


@app.command
def add(relay: Address, /, *, where: Where = HERE) -> None:
    """Add a relay, as the last one. Contacts are told."""
    with node_for(where, settle=SETTLE_SECONDS) as client:
        known = _addresses(client)
        if relay.strip() not in known:
            client.request("PUT", "/v1/relays", {"relays": [*known, relay]})


@app.command
def remove(relay: Address, /, *, where: Where = HERE) -> None:
    """Remove a relay. Contacts are told; what it still holds is fetched first."""
    with node_for(where, settle=SETTLE_SECONDS) as client:
        known = _addresses(client)
        if relay.strip() not in known:
            raise NoInputError(f"{relay!r} is none of this node's relays. There are: {', '.join(known) or 'none'}")
        client.request("PUT", "/v1/relays", {"relays": [other for other in known if other != relay.strip()]})


def address(row: dict[str, Any]) -> str:
    """Of a relay as the API lists it."""
    scheme, _, authority = row["host"].partition("://")
    return f"{'kassibers' if scheme == 'wss' else 'kassiber'}://{authority}/r#{row['key']}"


def _addresses(client: Client) -> list[str]:
    return [address(row) for row in client.request("GET", "/v1/relays")["relays"]]
