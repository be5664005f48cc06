"""`kassiber verify`: compare the safety number, which both ends compute from both identities."""

from typing import Annotated

from cyclopts import Parameter

from node.cli.contacts import find_contact
from node.cli.exits import BAD_TEXT, OK, BadTextError
from node.cli.profiles import HERE, Json, Where, node_for
from node.cli.terminal import print_json, visible

DIGITS = 60


def verify(
    contact: str,
    number: Annotated[
        list[str] | None, Parameter(help="What the other end shows: 60 digits, in groups or not.")
    ] = None,
    /,
    *,
    json: Json = False,
    where: Where = HERE,
) -> int:
    """Show the safety number; with NUMBER compare, and mark the contact verified or not.

    The same number at both ends means that nobody is in between. Compare it in person or over a call, not here.
    """
    with node_for(where) as client:
        row = find_contact(client, contact)
        if number is not None:
            same = digits("".join(number)) == digits(row["safety_number"])
            row = client.request("PATCH", f"/v1/contacts/{row['contact']}", {"verified": same})
    if json:
        print_json(row)
    elif number is None:
        print(row["safety_number"])
        print("Verified." if row["verified"] else "Not verified yet. Does the other end show the same? Then enter it:")
        if not row["verified"]:
            print(f"  kassiber verify {row['contact']} NUMBER{where.words}")
    elif row["verified"]:
        print(f"The numbers are the same. {visible(row['name'])} is verified.")
    else:
        print(f"NOT THE SAME. Somebody may be between you and {visible(row['name'])}. This end shows:")
        print(f"  {row['safety_number']}")
    return BAD_TEXT if number is not None and not row["verified"] else OK


def digits(text: str) -> str:
    """60 digits without what stands between them. Raises BadTextError."""
    found = "".join(character for character in text if character not in " -.\u00a0\t\n")
    if len(found) != DIGITS or not (found.isascii() and found.isdigit()):
        raise BadTextError(f"A safety number has {DIGITS} digits; this has {len(found)} characters.")
    return found
