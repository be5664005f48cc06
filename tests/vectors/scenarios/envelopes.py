"""Spec 5, and what Spec 8 has signed: envelopes, payloads, items, fragments, content, proofs."""

from collections.abc import Iterator
from typing import Any

from tests.vectors.independent import wire
from tests.vectors.independent.primitives import sign
from tests.vectors.independent.wire import ITEMS, pack
from tests.vectors.scenario import Draw, Scenario, altered


def scenarios() -> Iterator[Scenario]:
    """All of Spec 5, and signatures of Spec 8."""
    yield from _envelopes()
    yield from _items()
    yield from _bad_payloads()
    yield from _fragments()
    yield from _contents()
    yield from _bad_contents()
    yield from _proofs()


def _envelopes() -> Iterator[Scenario]:
    draw = Draw("envelopes")
    seed, send_id, body = draw(32), draw(16), draw(3_840)
    good = wire.envelope(seed, send_id, body)
    digest = wire.digest(send_id, body)
    yield Scenario(
        "envelope-sealed", "5 §2", "an envelope, its name, and its signature", "envelope",
        {"sender_seed": seed, "send_id": send_id, "body": body}, {"envelope": good, "digest": digest},
    )  # fmt: skip
    public = wire.public_of(seed)
    for name, key, envelope in (
        ("other-key", wire.public_of(draw(32)), good),
        ("body-altered", public, altered(good, 1_000)),
        ("send-id-altered", public, altered(good, 5)),
        ("signature-altered", public, altered(good, -1)),
        ("key-of-small-order", bytes(31) + b"\x80", good[:-64] + bytes(64)),
    ):
        yield Scenario(
            f"envelope-not-signed-{name}", "5 §2", f"a signature that does not hold: {name.replace('-', ' ')}",
            "envelope_signed", {"sender_key": key, "envelope": envelope}, {"signed": False},
        )  # fmt: skip
    cases = [
        ("version-2", "a version that this node does not know", b"\x94\x02" + good[2:], "version"),
        ("version-2-short", "another version may have another size", b"\x94\x02\xc4\x10", "version"),
        ("short", "a byte short", good[:-1], "malformed"),
        ("long", "a byte long", good + b"\0", "malformed"),
        ("empty", "nothing", b"", "malformed"),
        ("five-fields", "an array of five", b"\x95" + good[1:], "malformed"),
        ("id-header", "another header before the send id", good[:3] + b"\x11" + good[4:], "malformed"),
        ("body-header", "another header before the body", altered(good, 22), "malformed"),
        ("signature-header", "another header before the signature", altered(good, -65), "malformed"),
    ]
    for name, title, envelope, error in cases:
        yield Scenario(f"envelope-bad-{name}", "5 §2", title, "envelope_read", {"envelope": envelope}, error=error)


def _items() -> Iterator[Scenario]:
    draw = Draw("items")
    route: dict[str, Any] = {"host": "wss://relay.example:443", "relay": draw(32), "send_id": draw(16)}
    route |= {"claim_seed": draw(32), "direct": False}
    received = {"floor": 7, "total": 300, "missing": [12, 299]}
    longest = {"floor": 2**32 - 1, "total": 2**32 - 1, "missing": list(range(2**32 - 9, 2**32 - 1))}
    cases: list[tuple[str, str, list[tuple[str, dict[str, Any]]], int]] = [
        ("received", "what has come, and what has not", [("received", received)], 1_472),
        (
            "received-longest", "the longest `received` item",
            [("received", longest)], 1_472,
        ),
        (
            "fragment", "a whole chunk beside the longest `received` item",
            [
                ("received", longest),
                ("fragment", {"message_id": draw(16), "index": 200, "count": 256, "chunk": draw(1_384)}),
            ],
            1_472,
        ),
        ("receipt", "two messages are delivered", [("receipt", {"message_ids": [draw(16), draw(16)]})], 1_472),
        ("new-routes", "a new list of routes", [("new_routes", {"version": 2, "routes": [route]})], 1_472),
        (
            "handshake", "what a joiner says first",
            [
                ("senders", {"senders": [{"send_id": draw(16), "key": draw(32)}]}),
                ("new_routes", {"version": 1, "routes": [route, {**route, "direct": True}]}),
                ("profile", {"name": "Bob 🐦", "features": 0}),
            ],
            1_408,
        ),
        ("none", "no item", [], 1_472),
        (
            "discovery", "a secret, from somebody who lists that",
            [
                ("profile", {"name": "Bob", "features": 1}),
                ("discovery", {"version": 3, "secret": Draw("pair secret")(32)}),
            ],
            1_472,
        ),
    ]  # fmt: skip
    for name, title, items, size in cases:
        encoded = [pack([ITEMS[kind], *_values(fields)]) for kind, fields in items]
        yield Scenario(
            f"payload-{name}", "5 §3", title, "payload",
            {"size": size, "items": [{"kind": kind, **fields} for kind, fields in items]},
            {"payload": wire.payload(encoded, size)},
        )  # fmt: skip


