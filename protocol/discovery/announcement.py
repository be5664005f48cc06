"""What an announcement says: a TXT record of one shape and size, and a name that means nothing (Spec 9 §2)."""

import re
from collections.abc import Sequence

from msgspec import Struct

from protocol.discovery.tags import Endpoint, tag
from protocol.entropy import Entropy
from protocol.errors import Code, PeerError
from protocol.keys import PairSecret
from protocol.limits import DISCOVERY_TAG_BYTES, DISCOVERY_TAGS

SERVICE_TYPE = "_kassiber._tcp.local."
NEARBY_HOST = "ws://nearby.invalid:1"
"""What contacts are told of a node that is reached on local networks only (RFC 6761 §6.4: no such name exists)."""

_NONCE_BYTES = 16
_HALF_BYTES = DISCOVERY_TAGS // 2 * DISCOVERY_TAG_BYTES
_STRINGS = ((b"v=1", 0), (b"n=", _NONCE_BYTES), (b"a=", _HALF_BYTES), (b"b=", _HALF_BYTES))
TXT_BYTES = sum(1 + len(key) + length for key, length in _STRINGS)
"""413: four strings, each behind its length."""

_INSTANCE = re.compile(r"[0-9a-f]{16}")


class Announcement(Struct, frozen=True):
    """`nonce`: 16 bytes, of this announcement alone. `tags`: 64 of 6 bytes, in no order."""

    nonce: bytes
    tags: tuple[bytes, ...]


def make_announcement(entropy: Entropy, secrets: Sequence[PairSecret], endpoint: Endpoint, epoch: int) -> Announcement:
    """Tags of at most 64 `secrets`, random ones up to 64, shuffled."""
    assert len(secrets) <= DISCOVERY_TAGS
    nonce = entropy.secret(_NONCE_BYTES)
    tags = [tag(secret, nonce, epoch, endpoint) for secret in secrets]
    tags += [entropy.secret(DISCOVERY_TAG_BYTES) for _ in range(DISCOVERY_TAGS - len(tags))]
    for last in range(DISCOVERY_TAGS - 1, 0, -1):
        other = int(entropy.uniform() * (last + 1))
        tags[last], tags[other] = tags[other], tags[last]
    return Announcement(nonce, tuple(tags))


def make_instance(entropy: Entropy) -> str:
    """16 hexadecimal digits: the instance's name, and the host's."""
    return entropy.secret(8).hex()


def check_instance(instance: str) -> None:
    """Raises PeerError MALFORMED for what `make_instance` never makes."""
    if not _INSTANCE.fullmatch(instance):
        raise PeerError(Code.MALFORMED, "an instance that is not 16 hexadecimal digits")


def encode_txt(announcement: Announcement) -> bytes:
    """The 413 bytes of the TXT record's data (RFC 6763 §6.1)."""
    half = DISCOVERY_TAGS // 2
    values = (b"", announcement.nonce, b"".join(announcement.tags[:half]), b"".join(announcement.tags[half:]))
    return b"".join(
        bytes((len(key) + length,)) + key + value for (key, length), value in zip(_STRINGS, values, strict=True)
    )


def parse_txt(data: bytes) -> Announcement:
    """Raises PeerError: SIZE for other than 413 bytes, MALFORMED for other strings than these four in this order."""
    if len(data) != TXT_BYTES:
        raise PeerError(Code.SIZE, f"a TXT record of {len(data)} bytes")
    values, at = [], 0
    for key, length in _STRINGS:
        start = at + 1 + len(key)
        if data[at:start] != bytes((len(key) + length,)) + key:
            raise PeerError(Code.MALFORMED, f"a TXT record without {key.decode()} in its place")
        at = start + length
        values.append(data[start:at])
    tags = values[2] + values[3]
    return Announcement(
        values[1], tuple(tags[at : at + DISCOVERY_TAG_BYTES] for at in range(0, len(tags), DISCOVERY_TAG_BYTES))
    )
