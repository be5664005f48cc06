"""`kassiber accept`: an invitation, as a link, a file, on standard input, or from a directory card."""

import base64
import re
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from node.cli.exits import BadTextError, NoInputError
from node.cli.profiles import HERE, SETTLE_SECONDS, Json, Where, node_for
from node.cli.terminal import print_json, visible

MAX_INVITATION_BYTES = 65_536
_CARD = re.compile(r"[A-Za-z0-9._-]+@.+:")
"""`name@host:port`, or `name@` and a relay's address."""
_SCHEMES = (b"kassiber://", b"kassibers://")


def accept(
    invitation: Annotated[
        str, Parameter(allow_leading_hyphen=True, help="A link, a file, - for standard input, or name@relay.")
    ],
    /,
    *,
    name: Annotated[str | None, Parameter(help="What to call them here.")] = None,
    json: Json = False,
    where: Where = HERE,
) -> None:
    """Accept an invitation. The person who made it is a contact once their node has answered."""
    body = read_invitation(invitation) | ({} if name is None else {"name": name})
    print("Asking the relay that holds it, or another way if that does not answer.", file=sys.stderr)
    with node_for(where, settle=SETTLE_SECONDS) as client:
        made = client.request("POST", "/v1/contacts", body)
        row = client.request("GET", f"/v1/contacts/{made['contact']}")
    if json:
        print_json(row)
        return
    print(f"Accepted. It is contact {row['contact']}, {visible(row['name'])}; waiting for their node to answer.")
    print(f"Compare safety numbers, best in person: kassiber verify {row['contact']}{where.words}")


def read_invitation(given: str) -> dict[str, str]:
    """What the API takes: `{"link"}`, `{"file"}` or `{"card"}`. Raises NoInputError, BadTextError."""
    if given.encode("utf-8", "surrogateescape").lstrip().startswith(_SCHEMES):
        return {"link": given.strip()}
    if _CARD.match(given) and not Path(given).exists():
        return {"card": given}
    if given == "-":
        content = sys.stdin.buffer.read(MAX_INVITATION_BYTES + 1)
    else:
        try:
            with Path(given).open("rb") as file:
                content = file.read(MAX_INVITATION_BYTES + 1)
        except OSError as error:
            raise NoInputError(
                f"{given!r} is neither a link (kassiber://...) nor a card (name@relay), nor a file that can be read: "
                f"{error.strerror}."
            ) from error
    if not content or len(content) > MAX_INVITATION_BYTES:
        raise BadTextError("That is no invitation: it is empty or too long. Ask for it again.")
    if content.lstrip().startswith(_SCHEMES):
        return {"link": content.decode("ascii", "replace").strip()}
    return {"file": base64.b64encode(content).decode()}
