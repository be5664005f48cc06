"""`kassiber invite`: a link, a QR code, a file; each good for one person, once."""

import base64
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from node.cli.exits import UsageError
from node.cli.profiles import HERE, SETTLE_SECONDS, Json, Where, node_for
from node.cli.terminal import clock, print_json
from node.files import write_private
from protocol.limits import INVITATION_DAYS, MAX_INVITATION_DAYS

DAY_MINUTES = 1_440


def invite(
    *,
    name: Annotated[str | None, Parameter(help="What you call who accepts, whatever they call themselves.")] = None,
    days: Annotated[float, Parameter(help="How long it is good for, at most 30.")] = INVITATION_DAYS,
    file: Annotated[Path | None, Parameter(help="Write the invitation itself to this file, too.")] = None,
    qr: Annotated[bool | None, Parameter(help="Show the QR code; as a rule on a terminal only.")] = None,
    json: Json = False,
    where: Where = HERE,
) -> None:
    """Make an invitation for one person. Pass it on so that nobody else sees it: who opens it first is your contact."""
    if not 1.0 / DAY_MINUTES <= days <= MAX_INVITATION_DAYS:
        raise UsageError(
            f"--days {days:g}: an invitation is good for a minute at least, {MAX_INVITATION_DAYS} days at most."
        )
    lifetime = round(days * DAY_MINUTES)
    with node_for(where, settle=SETTLE_SECONDS) as client:
        made = client.request("POST", "/v1/invitations", {"name": name, "lifetime_minutes": lifetime})
    if file is not None:
        write_private(file, base64.b64decode(made["file"]))
    if json:
        print_json(made)
        return
    print(made["link"])
    if qr or (qr is None and sys.stdout.isatty()):
        import segno

        segno.make(made["link"], error="l", micro=False).terminal(compact=True)
    held = "two relays hold it" if made["relays"] > 1 else "one relay holds it"
    print(f"One person may accept it, once, until {clock(made['expires'])}; {held}.", file=sys.stderr)
    if not client.is_running():
        print(f"It becomes a contact when your node runs after that: kassiber up{where.words}", file=sys.stderr)
