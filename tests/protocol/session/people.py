"""Two people with an invitation between them, for the tests of this folder."""

import hashlib
from typing import NamedTuple

from protocol.crypto.suite import RealSuite
from protocol.keys import ClaimSeed, DhPrivate, InvitationSecret, KemSeed, RelayKey, SendId
from protocol.session import handshake
from protocol.session.handshake import Prekeys, Session
from protocol.session.identity import IdentityKeys, make_identity
from protocol.session.invitation import Invitation, Route, link_psk
from protocol.wire.codec import encode

SUITE = RealSuite()


class SeededEntropy:
    """The same bytes for the same name: a failure can be run again."""

    def __init__(self, name: str = "") -> None:
        self._name = name
        self._count = 0

    def secret(self, length: int) -> bytes:
        """The next `length` bytes."""
        self._count += 1
        return hashlib.shake_256(f"{self._name} {self._count}".encode()).digest(length)

    def uniform(self) -> float:
        """The middle."""
        return 0.5


class OpenInvitation(NamedTuple):
    """An inviter with what an invitation leaves at home."""

    keys: IdentityKeys
    prekeys: Prekeys
    value: Invitation
    encoded: bytes
    psk: bytes


def invite(name: str = "alice") -> OpenInvitation:
    """An identity and its invitation."""
    entropy = SeededEntropy(name)
    keys = make_identity(SUITE, entropy)
    prekeys = Prekeys(DhPrivate(entropy.secret(32)), KemSeed(entropy.secret(64)))
    route = Route(
        "wss://relay.example:443", RelayKey(entropy.secret(32)), SendId(entropy.secret(16)),
        ClaimSeed(entropy.secret(32)), False,
    )  # fmt: skip
    value = Invitation(
        1, keys.identity, SUITE.dh_public(prekeys.dh), SUITE.kem_public(prekeys.kem), [route], 29_710_080, None
    )
    psk = link_psk(SUITE, InvitationSecret(entropy.secret(32)))
    return OpenInvitation(keys, prekeys, value, encode(value), psk)


def join(
    invitation: OpenInvitation, joiner: IdentityKeys | None = None, payload: bytes = bytes(1_408), name: str = "bob"
) -> tuple[Session, bytes]:
    """The joiner's session and body."""
    entropy = SeededEntropy(name)
    keys = joiner or make_identity(SUITE, entropy)
    return handshake.join(SUITE, entropy, keys, invitation.value, invitation.encoded, invitation.psk, payload)


def receive(invitation: OpenInvitation, body: bytes) -> tuple[Session, bytes]:
    """The inviter's session and the payload."""
    return handshake.receive(SUITE, invitation.keys, invitation.prekeys, invitation.encoded, invitation.psk, body)


def meet() -> tuple[Session, Session]:
    """Joiner's and inviter's session after a handshake."""
    invitation = invite()
    joined, body = join(invitation)
    return joined, receive(invitation, body)[0]
