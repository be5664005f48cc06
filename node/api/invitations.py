"""/v1/invitations: one-time capabilities to become a contact."""

from typing import Annotated

from msgspec import Meta, Struct

from node.api.contract import Call, Reply
from protocol.limits import INVITATION_DAYS, MAX_INVITATION_DAYS
from protocol.operations import CancelInvitation, Invite

DAY_MINUTES = 1_440


class NewInvitation(Struct, frozen=True, forbid_unknown_fields=True):
    lifetime_minutes: Annotated[int, Meta(ge=1, le=MAX_INVITATION_DAYS * DAY_MINUTES)] = INVITATION_DAYS * DAY_MINUTES
    name: str | None = None
    """What to call who accepts, whatever they call themselves."""


async def list_invitations(call: Call) -> Reply:
    """GET: all that are remembered, with what became of them; never their secrets."""
    return Reply({"invitations": await call.node.read(lambda reader: reader.invitations())})


async def invite(call: Call) -> Reply:
    """POST: answers once a relay holds it. `link` is to be shared; `file` (base64) holds the same whole."""
    wanted = call.read_body(NewInvitation)
    return Reply(await call.node.request(Invite(wanted.lifetime_minutes, wanted.name)), 201)


async def cancel(call: Call) -> Reply:
    """DELETE /v1/invitations/N: withdraw it."""
    await call.node.request(CancelInvitation(call.arguments[0]))
    return Reply({})