def _values(fields: dict[str, Any]) -> list[Any]:
    return [
        [_values(inner) if isinstance(inner, dict) else inner for inner in value] if isinstance(value, list) else value
        for value in fields.values()
    ]


def _bad_payloads() -> Iterator[Scenario]:
    draw = Draw("bad payloads")
    receipt = pack([3, [draw(16)]])
    good = wire.payload([receipt], 1_472)
    fragment = [2, draw(16)]

    def one(item: bytes) -> bytes:
        return wire.payload([item], 1_472)

    cases = [
        ("padding", "padding that is not zero", good[:-1] + b"\1", "padding"),
        ("length", "a length past the end", b"\xff\xff" + good[2:], "malformed"),
        ("empty", "no array", bytes(1_472), "malformed"),
        ("kind-8", "an item that version 1 does not have", one(pack([8, 1])), "malformed"),
        ("field-more", "a field too many", one(pack([3, [draw(16)], 1])), "malformed"),
        ("non-canonical", "a receipt whose kind has two bytes", one(b"\x92\xcc\x03" + receipt[2:]), "non_canonical"),
        ("receipt-empty", "a receipt for nothing", one(pack([3, []])), "malformed"),
        ("receipt-65", "a receipt for 65 messages", one(pack([3, [draw(16) for _ in range(65)]])), "malformed"),
        ("missing-9", "nine missing indexes", one(pack([1, 0, 9, list(range(9))])), "malformed"),
        ("index-256", "a fragment past the 256th", one(pack([*fragment, 256, 256, b"a"])), "malformed"),
        ("count-0", "a fragment of none", one(pack([*fragment, 0, 0, b"a"])), "malformed"),
        ("chunk-empty", "an empty chunk", one(pack([*fragment, 0, 1, b""])), "malformed"),
        ("chunk-1385", "a chunk one byte too long", one(pack([*fragment, 0, 1, bytes(1_385)])), "malformed"),
        ("name-empty", "no name", one(pack([5, "", 0])), "malformed"),
        ("name-65-bytes", "a name of 63 characters and 65 bytes", one(pack([5, "a" * 61 + "éé", 0])), "malformed"),
        ("name-not-utf-8", "a name that is not UTF-8", one(b"\x93\x05\xa2\xc3\x28\x00"), "malformed"),
        ("name-bytes", "a name that is bytes", one(pack([5, b"Bob", 0])), "malformed"),
        ("secret-31", "a pair secret of 31 bytes", one(pack([7, 1, bytes(31)])), "malformed"),
        ("routes-none", "no route", one(pack([4, 1, []])), "malformed"),
    ]
    for name, title, payload, error in cases:
        yield Scenario(f"payload-bad-{name}", "5 §3", title, "payload_read", {"payload": payload}, error=error)


def _fragments() -> Iterator[Scenario]:
    draw = Draw("fragments")
    for name, content in (
        ("one", draw(100)),
        ("one-full", draw(1_384)),
        ("two", draw(1_385)),
        ("four", draw(3 * 1_384 + 10)),
    ):
        chunks = [content[at : at + 1_384] for at in range(0, len(content), 1_384)]
        yield Scenario(
            f"fragments-{name}", "5 §4", f"{len(content)} bytes of content", "fragments",
            {"content": content}, {"chunks": chunks},
        )  # fmt: skip
    yield Scenario(
        "fragments-bad-short", "5 §4", "a short fragment that is not the last", "fragments_join",
        {"chunks": [bytes(1_383), bytes(1)]}, error="malformed",
    )  # fmt: skip
    yield Scenario(
        "fragments-bad-long", "5 §4", "more than 300,000 bytes of content", "fragments_join",
        {"chunks": [bytes(1_384)] * 217}, error="too_large",
    )  # fmt: skip


def _contents() -> Iterator[Scenario]:
    draw = Draw("contents")
    for name, title, parents, text in (
        ("first", "a first text, without parents", 0, "Hello"),
        ("reply", "a text with two parents", 2, "Grüße 🕊\0\n"),
        ("empty", "an empty text, eight parents", 8, ""),
        ("not-normalised", "what is not normalised stays so", 1, "e\u0301 \u00e9 \u202e"),
        ("longest", "the longest text", 1, "ä" * 131_072),
    ):
        fields = {
            "message_id": draw(16),
            "parents": [draw(16) for _ in range(parents)],
            "minute": 29_700_000,
            "text": text,
        }
        encoded = pack([1, *fields.values()])
        yield Scenario(f"content-{name}", "5 §5", title, "content", _shortened(fields), {"encoded": encoded})


