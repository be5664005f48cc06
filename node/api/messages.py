"""/v1/messages: texts, in the order in which they were shown."""

from msgspec import Struct

from node.api.contract import Call, Reply
from node.api.errors import ApiError
from node.api.limits import PAGE_ROWS
from protocol.limits import MAX_TEXT_BYTES
from protocol.operations import Queued, SendText


class NewMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """`text` comes and goes as it is: NUL is text, nothing is normalised."""

    contact: int
    text: str


class QueuedMessage(Struct, frozen=True):
    message_id: str
    change: int


async def list_messages(call: Call) -> Reply:
    """GET: at most 256 rows above `after`, of one `contact` or of all; `next` is the next page's `after`."""
    contact = call.number("contact", 0) or None
    after = call.number("after", 0)
    rows = await call.node.read(lambda reader: reader.messages(contact, after, PAGE_ROWS))
    return Reply({"messages": rows, "next": rows[-1].change if len(rows) == PAGE_ROWS else None})


async def send(call: Call) -> Reply:
    """POST: 202 once the text is durable here; what becomes of it are changes."""
    wanted = call.read_body(NewMessage)
    if len(wanted.text.encode()) > MAX_TEXT_BYTES:
        raise ApiError("too_large", f"A text has at most {MAX_TEXT_BYTES:,} bytes of UTF-8.")
    queued: Queued = await call.node.request(SendText(wanted.contact, wanted.text))
    return Reply(QueuedMessage(queued.message_id.hex(), queued.change), 202)
