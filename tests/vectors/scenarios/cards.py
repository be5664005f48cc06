"""Spec 13: cards written, read, refused."""

import base64
from collections.abc import Iterator

from tests.vectors.independent.cards import content, signed
from tests.vectors.independent.primitives import ed25519_public, x25519_public
from tests.vectors.independent.wire import pack
from tests.vectors.scenario import Draw, Scenario, altered

NOW = 29_720_000
DAY = 1_440


def scenarios() -> Iterator[Scenario]:
    """All of it."""
    draw = Draw("cards")
    seed, relay = draw(32), draw(32)
    identity = ed25519_public(seed) + x25519_public(draw(32))
    links = [f"kassiber://192.0.2.{number}:7443/i#{_text(draw(64))}" for number in range(4)]
    written = [
        ("one", "with one invitation, for a minute", "a", 1, NOW + 1, links[:1]),
        ("four", "with four, for as long as may be", "alice.b_c-9" + "x" * 21, 2**32 - 1, NOW + 30 * DAY, links),
        ("withdrawn", "that is withdrawn", "alice", NOW, NOW + DAY, []),
    ]
    for name, title, shown, serial, expires, listed in written:
        yield Scenario(
            f"card-{name}", "13 §1", f"a card {title}", "card",
            {
                "seed": seed, "identity": identity, "relay": relay, "name": shown, "serial": serial,
                "expires": expires, "links": listed, "now": NOW,
            },
            {"encoded": signed(seed, content(shown, relay, identity, serial, expires, listed))},
        )  # fmt: skip
    good = content("alice", relay, identity, 7, NOW + DAY, links)
    other = draw(32)

    def of(name: str = "alice", expires: int = NOW + DAY, listed: list[str] = links, key: bytes = relay) -> bytes:
        return signed(seed, content(name, key, identity, 7, expires, listed))

    plain = pack(["kassiber card", 1, good, signed(seed, good)[-64:]])
    assert plain == signed(seed, good)
    cases = [
        ("long", "3,901 bytes", draw(3_901), "too_large"),
        ("empty", "nothing", b"", "malformed"),
        ("trailing", "a byte after the end", plain + b"\0", "malformed"),
        ("magic", "another magic", pack(["kassiber relays", 1, good, bytes(64)]), "malformed"),
        ("version", "a version that does not exist", pack(["kassiber card", 2, good, bytes(64)]), "malformed"),
        ("outside", "another encoding of the outside", b"\xdc\0\4" + plain[1:], "non_canonical"),
        ("inside", "another encoding of the inside", signed(seed, b"\xdc\0\6" + good[1:]), "non_canonical"),
        ("fields", "a field too few", signed(seed, pack(["alice", relay, identity, 7, NOW + DAY])), "malformed"),
        ("no-name", "no name", of(name=""), "malformed"),
        ("long-name", "a name of 33 bytes", of(name="a" * 33), "malformed"),
        ("capital", "a name in capitals", of(name="Alice"), "malformed"),
        ("dot", "a name that ends with a dot", of(name="alice."), "malformed"),
        ("umlaut", "a name beyond ASCII", of(name="\u00e4lice"), "malformed"),
        ("at", "a name with an @ in it", of(name="alice@relay"), "malformed"),
        ("five", "five invitations", of(listed=[*links, links[0]]), "malformed"),
        ("link", "a link that is damaged", of(listed=[links[0][:-1]]), "malformed"),
        ("long-link", "a link of 401 bytes", of(listed=["k" * 401]), "malformed"),
        ("serial", "serial 0", signed(seed, content("alice", relay, identity, 0, NOW + DAY, links)), "malformed"),
        ("far", "a minute more than 30 days", of(expires=NOW + 30 * DAY + 1), "malformed"),
        ("signature", "a signature of which one bit is another", altered(plain, -1), "forged"),
        ("signer", "signed by somebody else", signed(draw(32), good), "forged"),
        ("content", "a signature of another content", plain.replace(b"alice", b"malic", 1), "forged"),
        ("relay", "another relay's", of(key=other), "forged"),
        ("over", "over since this minute", of(expires=NOW), "expired"),
    ]
    for name, title, encoded, error in cases:
        yield Scenario(
            f"card-bad-{name}", "13 §2", f"a card: {title}", "card_read",
            {"encoded": encoded, "relay": relay, "now": NOW}, error=error,
        )  # fmt: skip


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
