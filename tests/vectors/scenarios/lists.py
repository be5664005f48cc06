"""Spec 11: written, read, refused."""

from collections.abc import Iterator
from typing import Any

from tests.vectors.independent.lists import content, link, part, relay_list, signed, text
from tests.vectors.independent.primitives import ed25519_public, sha256
from tests.vectors.independent.wire import pack
from tests.vectors.scenario import Draw, Scenario, altered

ISSUED, NOW, EXPIRES = 29_710_080, 29_720_000, 29_840_000
DAY = 1_440


def scenarios() -> Iterator[Scenario]:
    """All of it."""
    yield from _written()
    yield from _read()
    yield from _refused()
    yield from _parts()
    yield from _texts()
    yield from _links()


def _relays(draw: Draw, *operators: str, host: str = "wss://relay.example:443") -> list[list[object]]:
    """In the order of fresh keys."""
    keys = sorted(draw(32) for _ in operators)
    return [[host, key, operator] for key, operator in zip(keys, operators, strict=True)]


def _of(seed: bytes, encoded: bytes, now: int = NOW, held: tuple[int, bytes] | None = None) -> dict[str, Any]:
    held_serial, held_digest = held or (0, b"")
    return {
        "publisher": ed25519_public(seed), "now": now, "held_serial": held_serial, "held_digest": held_digest,
        "encoded": encoded,
    }  # fmt: skip


def _written() -> Iterator[Scenario]:
    draw = Draw("relay lists written")
    one = _relays(draw, "example.org")
    hosts = ["ws://192.0.2.7:7443", "wss://[2001:db8::1]:443", "wss://relay.example:443"]
    three = [[host, *row[1:]] for host, row in zip(hosts, _relays(draw, "a", "b-2.example", "a"), strict=True)]
    for name, title, serial, expires, relays in (
        ("one-relay", "the first list, of one relay, for a minute", 1, ISSUED + 1, one),
        ("three-relays", "two operators, for as long as may be", 4_294_967_295, ISSUED + 366 * DAY, three),
    ):
        seed = draw(32)
        fields = {"seed": seed, "serial": serial, "issued": ISSUED, "expires": expires, "relays": relays}
        encoded = relay_list(seed, serial, ISSUED, expires, relays)
        yield Scenario(f"relay-list-{name}", "11 §1", title, "relay_list", fields, {"encoded": encoded})


def _read() -> Iterator[Scenario]:
    draw = Draw("relay lists read")
    seed = draw(32)
    relays = _relays(draw, "one.example", "two.example")
    inner = content(ed25519_public(seed), 7, ISSUED, EXPIRES, relays)
    digest = sha256(inner)
    eights = sorted(f"operator-{number % 32}" for number in range(256))
    long_name = f"{'a' * 63}9"
    full = _relays(draw, *[long_name] * 8, *eights[8:], host=f"wss://{'a' * 55}.example:65535")
    filled = content(ed25519_public(seed), 7, ISSUED, EXPIRES, full)
    for name, title, one, now, held in (
        ("first", "the first of its publisher", inner, NOW, None),
        ("again", "the very same again", inner, NOW, (7, digest)),
        ("later", "a later one", inner, NOW, (6, draw(32))),
        ("last-minute", "in its last minute", inner, EXPIRES - 1, None),
        ("before-issue", "by a clock that is slow", inner, ISSUED - 5, None),
        ("full", "as many relays as may be, eight of each operator", filled, NOW, None),
    ):
        yield Scenario(
            f"relay-list-read-{name}", "11 §2", title, "relay_list_read", _of(seed, signed(seed, one), now, held),
            {"serial": 7, "digest": sha256(one)},
        )  # fmt: skip


