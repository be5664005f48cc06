"""Spec 3: fingerprints, safety numbers, invitations, links, addresses, files."""

from collections.abc import Iterator

from tests.vectors.independent.mlkem import public_key
from tests.vectors.independent.primitives import x25519_public
from tests.vectors.independent.session import (
    Person,
    base64url,
    fingerprint,
    invite,
    link_keys,
    link_psk,
    pad_invitation,
    safety_number,
    seal_invitation,
)
from tests.vectors.independent.wire import pack
from tests.vectors.scenario import Draw, Scenario, altered


def scenarios() -> Iterator[Scenario]:
    """All of Spec 3."""
    yield from _identities()
    yield from _invitations()
    yield from _sealed()
    yield from _files()
    yield from _addresses()
    yield from _links()
    yield from _bad_links()


def _identities() -> Iterator[Scenario]:
    draw = Draw("identities")
    alice, bob = Person(draw(32), draw(32)), Person(draw(32), draw(32))
    yield Scenario(
        "identity-made", "3 §3", "an identity from its two private keys", "identity",
        {"signing_seed": alice.signing, "dh_private": alice.dh},
        {"identity": alice.identity, "fingerprint": fingerprint(alice.identity)},
    )  # fmt: skip
    number = safety_number(alice.identity, bob.identity)
    for name, one, other in (("one-side", alice, bob), ("the-other-side", bob, alice)):
        yield Scenario(
            f"safety-number-{name}", "3 §3", "the same number at both ends", "safety_number",
            {"own": one.identity, "peer": other.identity}, {"number": number},
        )  # fmt: skip


def _route(draw: Draw, host: str = "wss://relay.example:443", direct: bool = False) -> list[object]:
    return [host, draw(32), draw(16), draw(32), direct]


def _invitations() -> Iterator[Scenario]:
    draw = Draw("invitations")
    alice = Person(draw(32), draw(32))
    prekeys = draw(32), draw(64)
    one = [_route(draw)]
    three = [_route(draw, "ws://192.0.2.7:7443", True), _route(draw), _route(draw, "ws://[2001:db8::1]:7443")]
    for name, title, routes, restricted in (
        ("one-route", "one relay, for whoever comes first", one, None),
        ("three-routes", "two relays and the inviter's own node, for one person", three, draw(32)),
    ):
        encoded = invite(alice, *prekeys, routes, 29_710_080, draw(32), restricted).encoded
        fields = {
            "identity": alice.identity, "prekey_dh": x25519_public(prekeys[0]), "prekey_kem": public_key(prekeys[1]),
            "routes": routes, "expiry": 29_710_080, "restricted_to": restricted,
        }  # fmt: skip
        yield Scenario(f"invitation-{name}", "3 §4", title, "invitation", fields, {"encoded": encoded})

    public = [alice.identity, x25519_public(prekeys[0]), public_key(prekeys[1])]

    def with_hosts(*hosts: str) -> bytes:
        return pack([1, *public, [_route(draw, host) for host in hosts], 29_710_080, None])

    good = pack([1, *public, one, 29_710_080, None])
    host = "ws://relay.example:7443"
    cases = [
        ("version-2", "a version that does not exist", b"\x97\x02" + good[2:]),
        ("no-route", "no route", with_hosts()),
        ("four-routes", "a route too many", with_hosts(*[host] * 4)),
        ("host-scheme", "a host that is no WebSocket", with_hosts("https://relay.example:443")),
        ("host-port", "a host without a port", with_hosts("ws://relay.example")),
        ("host-written-otherwise", "a host that is not written in the one way", with_hosts("ws://Relay.example:07443")),
        ("host-long", "a host of more than 80 characters", with_hosts(f"ws://{'a' * 76}:7443")),
        ("cut", "cut in the middle", good[:1_000]),
        ("trailing", "a byte after the end", good + b"\0"),
        ("non-canonical", "the version as a two-byte integer", b"\x97\xcc\x01" + good[2:]),
        ("field-more", "a field too many", b"\x98" + good[1:] + b"\xc0"),
        ("text", "a text", b"kassiber"),
    ]
    for name, title, encoded in cases:
        yield Scenario(
            f"invitation-bad-{name}", "3 §4", title, "invitation_read", {"encoded": encoded}, error="bad_invitation"
        )


