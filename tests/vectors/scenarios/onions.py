"""Spec 12: sealed, opened, answered, refused."""

from collections.abc import Iterator

from tests.vectors.independent.onions import content, descriptor_signature, onion, padded, reply
from tests.vectors.independent.primitives import ed25519_public, x25519_public
from tests.vectors.scenario import Draw, Scenario, altered

_CONTENT_BYTES = 3_945
UNTIL = 29_730_000


def scenarios() -> Iterator[Scenario]:
    """All of it."""
    yield from _onions()
    yield from _bad_onions()
    yield from _replies()
    yield from _descriptors()


def _onions() -> Iterator[Scenario]:
    draw = Draw("onions")
    relay = draw(32)
    for name, title, kind, fields in (
        ("deposit", "a deposit", 1, {"envelope": draw(3_929)}),
        ("claim", "a claim", 2, {"id": draw(16), "sender_key": draw(32), "signature": draw(64)}),
        ("cover", "nothing at all, which looks alike", 3, {}),
    ):
        private, ephemeral, epoch = draw(32), draw(32), kind * 85
        plaintext = padded(content(kind, *fields.values()), _CONTENT_BYTES)
        sealed, key = onion(relay, epoch, x25519_public(private), ephemeral, plaintext)
        given = {"relay": relay, "epoch": epoch, "private": private, "ephemeral": ephemeral}
        yield Scenario(
            f"onion-{name}", "12 §2", title, "onion", {**given, "content": kind, "fields": fields},
            {"onion": sealed, "reply_key": key},
        )  # fmt: skip


def _bad_onions() -> Iterator[Scenario]:
    draw = Draw("bad onions")
    relay, private = draw(32), draw(32)
    public = x25519_public(private)
    good = padded(content(3), _CONTENT_BYTES)
    sealed, _ = onion(relay, 1, public, draw(32), good)
    elsewhere, _ = onion(draw(32), 1, public, draw(32), good)
    cases = [
        ("changed", "one bit of it was changed", altered(sealed, 2_000), "unreadable"),
        ("key-changed", "one bit of its ephemeral key was changed", altered(sealed, 5), "unreadable"),
        ("another-relays", "it is for another relay with the same onion key", elsewhere, "unreadable"),
        ("small-order", "its ephemeral key has a small order", sealed[:1] + bytes(32) + sealed[33:], "bad_key"),
    ]
    for name, title, plaintext, error in (
        ("padding", "the last byte is not zero", good[:-1] + b"\1", "padding"),
        ("length", "a length past its end", b"\xff\xff" + good[2:], "malformed"),
        ("kind", "a kind that there is not", padded(content(4), _CONTENT_BYTES), "malformed"),
        ("nested", "an onion in an onion", padded(content(11, 1, bytes(3_900)), _CONTENT_BYTES), "malformed"),
        ("canonical", "a kind in two bytes", padded(b"\x91\xcc\x03", _CONTENT_BYTES), "non_canonical"),
    ):
        cases.append((name, title, onion(relay, 1, public, draw(32), plaintext)[0], error))
    for name, title, value, error in cases:
        yield Scenario(
            f"onion-bad-{name}", "12 §2", title, "onion_open", {"relay": relay, "private": private, "onion": value},
            error=error,
        )  # fmt: skip


def _replies() -> Iterator[Scenario]:
    draw = Draw("onion replies")
    for name, title, kind, fields, length in (
        ("stored", "custody", 1, {"minute": 29_720_000, "retention_days": 30, "signature": draw(64)}, 512),
        ("claimed-a-link", "the sealed invitation", 2, {"sealed": draw(2_040)}, 3_900),
        ("claimed-a-queue", "a queue was claimed", 2, {"sealed": None}, 3_900),
        ("refused", "not done", 3, {"code": 1}, 512),
    ):
        key = draw(32)
        inner = content(kind, *fields.values())
        yield Scenario(
            f"onion-reply-{name}", "12 §3", title, "onion_reply",
            {"reply_key": key, "answer": kind, "fields": fields}, {"sealed": reply(key, inner, length)},
        )  # fmt: skip
    key = draw(32)
    sealed = reply(key, content(3, 1), 512)
    yield Scenario(
        "onion-reply-bad-changed", "12 §3", "one bit was changed", "onion_reply_read",
        {"reply_key": key, "sealed": altered(sealed, 100)}, error="unreadable",
    )  # fmt: skip


def _descriptors() -> Iterator[Scenario]:
    draw = Draw("descriptors")
    seed, key = draw(32), x25519_public(draw(32))
    signature = descriptor_signature(seed, 255, key, UNTIL)
    given = {"relay": ed25519_public(seed), "epoch": 255, "key": key, "until": UNTIL, "signature": signature}
    yield Scenario(
        "descriptor-last-minute", "12 §4", "it holds in its last minute", "descriptor", {**given, "now": UNTIL}, {}
    )
    for name, title, changed, error in (
        ("over", "it is over", {"now": UNTIL + 1}, "expired"),
        ("another-epoch", "it was signed for another epoch", {"epoch": 254}, "forged"),
        ("longer", "somebody made it last longer", {"until": UNTIL + 1}, "forged"),
        ("another-relays", "another relay signed it", {"relay": ed25519_public(draw(32))}, "forged"),
    ):
        yield Scenario(
            f"descriptor-bad-{name}", "12 §4", title, "descriptor", {**given, "now": UNTIL, **changed}, error=error
        )
