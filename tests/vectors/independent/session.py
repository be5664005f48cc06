"""Identities, invitations, handshake and ratchet, written from Specs 3 and 4: one mutable object a side."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from cryptography.exceptions import InvalidTag

from tests.vectors.independent import mlkem
from tests.vectors.independent.primitives import (
    ed25519_public,
    hkdf,
    hmac_sha256,
    seal,
    sha256,
    unseal,
    x25519,
    x25519_public,
)
from tests.vectors.independent.wire import pack


class Person(NamedTuple):
    """The private halves of an identity."""

    signing: bytes
    dh: bytes

    @property
    def identity(self) -> bytes:
        """64 bytes."""
        return ed25519_public(self.signing) + x25519_public(self.dh)


def fingerprint(identity: bytes) -> bytes:
    """32 bytes."""
    return sha256(b"kassiber 1 fingerprint", identity)


def safety_number(one: bytes, other: bytes) -> str:
    """Twelve groups of five digits."""
    lower, higher = sorted([fingerprint(one), fingerprint(other)])
    hashed = hashlib.sha512(b"kassiber 1 safety number" + lower + higher).digest()
    return " ".join(f"{int.from_bytes(hashed[i : i + 5], 'big') % 100_000:05}" for i in range(0, 60, 5))


class OpenInvitation(NamedTuple):
    """An inviter's side of an invitation."""

    inviter: Person
    prekey_dh: bytes
    prekey_kem: bytes
    encoded: bytes
    secret: bytes


def invite(
    inviter: Person, prekey_dh: bytes, prekey_kem: bytes, routes: Sequence[object], expiry: int, secret: bytes,
    restricted_to: bytes | None = None,
) -> OpenInvitation:  # fmt: skip
    """The invitation and what stays at home."""
    public = [x25519_public(prekey_dh), mlkem.public_key(prekey_kem)]
    encoded = pack([1, inviter.identity, *public, routes, expiry, restricted_to])
    return OpenInvitation(inviter, prekey_dh, prekey_kem, encoded, secret)


def link_keys(secret: bytes, relay_key: bytes) -> tuple[bytes, bytes, bytes]:
    """Link id 16, key 32, claim seed 32."""
    return (
        hkdf(b"", secret, b"kassiber 1 link id" + relay_key, 16),
        hkdf(b"", secret, b"kassiber 1 link key" + relay_key, 32),
        hkdf(b"", secret, b"kassiber 1 link claim" + relay_key, 32),
    )


def link_psk(secret: bytes) -> bytes:
    """32 bytes."""
    return hkdf(b"", secret, b"kassiber 1 link psk", 32)


def seal_invitation(secret: bytes, relay_key: bytes, salt: bytes, padded: bytes) -> bytes:
    """What the relay keeps, 2,040 bytes when `padded` has 2,000."""
    link_id, key, _ = link_keys(secret, relay_key)
    return salt + seal(key, salt, padded, relay_key + link_id)


def pad_invitation(invitation: bytes) -> bytes:
    """2,000 bytes."""
    return (len(invitation).to_bytes(2, "big") + invitation).ljust(2_000, b"\0")