def _sealed() -> Iterator[Scenario]:
    draw = Draw("sealed invitations")
    invitation = invite(Person(draw(32), draw(32)), draw(32), draw(64), [_route(draw)], 29_710_080, draw(32)).encoded
    secret, relays, salt = draw(32), (draw(32), draw(32)), draw(24)
    for name, relay in zip(("first", "second"), relays, strict=True):
        link_id, key, claim_seed = link_keys(secret, relay)
        yield Scenario(
            f"link-keys-{name}-relay", "3 §5", f"what one secret gives for its {name} relay", "link_keys",
            {"secret": secret, "relay": relay},
            {"link_id": link_id, "key": key, "claim_seed": claim_seed, "psk": link_psk(secret)},
        )  # fmt: skip
    sealed = seal_invitation(secret, relays[0], salt, pad_invitation(invitation))
    fields = {"secret": secret, "relay": relays[0]}
    yield Scenario(
        "invitation-sealed", "3 §5", "what a relay keeps of an invitation", "invitation_sealed",
        {**fields, "salt": salt, "invitation": invitation}, {"sealed": sealed},
    )  # fmt: skip
    padded = pad_invitation(invitation)
    cases = [
        ("other-secret", "opened with another link", {**fields, "secret": draw(32), "sealed": sealed}),
        ("other-relay", "kept by another relay", {**fields, "relay": relays[1], "sealed": sealed}),
        ("salt", "one bit of the salt changed", {**fields, "sealed": altered(sealed, 0)}),
        ("text", "one bit of the ciphertext changed", {**fields, "sealed": altered(sealed, 1_000)}),
        ("tag", "one bit of the tag changed", {**fields, "sealed": altered(sealed, -1)}),
        ("cut", "cut", {**fields, "sealed": sealed[:30]}),
        (
            "padding", "padding that is not zero",
            {**fields, "sealed": seal_invitation(secret, relays[0], salt, altered(padded, -1))},
        ),
        (
            "length", "a length past the end",
            {**fields, "sealed": seal_invitation(secret, relays[0], salt, b"\xff" + padded[1:])},
        ),
    ]  # fmt: skip
    for name, title, given in cases:
        yield Scenario(f"invitation-sealed-bad-{name}", "3 §5", title, "invitation_open", given, error="bad_invitation")


def _files() -> Iterator[Scenario]:
    draw = Draw("files")
    secret = draw(32)
    invitation = invite(Person(draw(32), draw(32)), draw(32), draw(64), [_route(draw)], 29_710_080, secret).encoded
    good = pack(["kassiber invitation", 1, secret, invitation])
    yield Scenario(
        "file-good", "3 §6", "an invitation as a file", "invitation_file",
        {"secret": secret, "invitation": invitation}, {"file": good},
    )  # fmt: skip
    cases = [
        ("empty", "an empty file", b""),
        ("text", "some other file", b"PK\3\4 this is something else"),
        ("cut", "cut", good[:-1]),
        ("magic", "another first word", pack(["kassiber backup", 1, secret, invitation])),
        ("version", "a version that does not exist", pack(["kassiber invitation", 2, secret, invitation])),
        ("secret", "a secret of 31 bytes", pack(["kassiber invitation", 1, secret[:31], invitation])),
        ("invitation", "a damaged invitation inside", pack(["kassiber invitation", 1, secret, invitation[:-1]])),
        ("long", "more than 4,096 bytes", good + bytes(4_096)),
    ]
    for name, title, file in cases:
        yield Scenario(f"file-bad-{name}", "3 §6", title, "invitation_file_read", {"file": file}, error="caller")


