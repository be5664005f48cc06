"""Invitations: a one-time capability to become a contact, and the short link that leads to it (Spec 3 §4–§6).

The invitation is unsigned: the channel that carried the link authenticates it. A link is relay keys and one secret S;
everything else derives from S, separately for each relay, so that two relays hold nothing equal.
"""

import base64
import re
from typing import Annotated

from msgspec import Meta, Struct

from protocol.crypto import labels
from protocol.crypto.suite import Suite, sha256
from protocol.entropy import Entropy
from protocol.errors import CallerError, Code, PeerError
from protocol.keys import (
    U32,
    ClaimSeed,
    ClaimSeedField,
    DhPublicField,
    FingerprintField,
    IdentityField,
    InvitationSecret,
    KemPublicField,
    LinkId,
    RelayKey,
    RelayKeyField,
    SendIdField,
)
from protocol.limits import INVITATION_PADDED_BYTES, MAX_HOST_BYTES, MAX_ROUTES, SALT_BYTES
from protocol.wire.addresses import Host, parse_hosts
from protocol.wire.codec import Decoder, encode

FILE_MAGIC = "kassiber invitation"
MAX_FILE_BYTES = 4_096
_SECRET_BYTES = 32
_NO_BASE64URL = re.compile(r"[^A-Za-z0-9_-]")