def base64url(value: bytes) -> str:
    """Without padding."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


@dataclass
class Side:
    """One end of a session."""

    transcript: bytes
    root: bytes
    send_header: bytes
    next_send_header: bytes
    next_receive_header: bytes
    receive_header: bytes = b""
    dh: bytes = b""
    kem: bytes = b""
    peer_part: bytes = b""
    part: bytes = b""
    sending: bytes = b""
    receiving: bytes = b""
    number: int = 0
    previous: int = 0
    received: int = 0
    kept: dict[tuple[bytes, int], bytes] = field(default_factory=dict)

    def turn_to_send(self, dh: bytes, kem: bytes, encapsulated: tuple[bytes, bytes]) -> None:
        """With fresh keys, and an encapsulation to the peer's KEM key."""
        shared, ciphertext = encapsulated
        self.dh, self.kem = dh, kem
        self.part = x25519_public(dh) + mlkem.public_key(kem) + ciphertext
        self.send_header = self.next_send_header
        mixed = x25519(dh, self.peer_part[:32]) + shared
        self.sending, self.next_send_header = self._mix(mixed, self.part)
        self.previous, self.number = self.number, 0

    def turn_to_receive(self, part: bytes, previous: int) -> None:
        """On the peer's new keys; its last chain had `previous` messages."""
        self.keep(previous)
        self.peer_part, self.received = part, 0
        self.receive_header = self.next_receive_header
        mixed = x25519(self.dh, part[:32]) + mlkem.decapsulate(self.kem, part[1_216:])
        self.receiving, self.next_receive_header = self._mix(mixed, part)

    def next_key(self) -> bytes:
        """Of the sending chain."""
        key, self.sending = hmac_sha256(self.sending, b"\1"), hmac_sha256(self.sending, b"\2")
        self.number += 1
        return key

    def seal(self, salt: bytes, payload: bytes) -> bytes:
        """A 3,840-byte body."""
        counters = self.previous.to_bytes(4, "big") + self.number.to_bytes(4, "big")
        header = seal(self.send_header, salt, self.part + counters, self.transcript)
        return salt + header + seal(self.next_key(), salt, payload, self.transcript + header)

    def open(self, body: bytes) -> bytes:
        """The payload of an honest body that was not opened before."""
        salt, header, sealed = body[:24], body[24:2_352], body[2_352:]
        key, plain = self._header(salt, header)
        number = int.from_bytes(plain[2_308:], "big")
        if key == self.next_receive_header:
            self.turn_to_receive(plain[:2_304], int.from_bytes(plain[2_304:2_308], "big"))
            key = self.receive_header
        if key == self.receive_header:
            self.keep(number + 1)
        return unseal(self.kept.pop((key, number)), salt, sealed, self.transcript + header)

    def _header(self, salt: bytes, sealed: bytes) -> tuple[bytes, bytes]:
        for key in (self.receive_header, *(key for key, _ in self.kept), self.next_receive_header):
            if key:
                try:
                    return key, unseal(key, salt, sealed, self.transcript)
                except InvalidTag:
                    continue
        raise AssertionError("not a body of this session")

    def keep(self, end: int) -> None:
        """The keys of the receiving chain below `end`."""
        while self.received < end and self.receiving:
            self.kept[self.receive_header, self.received] = hmac_sha256(self.receiving, b"\1")
            self.receiving = hmac_sha256(self.receiving, b"\2")
            self.received += 1

    def _mix(self, secret: bytes, part: bytes) -> tuple[bytes, bytes]:
        keys = hkdf(self.root, secret, b"kassiber 1 ratchet root" + sha256(part), 96)
        self.root = keys[:32]
        return keys[32:64], keys[64:]


class Draws(NamedTuple):
    """All the randomness of a handshake, as the joiner draws it."""

    ephemeral: bytes
    coins: bytes
    dh: bytes
    kem: bytes


class Handshake(NamedTuple):
    """What a handshake makes."""

    body: bytes
    joiner: Side
    inviter: Side
    transcript: bytes
    reset: bytes
    discovery: bytes


def handshake(
    invitation: OpenInvitation, joiner: Person, draws: Draws, payload: bytes,
    forge: Callable[[bytes], bytes] = lambda block: block,
) -> Handshake:  # fmt: skip
    """Both ends at once: the vectors want what the wire carries. `forge` changes the identity block before sealing."""
    prekey_dh, prekey_kem = x25519_public(invitation.prekey_dh), mlkem.public_key(invitation.prekey_kem)
    ek = x25519_public(draws.ephemeral)
    shared, ciphertext = mlkem.encapsulate(prekey_kem, draws.coins)
    dh1 = x25519(joiner.dh, prekey_dh)
    dh2 = x25519(draws.ephemeral, x25519_public(invitation.inviter.dh))
    dh3 = x25519(draws.ephemeral, prekey_dh)
    ih, psk = sha256(invitation.encoded), link_psk(invitation.secret)
    bound = sha256(ih, ek, ciphertext)
    identity_key = hkdf(psk, dh3 + shared, b"kassiber 1 handshake identity" + bound, 32)
    transcript = sha256(b"kassiber 1 transcript", ih, joiner.identity, ek, ciphertext)
    secret = b"\xff" * 32 + dh1 + dh2 + dh3 + shared
    keys = hkdf(psk, secret, b"kassiber 1 handshake" + transcript, 160)
    root, joiner_header, inviter_header, reset, discovery = (keys[i : i + 32] for i in range(0, 160, 32))

    one = Side(transcript, root, b"", joiner_header, inviter_header, peer_part=prekey_dh + prekey_kem)
    one.turn_to_send(draws.dh, draws.kem, (shared, ciphertext))
    other = Side(transcript, root, b"", inviter_header, joiner_header)
    other.dh, other.kem = invitation.prekey_dh, invitation.prekey_kem
    other.turn_to_receive(one.part, 0)
    other.keep(1)  # the handshake's own envelope is message 0
    key = other.kept.pop((joiner_header, 0))

    head = ek + ciphertext + seal(identity_key, ek[:24], forge(joiner.identity + one.part[:1_216]), bound)
    assert key == one.next_key()
    return Handshake(head + seal(key, ek[:24], payload, transcript + head), one, other, transcript, reset, discovery)
