"""/v1/contacts: the people with whom there is a session."""

from msgspec import Struct
from msgspec.structs import asdict

from node.api.contract import Call, Reply
from node.api.errors import ApiError
from node.store.rows import ContactRow
from protocol.operations import Accept, MarkSeen, RemoveContact, SetContact


class Contact(ContactRow, frozen=True, kw_only=True):
    """Somebody with whom there is a session, and how they are reached."""

    nearby: bool
    """Whether what is said to them goes over the local network now, for as long as they are there."""


class NewContact(Struct, frozen=True, forbid_unknown_fields=True):
    """An invitation to accept: its `link`, the bytes of its `file` (base64), or a `card`, as name@relay."""

    link: str | None = None
    file: bytes | None = None
    card: str | None = None
    name: str | None = None
    """What to call them here."""


class ContactPatch(Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays as it is."""

    name: str | None = None
    verified: bool | None = None
    seen: int | None = None
    """The person has looked at the conversation up to this change number."""


async def list_contacts(call: Call) -> Reply:
    """GET."""
    return Reply({"contacts": await _all(call)})


async def show(call: Call) -> Reply:
    """GET /v1/contacts/N."""
    return Reply(await _find(call))


async def accept(call: Call) -> Reply:
    """POST: answers with the contact's number once the invitation is claimed and stored."""
    wanted = call.read_body(NewContact)
    if (wanted.link, wanted.file, wanted.card).count(None) != 2:
        raise ApiError("bad_request", "Either a link, a file or a card is needed.")
    if wanted.card is not None:
        return Reply(await call.node.cards.accept(wanted.card, wanted.name), 201)
    return Reply(await call.node.request(Accept(wanted.link, wanted.file, wanted.name)), 201)


async def change(call: Call) -> Reply:
    """PATCH /v1/contacts/N: rename, mark verified or not, mark seen."""
    wanted = call.read_body(ContactPatch)
    if wanted.name is not None or wanted.verified is not None:
        await call.node.request(SetContact(call.arguments[0], wanted.name, wanted.verified))
    if wanted.seen is not None:
        await call.node.request(MarkSeen(call.arguments[0], wanted.seen))
    return Reply(await _find(call))


async def remove(call: Call) -> Reply:
    """DELETE /v1/contacts/N: with its queues, keys and messages."""
    await call.node.request(RemoveContact(call.arguments[0]))
    return Reply({})


async def _all(call: Call) -> list[Contact]:
    rows = await call.node.read(lambda reader: reader.contacts())
    nearby = call.node.nearby()
    return [Contact(**asdict(row), nearby=row.contact in nearby) for row in rows]


async def _find(call: Call) -> Contact:
    for row in await _all(call):
        if row.contact == call.arguments[0]:
            return row
    raise ApiError("not_found", f"There is no contact {call.arguments[0]}.")
