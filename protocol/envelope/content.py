"""Content: the typed event that fragments carry (Spec 5 §5): [kind, message_id, parents, minute, text]."""

from typing import Annotated

from msgspec import Meta, Struct

from protocol.errors import Code, PeerError
from protocol.keys import MessageIdField, MinuteField
from protocol.limits import MAX_PARENTS, MAX_TEXT_BYTES
from protocol.wire.codec import Decoder, encode


class Text(Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=1):
    """A text, exactly as it was given: NUL is text, nothing is normalised."""

    message_id: MessageIdField
    parents: Annotated[list[MessageIdField], Meta(max_length=MAX_PARENTS)]
    minute: MinuteField
    text: Annotated[str, Meta(max_length=MAX_TEXT_BYTES)]


_contents: Decoder[Text] = Decoder(Text)


def encode_content(content: Text) -> bytes:
    """Canonical msgpack."""
    return encode(content)


def decode_content(data: bytes) -> Text:
    """Raises PeerError: MALFORMED, NON_CANONICAL, TOO_LARGE."""
    content = _contents.decode(data)
    if len(content.text.encode()) > MAX_TEXT_BYTES:
        raise PeerError(Code.TOO_LARGE, "a text of more than 262,144 bytes")
    if len(set(content.parents)) != len(content.parents) or content.message_id in content.parents:
        raise PeerError(Code.MALFORMED, "parents that repeat")
    return content
