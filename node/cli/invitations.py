"""`kassiber invitations`: what became of those that were made; withdrawing one."""

from cyclopts import App

from node.cli.exits import NoInputError
from node.cli.profiles import GATHER_SECONDS, HERE, SETTLE_SECONDS, Json, Where, node_for
from node.cli.terminal import clock, print_json, print_table

app = App(name="invitations", help="List invitations, or withdraw one.")


@app.default
def list_invitations(*, json: Json = False, where: Where = HERE) -> None:
    """List invitations. One that was opened while nobody became a contact may have been stolen."""
    with node_for(where, gather=GATHER_SECONDS) as client:
        rows = client.request("GET", "/v1/invitations")["invitations"]
    if json:
        for row in rows:
            print_json(row)
    elif rows:
        print_table(
            ("", "FOR", "STATE", "OPENED", "GOOD UNTIL"),
            (
                (
                    str(row["invitation"]),
                    row["name"] or "",
                    row["state"],
                    clock(row["claimed_at"] * 60.0) if row["claimed_at"] else "",
                    clock(row["expires"]),
                )
                for row in rows
            ),
        )
    else:
        print(f"No invitations yet. Make one: kassiber invite{where.words}")


@app.command
def withdraw(invitation: int, /, *, where: Where = HERE) -> None:
    """Withdraw an invitation: its relays forget it."""
    with node_for(where, settle=SETTLE_SECONDS) as client:
        rows = client.request("GET", "/v1/invitations")["invitations"]
        state = next((row["state"] for row in rows if row["invitation"] == invitation), None)
        if state is None:
            raise NoInputError(f"There is no invitation {invitation}. See: kassiber invitations{where.words}")
        if state not in {"open", "claimed"}:
            raise NoInputError(f"Invitation {invitation} is {state} already; there is nothing left to withdraw.")
        client.request("DELETE", f"/v1/invitations/{invitation}")
    print(f"Withdrew invitation {invitation}.")
