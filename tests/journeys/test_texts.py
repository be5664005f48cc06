"""What is sent is what is read, byte for byte."""

import json

import pytest

from node.cli.exits import BAD_TEXT
from protocol.limits import CHUNK_BYTES
from tests.journeys.journey import Journey

pytestmark = pytest.mark.journey

UNICODE = {
    "a NUL": "before\0after",
    "only a NUL": "\0",
    "combining, not composed": "e\u0301 o\u0308\u0323 \u1112\u1161\u11ab",
    "composed, not decomposed": "\u00e9 \u1ed9 \ud55c",
    "bidi marks and overrides": "\u202eabc\u202c \u2066x\u2069 \u200f\u05e9\u05dc\u05d5\u05dd \u0627\u0644",
    "astral": "\U0001f9d1\u200d\U0001f680 \U00020000 \U0010fffd \U0001f3f4\U000e0067\U000e0062\U000e007f",
    "CRLF": "one\r\ntwo\r\n",
    "lone carriage returns": "one\rtwo\r",
    "final newline": "line\n",
    "no final newline": "line",
    "only newlines": "\n\n\n",
    "lone control characters": "".join(chr(code) for code in [*range(1, 32), 127, *range(0x80, 0xA0)]),
    "separators of lines": "a\u2028b\u2029c\x85d\x0be\x0cf",
    "byte order mark and non-characters": "\ufeffx\ufffe\uffff\ufdd0\U0001ffff",
    "space around": " \t\u00a0\u3000text\u200b ",
    "escape sequences": "\x1b[31mred\x1b[0m \x1b]0;title\x07",
    "JSON in JSON": '{"text": "\\u0000", "a": [null]}\n',
}


REFUSED = {
    b"": b"empty",
    b"fine so far \xff": b"byte 12",
    b"half a character \xf0\x9f\x92": b"byte 17",
    b"a surrogate \xed\xa0\x80": b"byte 12",
    b"x" * 262_145: b"262,144",
}


def arrives_exactly(journey: Journey, author: str, contact: str, said: list[bytes]) -> None:
    """Through a pipe each; read at both ends as JSON."""
    before = len(journey.texts("alice"))
    for content in said:
        sent = json.loads(journey.done(author, "send", "--json", contact, stdin=content))
        assert sent["state"] in {"relayed", "delivered"}
    reader = "bob" if author == "alice" else "alice"
    journey.until(lambda: len(journey.texts(reader)) == before + len(said), "not all texts came")
    for one in ("alice", "bob"):
        assert [row["text"].encode() for row in journey.inbox(one)[before:]] == said
    journey.until(lambda: {row["state"] for row in journey.inbox(author)} <= {"delivered", "received"}, "no receipt")


def test_every_kind_of_text_arrives_byte_for_byte(old_friends: Journey) -> None:
    arrives_exactly(old_friends, "alice", "Bob Buchfink", [text.encode() for text in UNICODE.values()])


def test_100_kb_of_text_arrive_byte_for_byte(old_friends: Journey) -> None:
    pattern = "Grüße, 你好, \U0001f54a\ufe0f, \0, שלום, e\u0301\n".encode()
    text = (pattern * (100_000 // len(pattern) + 1))[:100_000].decode(errors="ignore").encode()
    assert len(text) > 70 * CHUNK_BYTES, "it takes many envelopes"
    arrives_exactly(old_friends, "bob", "Alice Amsel", [text + ending for ending in (b"", b"\n", b"\r\n")])


def test_what_is_no_text_is_refused_and_nothing_sent(old_friends: Journey) -> None:
    before = old_friends.inbox("alice")
    for content, says in REFUSED.items():
        ended = old_friends.kassiber("alice", "send", "Bob Buchfink", stdin=content)
        assert ended.returncode == BAD_TEXT
        assert says in ended.stderr
    assert old_friends.inbox("alice") == before