def _addresses() -> Iterator[Scenario]:
    key = Draw("addresses")(32)
    token = base64url(key)
    cases = [
        ("name", "kassiber://relay.example:7443/r#", "ws://relay.example:7443"),
        ("tls", "kassibers://relay.example:443/r#", "wss://relay.example:443"),
        ("ipv4", "kassiber://192.0.2.7:7443/r#", "ws://192.0.2.7:7443"),
        ("ipv6", "kassiber://[2001:db8::7]:7443/r#", "ws://[2001:db8::7]:7443"),
        ("onion", f"kassiber://{'kassiber' * 7}.onion:65535/r#", f"ws://{'kassiber' * 7}.onion:65535"),
        ("onion-tls", f"kassibers://{'kassiber' * 7}.onion:65535/r#", f"wss://{'kassiber' * 7}.onion:65535"),
    ]
    for name, start, host in cases:
        yield Scenario(
            f"address-{name}",
            "3 §6",
            f"a relay at {host}",
            "address",
            {"host": host, "key": key},
            {"address": start + token},
        )
    bad = [
        ("empty", ""),
        ("scheme", f"https://relay.example:7443/r#{token}"),
        ("no-scheme", f"relay.example:7443/r#{token}"),
        ("invitation", f"kassiber://relay.example:7443/i#{token}{token}"),
        ("no-key", "kassiber://relay.example:7443"),
        ("empty-key", "kassiber://relay.example:7443/r#"),
        ("key-short", f"kassiber://relay.example:7443/r#{token[:-1]}"),
        ("key-long", f"kassiber://relay.example:7443/r#{token}A"),
        ("key-padded", f"kassiber://relay.example:7443/r#{token}="),
        ("key-alphabet", f"kassiber://relay.example:7443/r#{'+' + token[1:]}"),
        ("key-loose-bits", f"kassiber://relay.example:7443/r#{token[:-1]}{_loosened(token[-1])}"),
        ("no-port", f"kassiber://relay.example/r#{token}"),
        ("port-0", f"kassiber://relay.example:0/r#{token}"),
        ("port-65536", f"kassiber://relay.example:65536/r#{token}"),
        ("port-not-ascii", f"kassiber://relay.example:７443/r#{token}"),
        ("host-empty", f"kassiber://:7443/r#{token}"),
        ("host-not-ascii", f"kassiber://rëlay.example:7443/r#{token}"),
        ("host-user", f"kassiber://me@relay.example:7443/r#{token}"),
        ("host-long", f"kassiber://{'a' * 80}:7443/r#{token}"),
        ("path", f"kassiber://relay.example:7443/x/r#{token}"),
    ]
    for name, address in bad:
        yield Scenario(
            f"address-bad-{name}",
            "3 §6",
            f"not an address: {name}",
            "address_read",
            {"address": address},
            error="caller",
        )


def _loosened(character: str) -> str:
    """Another last character for the same bytes: 43 characters carry 258 bits, two of them unused."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet[alphabet.index(character) | 1]


def _links() -> Iterator[Scenario]:
    draw = Draw("links")
    secret, first, second = draw(32), draw(32), draw(32)
    cases = [
        ("one-relay", "kassiber", ["ws://relay.example:7443"], [first], False),
        ("two-relays", "kassibers", ["wss://one.example:443", "wss://[2001:db8::7]:443"], [first, second], False),
        ("direct", "kassiber", ["ws://192.0.2.7:7443"], [first], True),
    ]
    for name, scheme, hosts, keys, direct in cases:
        authorities = ",".join(host.partition("//")[2] for host in hosts)
        link = f"{scheme}://{authorities}/{'d' if direct else 'i'}#{base64url(b''.join(keys) + secret)}"
        yield Scenario(
            f"link-{name}", "3 §6", f"a link: {name.replace('-', ' ')}", "link",
            {"hosts": hosts, "keys": keys, "secret": secret, "direct": direct}, {"link": link},
        )  # fmt: skip


def _bad_links() -> Iterator[Scenario]:
    draw = Draw("links")
    secret, first, second = draw(32), draw(32), draw(32)
    one, two = base64url(first + secret), base64url(first + second + secret)
    start = "kassiber://relay.example:7443"
    cases = [
        ("empty", ""),
        ("scheme", f"https://relay.example:7443/i#{one}"),
        ("relay-address", f"{start}/r#{base64url(first)}"),
        ("no-secret", start),
        ("empty-secret", f"{start}/i#"),
        ("cut", f"{start}/i#{one[:-1]}"),
        ("cut-by-half", f"{start}/i#{one[:43]}"),
        ("doubled-character", f"{start}/i#{one[:50]}{one[49:]}"),
        ("alphabet", f"{start}/i#{'+' + one[1:]}"),
        ("character", f"{start}/i#{'%' + one[1:]}"),
        ("loose-bits", f"{start}/i#{one[:-1]}{_loosened(one[-1])}"),
        ("padded", f"{start}/i#{one}=="),
        ("two-keys-one-host", f"{start}/i#{two}"),
        ("one-key-two-hosts", f"kassiber://one.example:7443,two.example:7443/i#{one}"),
        ("three-hosts", f"kassiber://a.example:1,b.example:2,c.example:3/i#{two}"),
        ("direct-two-hosts", f"kassiber://a.example:1,b.example:2/d#{two}"),
        ("host-missing", f"kassiber://a.example:1,/i#{two}"),
        ("no-port", f"kassiber://relay.example/i#{one}"),
    ]
    for name, link in cases:
        yield Scenario(f"link-bad-{name}", "3 §6", f"not a link: {name}", "link_read", {"link": link}, error="caller")