def _shortened(fields: dict[str, Any]) -> dict[str, Any]:
    """A text as its UTF-8, so that a long one stays readable."""
    return {**fields, "text": fields["text"].encode()}


def _bad_contents() -> Iterator[Scenario]:
    draw = Draw("bad contents")
    own, parent = draw(16), draw(16)
    cases = [
        ("kind-2", "a kind that version 1 does not have", pack([2, own, [], 1, "a"]), "malformed"),
        ("parents-9", "nine parents", pack([1, own, [draw(16) for _ in range(9)], 1, "a"]), "malformed"),
        ("parent-twice", "a parent twice", pack([1, own, [parent, parent], 1, "a"]), "malformed"),
        ("parent-itself", "its own parent", pack([1, own, [own], 1, "a"]), "malformed"),
        ("not-utf-8", "a text that is not UTF-8", pack([1, own, [], 1, "ab"])[:-2] + b"\xc3\x28", "malformed"),
        ("surrogate", "half of a surrogate pair", pack([1, own, [], 1, "abc"])[:-3] + b"\xed\xa0\x80", "malformed"),
        ("text-bytes", "a text that is bytes", pack([1, own, [], 1, b"a"]), "malformed"),
        ("minute", "a minute past 32 bits", pack([1, own, [], 2**32, "a"]), "malformed"),
        ("long", "262,146 bytes in 131,073 characters", pack([1, own, [], 1, "ä" * 131_073]), "too_large"),
        ("trailing", "a byte after the end", pack([1, own, [], 1, "a"]) + b"\0", "malformed"),
        (
            "non-canonical",
            "a text under a longer header",
            pack([1, own, [], 1, "a"])[:-2] + b"\xd9\x01a",
            "non_canonical",
        ),
    ]
    for name, title, encoded, error in cases:
        yield Scenario(f"content-bad-{name}", "5 §5", title, "content_read", {"encoded": encoded}, error=error)


def _proofs() -> Iterator[Scenario]:
    draw = Draw("proofs")
    seed, h, send_id, claim_key = draw(32), draw(32), draw(16), draw(32)
    recipient_key = wire.public_of(seed)
    yield Scenario(
        "receive-id", "8 §1", "the recipient's name for a queue", "receive_id", {"recipient_key": recipient_key},
        {"receive_id": wire.receive_id(recipient_key)},
    )  # fmt: skip
    link = {"link_id": draw(16), "lifetime_minutes": 10_080, "sealed": draw(2_040)}
    create = {"handshake_hash": h, "recipient_key": recipient_key, "send_id": send_id, "claim_key": claim_key}
    relay_key, named, sender_key = draw(32), draw(16), draw(32)
    digests = [draw(32) for _ in range(3)]
    cases: list[tuple[str, str, dict[str, Any], bytes]] = [
        (
            "create", "a queue with a sealed invitation", {**create, "link": link},
            wire.create_message(h, recipient_key, send_id, claim_key, list(link.values())),
        ),
        (
            "create", "a queue alone", {**create, "link": None},
            wire.create_message(h, recipient_key, send_id, claim_key, None),
        ),
        (
            "claim", "a queue", {"relay_key": relay_key, "id": named, "sender_key": sender_key},
            wire.claim_message(relay_key, named, sender_key),
        ),
        ("prove", "as recipient", {"handshake_hash": h, "role": 1, "id": named}, wire.prove_message(h, 1, named)),
        ("prove", "as sender", {"handshake_hash": h, "role": 2, "id": named}, wire.prove_message(h, 2, named)),
        (
            "custody", "of one envelope", {"minute": 29_700_000, "retention_days": 30, "digests": digests[:1]},
            wire.custody_message(29_700_000, 30, digests[:1]),
        ),
        (
            "custody", "of three envelopes", {"minute": 2**32 - 1, "retention_days": 365, "digests": digests},
            wire.custody_message(2**32 - 1, 365, digests),
        ),
    ]  # fmt: skip
    for name, what, fields, message in cases:
        section = "8 §4" if name == "custody" else "8 §2"
        yield Scenario(
            f"signed-{name}-{what.replace(' ', '-')}", section, f"{name} {what}", "signed",
            {"what": name, "seed": seed, "fields": fields}, {"message": message, "signature": sign(seed, message)},
        )  # fmt: skip