def _refused() -> Iterator[Scenario]:
    draw = Draw("relay lists refused")
    seed, other = draw(32), draw(32)
    public = ed25519_public(seed)
    relays = _relays(draw, "one.example", "two.example")
    inner = content(public, 7, ISSUED, EXPIRES, relays)
    good = signed(seed, inner)
    digest = sha256(inner)

    def listing(rows: list[list[object]]) -> dict[str, Any]:
        return _of(seed, relay_list(seed, 7, ISSUED, EXPIRES, rows))

    def with_first(
        *, host: object = relays[0][0], key: object = relays[0][1], operator: object = "a"
    ) -> dict[str, Any]:
        return listing([[host, key, operator], relays[1]])

    def lasting(issued: int, expires: int) -> dict[str, Any]:
        return _of(seed, relay_list(seed, 7, issued, expires, relays))

    many = _relays(draw, *(f"operator-{number // 8}" for number in range(257)))
    foreign = relay_list(other, 7, ISSUED, EXPIRES, relays)
    wide = pack(["kassiber relays", 1, b"\xdc\x00\x05" + inner[1:], good[-64:]])
    cases = [
        ("huge", "more bytes than a list has", "too_large", _of(seed, good + bytes(65_536))),
        ("empty", "nothing", "malformed", _of(seed, b"")),
        ("text", "some other file", "malformed", _of(seed, b"PK\3\4 this is something else")),
        ("cut", "cut", "malformed", _of(seed, good[:-1])),
        ("trailing", "a byte after the end", "malformed", _of(seed, good + b"\0")),
        ("magic", "another first word", "malformed", _of(seed, good.replace(b"kassiber relays", b"kassiber friend"))),
        ("version", "a version that does not exist", "malformed",
         _of(seed, good.replace(b"kassiber relays\1", b"kassiber relays\2"))),
        ("content", "a content that is none", "malformed", _of(seed, signed(seed, b"\x90"))),
        ("content-trailing", "a byte after the content", "malformed", _of(seed, signed(seed, inner + b"\0"))),
        ("no-relay", "no relay", "malformed", listing([])),
        ("too-many", "a relay too many", "malformed", listing(many)),
        ("serial-0", "a serial of zero", "malformed", _of(seed, relay_list(seed, 0, ISSUED, EXPIRES, relays))),
        ("key-short", "a key of 31 bytes", "malformed", with_first(key=bytes(31))),
        ("non-canonical", "its version as a two-byte integer", "non_canonical",
         _of(seed, good.replace(b"kassiber relays\1", b"kassiber relays\xcc\1"))),
        ("content-non-canonical", "its content with a long array header", "non_canonical", _of(seed, wide)),
        ("somebody-else", "another publisher's, well signed", "forged", _of(seed, foreign)),
        ("signed-by-somebody-else", "the publisher's name, another's signature", "forged",
         _of(seed, signed(other, inner))),
        ("changed", "one bit of the serial changed", "forged",
         _of(seed, good.replace(inner, content(public, 6, ISSUED, EXPIRES, relays)))),
        ("signature", "one bit of the signature changed", "forged", _of(seed, altered(good, -1))),
        ("forged-and-expired", "forged is said before expired", "forged", _of(seed, altered(good, -1), EXPIRES + 9)),
        ("no-time", "for no minute", "malformed", lasting(ISSUED, ISSUED)),
        ("ends-before-issue", "over before it was issued", "malformed", lasting(ISSUED, ISSUED - 1)),
        ("too-long", "for a minute more than 366 days", "malformed", lasting(ISSUED, ISSUED + 366 * DAY + 1)),
        ("order", "relays out of order", "malformed", listing(relays[::-1])),
        ("twice", "a relay twice", "malformed", listing([relays[0], relays[0]])),
        ("host", "a host that is no WebSocket", "malformed", with_first(host="https://relay.example:443")),
        ("host-written-otherwise", "a host not in the one form", "malformed", with_first(host="ws://Relay.example:7443")),
        ("host-long", "a host of more than 80 bytes", "malformed", with_first(host=f"ws://{'a' * 76}:7443")),
        ("operator-empty", "an operator without a name", "malformed", with_first(operator="")),
        ("operator-long", "an operator of 65 letters", "malformed", with_first(operator="a" * 65)),
        ("operator-upper-case", "an operator in capitals", "malformed", with_first(operator="Example.org")),
        ("operator-look-alike", "an operator with a Cyrillic letter", "malformed", with_first(operator="exаmple.org")),
        ("operator-line", "an operator with a line end", "malformed", with_first(operator="example.org\n")),
        ("operator-hyphen", "an operator that begins with a hyphen", "malformed", with_first(operator="-a")),
        ("one-operator", "nine relays of one operator among others", "one_operator",
         listing(_relays(draw, *["big.example"] * 9, *[f"small-{number}" for number in range(9)]))),
        ("expired", "in the first minute without it", "expired", _of(seed, good, EXPIRES)),
        ("rolled-back", "older than what is held", "rolled_back", _of(seed, good, NOW, (8, digest))),
        ("two-of-one-serial", "another one under the serial held", "rolled_back", _of(seed, good, NOW, (7, draw(32)))),
        ("expired-and-rolled-back", "expired is said before rolled back", "expired",
         _of(seed, good, EXPIRES, (8, digest))),
    ]  # fmt: skip
    for name, title, error, given in cases:
        yield Scenario(f"relay-list-bad-{name}", "11 §2", title, "relay_list_read", given, error=error)


