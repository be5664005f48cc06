"""Identities, invitations, links, addresses."""

from protocol.crypto.suite import RealSuite
from protocol.keys import (
    DhPublic,
    Fingerprint,
    Identity,
    InvitationSecret,
    KemPublic,
    RelayKey,
)
from protocol.session import identity as identities
from protocol.session import invitation as invitations
from protocol.session.invitation import Invitation, Route
from protocol.wire.addresses import Host, format_address, parse_address
from protocol.wire.codec import encode
from tests.vectors.runners.given import Given, PlayedEntropy, Result
from tests.vectors.scenario import from_hex

SUITE = RealSuite()


def identity(given: Given) -> Result:
    """From private keys."""
    keys = identities.make_identity(SUITE, PlayedEntropy(given.raw("signing_seed"), given.raw("dh_private")))
    return {"identity": keys.identity, "fingerprint": identities.fingerprint(keys.identity)}


def safety_number(given: Given) -> Result:
    """Of two identities."""
    return {"number": identities.safety_number(Identity(given.raw("own")), Identity(given.raw("peer")))}


def invitation(given: Given) -> Result:
    """Encodes, and decodes to the same."""
    routes = [
        Route(host, RelayKey(from_hex(relay)), from_hex(send_id), from_hex(claim_seed), direct)  # type: ignore[arg-type]
        for host, relay, send_id, claim_seed, direct in given.values["routes"]
    ]
    restricted = given.values["restricted_to"]
    value = Invitation(
        1, Identity(given.raw("identity")), DhPublic(given.raw("prekey_dh")), KemPublic(given.raw("prekey_kem")),
        routes, given.number("expiry"), Fingerprint(from_hex(restricted)) if restricted else None,
    )  # fmt: skip
    encoded = encode(value)
    assert invitations.decode_invitation(encoded) == value
    return {"encoded": encoded}


def invitation_read(given: Given) -> Result:
    """Decodes."""
    return {"expiry": invitations.decode_invitation(given.raw("encoded")).expiry}


def link_keys(given: Given) -> Result:
    """All that derives from S."""
    secret = InvitationSecret(given.raw("secret"))
    keys = invitations.link_keys(SUITE, secret, RelayKey(given.raw("relay")))
    return {
        "link_id": keys.link_id, "key": keys.key, "claim_seed": keys.claim_seed,
        "psk": invitations.link_psk(SUITE, secret),
    }  # fmt: skip


def invitation_sealed(given: Given) -> Result:
    """Seals, and opens to the same."""
    relay = RelayKey(given.raw("relay"))
    keys = invitations.link_keys(SUITE, InvitationSecret(given.raw("secret")), relay)
    encoded = given.raw("invitation")
    sealed = invitations.seal_invitation(SUITE, PlayedEntropy(given.raw("salt")), keys, relay, encoded)
    assert invitations.open_invitation(SUITE, keys, relay, sealed) == encoded
    return {"sealed": sealed}


def invitation_open(given: Given) -> Result:
    """Opens what a relay kept."""
    relay = RelayKey(given.raw("relay"))
    keys = invitations.link_keys(SUITE, InvitationSecret(given.raw("secret")), relay)
    return {"invitation": invitations.open_invitation(SUITE, keys, relay, given.raw("sealed"))}


def invitation_file(given: Given) -> Result:
    """Writes, and reads the same."""
    secret, encoded = InvitationSecret(given.raw("secret")), given.raw("invitation")
    file = invitations.format_file(secret, encoded)
    assert invitations.parse_file(file) == (secret, encoded)
    return {"file": file}


def invitation_file_read(given: Given) -> Result:
    """Reads."""
    return {"secret": invitations.parse_file(given.raw("file"))[0]}


def address(given: Given) -> Result:
    """Writes, and reads the same."""
    host, key = Host.parse(given.text("host")), RelayKey(given.raw("key"))
    text = format_address(host, key)
    assert parse_address(text) == (host, key)
    return {"address": text}


def address_read(given: Given) -> Result:
    """Reads."""
    return {"host": str(parse_address(given.text("address"))[0])}


def link(given: Given) -> Result:
    """Writes, and reads the same."""
    hosts = tuple(Host.parse(host) for host in given.values["hosts"])
    relays = tuple(zip(hosts, map(RelayKey, given.raws("keys")), strict=True))
    secret, direct = InvitationSecret(given.raw("secret")), bool(given.values["direct"])
    text = invitations.format_link(relays, secret, direct)
    parsed = invitations.parse_link(text)
    assert (parsed.relays, parsed.secret, parsed.direct) == (relays, secret, direct)
    return {"link": text}


def link_read(given: Given) -> Result:
    """Reads."""
    return {"secret": invitations.parse_link(given.text("link")).secret}


RUNNERS = {
    "identity": identity,
    "safety_number": safety_number,
    "invitation": invitation,
    "invitation_read": invitation_read,
    "link_keys": link_keys,
    "invitation_sealed": invitation_sealed,
    "invitation_open": invitation_open,
    "invitation_file": invitation_file,
    "invitation_file_read": invitation_file_read,
    "address": address,
    "address_read": address_read,
    "link": link,
    "link_read": link_read,
}