class Route(Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """Where an identity is reached: `host` is `ws://name:port` or `wss://name:port`; `direct`: its own node."""

    host: Annotated[str, Meta(min_length=6, max_length=MAX_HOST_BYTES)]
    relay: RelayKeyField
    send_id: SendIdField
    claim_seed: ClaimSeedField
    direct: bool


Routes = Annotated[list[Route], Meta(min_length=1, max_length=MAX_ROUTES)]


class Invitation(Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """What a joiner needs. `expiry` in Unix minutes; `restricted_to` a fingerprint, or nil for whoever comes first."""

    version: Annotated[int, Meta(ge=1, le=1)]
    identity: IdentityField
    prekey_dh: DhPublicField
    prekey_kem: KemPublicField
    routes: Routes
    expiry: U32
    restricted_to: FingerprintField | None


class InvitationFile(Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """An invitation as a file: the whole of it, with S."""

    magic: str
    version: Annotated[int, Meta(ge=1, le=1)]
    secret: Annotated[InvitationSecret, Meta(min_length=_SECRET_BYTES, max_length=_SECRET_BYTES)]
    invitation: bytes


class LinkKeys(Struct, frozen=True):
    """What derives from S for one relay."""

    link_id: LinkId
    key: bytes
    claim_seed: ClaimSeed


class ParsedLink(Struct, frozen=True):
    """One or two relays in the order in which they are asked, and S."""

    relays: tuple[tuple[Host, RelayKey], ...]
    secret: InvitationSecret
    direct: bool
    """The one host is the inviter's own node, so no relay for others."""


_invitations: Decoder[Invitation] = Decoder(Invitation)
_files: Decoder[InvitationFile] = Decoder(InvitationFile)


def decode_invitation(data: bytes) -> Invitation:
    """Raises PeerError BAD_INVITATION."""
    try:
        invitation = _invitations.decode(data)
        for route in invitation.routes:
            Host.parse(route.host)
    except (PeerError, CallerError) as error:
        raise PeerError(Code.BAD_INVITATION, str(error)) from None
    return invitation


def link_keys(suite: Suite, secret: InvitationSecret, relay: RelayKey) -> LinkKeys:
    """Id 16, encryption key 32 and claim seed 32 of one relay (HKDF of S, the relay's key in the info)."""
    return LinkKeys(
        LinkId(suite.kdf(None, secret, labels.LINK_ID + relay, 16)),
        suite.kdf(None, secret, labels.LINK_KEY + relay, 32),
        ClaimSeed(suite.kdf(None, secret, labels.LINK_CLAIM + relay, 32)),
    )


def link_psk(suite: Suite, secret: InvitationSecret) -> bytes:
    """32 bytes from S alone: keeps the handshake safe where the link stayed secret."""
    return suite.kdf(None, secret, labels.LINK_PSK, 32)


def seal_invitation(suite: Suite, entropy: Entropy, keys: LinkKeys, relay: RelayKey, invitation: bytes) -> bytes:
    """2,040 bytes for the relay to keep: salt 24 ‖ AEAD of the invitation padded to 2,000."""
    assert len(invitation) <= INVITATION_PADDED_BYTES - 2
    padded = (len(invitation).to_bytes(2, "big") + invitation).ljust(INVITATION_PADDED_BYTES, b"\0")
    salt = entropy.secret(SALT_BYTES)
    return salt + suite.seal(keys.key, salt, padded, relay + keys.link_id)


def open_invitation(suite: Suite, keys: LinkKeys, relay: RelayKey, sealed: bytes) -> bytes:
    """The invitation's own bytes. Raises PeerError BAD_INVITATION where relay or link tampered with it."""
    padded = suite.open(keys.key, sealed[:SALT_BYTES], sealed[SALT_BYTES:], relay + keys.link_id)
    if padded is None:
        raise PeerError(Code.BAD_INVITATION, "what the relay keeps does not open with this link")
    end = 2 + int.from_bytes(padded[:2], "big")
    if end > len(padded) or padded[end:].strip(b"\0"):
        raise PeerError(Code.BAD_INVITATION, "padding")
    return padded[2:end]


def invitation_hash(invitation: bytes) -> bytes:
    """ih: 32 bytes over the whole invitation; the handshake's transcript starts from it."""
    return sha256(invitation)


def format_link(relays: tuple[tuple[Host, RelayKey], ...], secret: InvitationSecret, direct: bool = False) -> str:
    """`kassiber://h1:p1[,h2:p2]/i#…`, or `/d#…` where the one host is the inviter's own node; one scheme a link."""
    assert 1 <= len(relays) <= (1 if direct else 2)
    hosts = ",".join(host.authority for host, _ in relays)
    token = base64.urlsafe_b64encode(b"".join(key for _, key in relays) + secret).rstrip(b"=").decode()
    return f"{relays[0][0].address_scheme}://{hosts}/{'d' if direct else 'i'}#{token}"


def parse_link(link: str) -> ParsedLink:
    """Raises CallerError that says which part of the link is damaged."""
    text = "".join(link.split())
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in ("kassiber", "kassibers"):
        raise CallerError("This is not a Kassiber invitation: it should begin with kassiber:// (copy the whole link).")
    direct = "/d#" in rest
    place, separator, token = rest.partition("/d#" if direct else "/i#")
    if not separator:
        if "/r#" in rest:
            raise CallerError("This is a relay's address, not an invitation; give it to 'kassiber relays add'.")
        raise CallerError("This invitation link is cut: the part from /i# on is missing. Ask for it again.")
    hosts = parse_hosts(scheme, place)
    if len(hosts) > (1 if direct else 2):
        possible = "one is" if direct else "two are"
        raise CallerError(f"This invitation link names {len(hosts)} hosts; {possible} possible.")
    raw = _parse_token(token, 32 * len(hosts) + _SECRET_BYTES)
    keys = [RelayKey(raw[32 * i : 32 * i + 32]) for i in range(len(hosts))]
    return ParsedLink(tuple(zip(hosts, keys, strict=True)), InvitationSecret(raw[-_SECRET_BYTES:]), direct)


def _parse_token(token: str, length: int) -> bytes:
    """The `length` bytes of what is behind '#'. Raises CallerError."""
    strange = _NO_BASE64URL.search(token)
    if strange:
        raise CallerError(
            f"This invitation link is damaged: {strange[0]!r} behind '#' is in no link. "
            "Copy the whole link, or ask for a new one."
        )
    wanted = (length * 4 + 2) // 3
    if len(token) != wanted:
        raise CallerError(
            f"This invitation link is damaged: {len(token)} characters behind '#' where {wanted} should be. "
            "Copy the whole link, or ask for a new one."
        )
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != token:
        raise CallerError("This invitation link is damaged: its last character is another. Copy the whole link again.")
    return raw


def format_file(secret: InvitationSecret, invitation: bytes) -> bytes:
    """The invitation as a file's bytes."""
    return encode(InvitationFile(FILE_MAGIC, 1, secret, invitation))


def parse_file(data: bytes) -> tuple[InvitationSecret, bytes]:
    """S and the invitation's bytes. Raises CallerError."""
    try:
        if len(data) > MAX_FILE_BYTES:
            raise PeerError(Code.SIZE)
        file = _files.decode(data)
        if file.magic != FILE_MAGIC:
            raise PeerError(Code.BAD_INVITATION)
        decode_invitation(file.invitation)
    except PeerError:
        raise CallerError("This file is not a Kassiber invitation, or it is damaged. Ask for it again.") from None
    return file.secret, file.invitation