def _parts() -> Iterator[Scenario]:
    draw = Draw("relay lists in parts")
    two = draw(3_901)
    for name, title, encoded, number in (
        ("first", "a whole part", two, 0),
        ("last", "a part of one byte", two, 1),
        ("past", "nothing past the last", two, 2),
        ("whole", "no part is empty", two[:3_900], 0),
        ("none", "no list", b"", 0),
    ):
        parts, chunk = part(encoded, number)
        yield Scenario(
            f"relay-list-part-{name}", "11 §5", title, "relay_list_part", {"encoded": encoded, "part": number},
            {"parts": parts, "chunk": chunk},
        )  # fmt: skip


def _texts() -> Iterator[Scenario]:
    draw = Draw("relay lists as text")
    seed = draw(32)
    encoded = relay_list(seed, 7, ISSUED, EXPIRES, _relays(draw, "one.example", "two.example"))
    good = text(encoded)
    for name, title, written in (
        ("line", "one line", good),
        ("lines", "broken into lines", " " + "\r\n".join(good[at : at + 60] for at in range(0, len(good), 60)) + "\n"),
    ):
        yield Scenario(
            f"relay-list-text-{name}", "11 §6", title, "relay_list_text", {"text": written}, {"encoded": encoded}
        )
    loose = "kassiber-relays:AB"
    for name, title, written in (
        ("length", "a length that no text has", text(bytes(3)) + "A"),
        ("letter", "a letter that no text has", good[:-1] + "+"),
        ("padding", "padding", text(bytes(2)) + "="),
        ("loose", "loose bits at the end", loose),
        ("huge", "longer than any list", text(bytes(65_539))),
    ):
        yield Scenario(
            f"relay-list-text-bad-{name}", "11 §6", title, "relay_list_text", {"text": written}, error="caller"
        )


def _links() -> Iterator[Scenario]:
    draw = Draw("relay list links")
    relay, publisher = draw(32), draw(32)
    good = link("kassiber", "relay.example:4040", relay, publisher)
    for name, title, written, host in (
        ("ws", "a link", good, "ws://relay.example:4040"),
        ("wss", "a link over TLS", link("kassibers", "[2001:db8::1]:443", relay, publisher), "wss://[2001:db8::1]:443"),
        ("spaces", "broken over two lines", good[:60] + "\n " + good[60:], "ws://relay.example:4040"),
    ):
        yield Scenario(
            f"relay-list-link-{name}", "11 §6", title, "relay_list_link", {"link": written},
            {"host": host, "relay": relay, "publisher": publisher},
        )  # fmt: skip
    for name, title, written in (
        ("short", "a character too few", good[:-1]),
        ("letter", "a letter that no link has", good[:-2] + "+" + good[-1]),
        ("loose", "loose bits at the end", good[:-1] + "_"),
        ("two-hosts", "two hosts", good.replace(":4040", ":4040,other.example:4040")),
        ("scheme", "another scheme", good.replace("kassiber:", "https:")),
        ("port", "no port", good.replace(":4040", "")),
    ):
        yield Scenario(
            f"relay-list-link-bad-{name}", "11 §6", title, "relay_list_link", {"link": written}, error="caller"
        )
