"""What only a contact recognises: tags, hints, and the key of a session on a local network (Spec 9 §2, §5)."""

import hmac
from collections.abc import Container, Sequence
from typing import NamedTuple

from protocol.crypto import labels
from protocol.crypto.suite import Suite, keyed_blake2b
from protocol.keys import DhPublic, PairSecret
from protocol.limits import DISCOVERY_EPOCH_SECONDS, DISCOVERY_TAG_BYTES

HINT_BYTES = 8
_MAPPED = bytes(10) + b"\xff\xff"

EPOCHS_BEFORE = 2
"""An announcement made in epoch e and alive for 20 minutes is still met in e + 2."""
EPOCHS_AFTER = 1


class Endpoint(NamedTuple):
    """`address`: 16 bytes, an IPv6 address or an IPv4 one mapped into it (RFC 4291 §2.5.5.2). `port`: u16, never 0."""

    address: bytes
    port: int

    @property
    def is_ipv6(self) -> bool:
        """Whether it is no IPv4 address in disguise."""
        return not self.address.startswith(_MAPPED)


def epoch_of(wall: float) -> int:
    """Unix time in periods of 600 s, kept within u32 whatever the clock says."""
    return min(max(int(wall // DISCOVERY_EPOCH_SECONDS), 0), 2**32 - 1)


def tag(secret: PairSecret, nonce: bytes, epoch: int, endpoint: Endpoint) -> bytes:
    """6 bytes, random to all who lack `secret`; of another epoch, address, port or 16-byte nonce they are others."""
    assert len(nonce) == len(endpoint.address) == 16
    return keyed_blake2b(secret, DISCOVERY_TAG_BYTES, _message(nonce, epoch, endpoint))


def is_tagged(secret: PairSecret, nonce: bytes, epoch: int, endpoint: Endpoint, tags: Container[bytes]) -> bool:
    """Whether a tag of `secret` is among `tags`, for a reader whose clock is in `epoch`."""
    return any(
        tag(secret, nonce, one, endpoint) in tags
        for one in range(max(epoch - EPOCHS_BEFORE, 0), min(epoch + EPOCHS_AFTER, 2**32 - 1) + 1)
    )


def hint(secret: PairSecret, nonce: bytes, ephemeral: DhPublic) -> bytes:
    """8 bytes before message 1, by which the announcer knows whose secret the session rests on."""
    assert len(nonce) == 16
    assert len(ephemeral) == 32
    return keyed_blake2b(secret, HINT_BYTES, labels.LAN_HINT + nonce + ephemeral)


def hinted(secrets: Sequence[PairSecret], nonce: bytes, ephemeral: DhPublic, given: bytes) -> int | None:
    """Which of at most 64 secrets a hint names; None: none. All are tried, so the time says nothing of which."""
    found = None
    for index, secret in enumerate(secrets):
        if hmac.compare_digest(hint(secret, nonce, ephemeral), given):
            found = index
    return found


def session_key(suite: Suite, secret: PairSecret) -> bytes:
    """The 32-byte psk of a session with the contact that has `secret`."""
    return suite.kdf(None, secret, labels.LAN_PSK, 32)


def _message(nonce: bytes, epoch: int, endpoint: Endpoint) -> bytes:
    return b"".join(
        (labels.DISCOVERY_TAG, nonce, epoch.to_bytes(4, "big"), endpoint.address, endpoint.port.to_bytes(2, "big"))
    )
