"""Envelopes, payloads, fragments, content, and what is signed towards a relay."""

from typing import Any

from protocol.crypto import proofs
from protocol.crypto.suite import RealSuite
from protocol.envelope import items as all_items
from protocol.envelope.content import Text, decode_content, encode_content
from protocol.envelope.envelope import envelope_is_signed, parse_envelope, seal_envelope
from protocol.envelope.fragments import cut_fragment, fragment_count, join_fragments
from protocol.keys import MessageId, Minute, RecipientKey, SenderKey, SendId
from protocol.session.invitation import Route
from protocol.wire.commands import Link, Role
from tests.vectors.runners.given import Given, Result
from tests.vectors.runners.wire import plain
from tests.vectors.scenario import from_hex

SUITE = RealSuite()
_SHAPES: dict[str, Any] = {
    "received": all_items.Received,
    "fragment": all_items.Fragment,
    "receipt": all_items.Receipt,
    "new_routes": all_items.NewRoutes,
    "profile": all_items.Profile,
    "senders": all_items.Senders,
    "discovery": all_items.Discovery,
}
_TEXTS = {"name", "host"}


def envelope(given: Given) -> Result:
    """Seals, and parses to the same."""
    key, send_id, body = SUITE.signing_key(given.raw("sender_seed")), SendId(given.raw("send_id")), given.raw("body")
    sealed, digest = seal_envelope(SUITE, key, send_id, body)
    parsed = parse_envelope(sealed)
    assert (parsed.send_id, parsed.body, parsed.digest) == (send_id, body, digest)
    assert envelope_is_signed(SUITE, SenderKey(key[32:]), digest, parsed.signature)
    return {"envelope": sealed, "digest": digest}


def envelope_signed(given: Given) -> Result:
    """Whether the signature holds."""
    parsed = parse_envelope(given.raw("envelope"))
    key = SenderKey(given.raw("sender_key"))
    return {"signed": envelope_is_signed(SUITE, key, parsed.digest, parsed.signature)}


def envelope_read(given: Given) -> Result:
    """Parses."""
    return {"send_id": parse_envelope(given.raw("envelope")).send_id}


def _built(shape: Any, values: dict[str, Any]) -> Any:
    fields: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, str) and name not in _TEXTS:
            fields[name] = from_hex(value)
        elif isinstance(value, list):
            inner = Route if name == "routes" else all_items.Sender
            fields[name] = [
                _built(inner, one) if isinstance(one, dict) else from_hex(one) if isinstance(one, str) else one
                for one in value
            ]
        else:
            fields[name] = value
    return shape(**fields)


def payload(given: Given) -> Result:
    """Packs the items, and unpacks the same."""
    built = []
    for one in given.values["items"]:
        fields = dict(one)
        built.append(_built(_SHAPES[fields.pop("kind")], fields))
    padded = all_items.pad_items([all_items.encode_item(item) for item in built], given.number("size"))
    assert all_items.unpad_items(padded) == built
    return {"payload": padded}


def payload_read(given: Given) -> Result:
    """Unpacks."""
    return {"items": plain(all_items.unpad_items(given.raw("payload")))}


def fragments(given: Given) -> Result:
    """Cuts, and joins to the same."""
    content = given.raw("content")
    chunks = [cut_fragment(content, index) for index in range(fragment_count(content))]
    assert join_fragments(chunks) == content
    return {"chunks": chunks}


def fragments_join(given: Given) -> Result:
    """Joins."""
    return {"content": join_fragments(given.raws("chunks"))}


def content(given: Given) -> Result:
    """Encodes, and decodes to the same."""
    parents = [MessageId(parent) for parent in given.raws("parents")]
    text = Text(MessageId(given.raw("message_id")), parents, Minute(given.number("minute")), given.raw("text").decode())
    encoded = encode_content(text)
    assert decode_content(encoded) == text
    return {"encoded": encoded}


def content_read(given: Given) -> Result:
    """Decodes."""
    return {"text": decode_content(given.raw("encoded")).text}


def receive_id(given: Given) -> Result:
    """The recipient's name for a queue."""
    return {"receive_id": proofs.receive_id(RecipientKey(given.raw("recipient_key")))}


def signed(given: Given) -> Result:
    """The bytes under a signature, and the signature."""
    message = _message(given.text("what"), given.inner("fields"))
    key = SUITE.signing_key(given.raw("seed"))
    signature = SUITE.sign(key, message)
    assert SUITE.verify(key[32:], message, signature)
    return {"message": message, "signature": signature}


def _message(what: str, fields: Given) -> bytes:
    named: Any = {name: from_hex(value) if isinstance(value, str) else value for name, value in fields.values.items()}
    match what:
        case "create":
            link = named["link"] and _built(Link, named["link"])
            return proofs.create_message(
                named["handshake_hash"], named["recipient_key"], named["send_id"], named["claim_key"], link
            )
        case "claim":
            return proofs.claim_message(named["relay_key"], named["id"], named["sender_key"])
        case "prove":
            return proofs.prove_message(named["handshake_hash"], Role(named["role"]), named["id"])
        case _:
            return proofs.custody_message(named["minute"], named["retention_days"], fields.raws("digests"))  # type: ignore[arg-type]


RUNNERS = {
    "envelope": envelope,
    "envelope_signed": envelope_signed,
    "envelope_read": envelope_read,
    "payload": payload,
    "payload_read": payload_read,
    "fragments": fragments,
    "fragments_join": fragments_join,
    "content": content,
    "content_read": content_read,
    "receive_id": receive_id,
    "signed": signed,
}
