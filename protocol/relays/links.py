"""A list to pass on: whole, as text, or as a link that says which relay has it and whose it is (Spec 11 §6)."""

import base64
import re
from typing import NamedTuple

from protocol.errors import CallerError
from protocol.keys import PublisherKey, RelayKey
from protocol.limits import MAX_RELAY_LIST_BYTES
from protocol.wire.addresses import Host, parse_address, parse_hosts

TEXT_PREFIX = "kassiber-relays:"
MAX_LIST_FILE_BYTES = 2 * MAX_RELAY_LIST_BYTES
"""What a reader of files need look at: a text, broken into lines, is shorter."""
_LINK = re.compile(r"(kassibers?)://([^/#,]+)/l#([A-Za-z0-9_-]{86})")
_BASE64URL = re.compile(rb"[A-Za-z0-9_-]*")
_SPACE = re.compile(rb"\s+")


class Source(NamedTuple):
    """A relay that offers a list, and whose list it should be; None: whoever's it is."""

    host: Host
    relay: RelayKey
    publisher: PublisherKey | None


def format_list_link(host: Host, relay: RelayKey, publisher: PublisherKey) -> str:
    """`kassiber://host:port/l#` and 86 characters: the keys of the relay and of the publisher."""
    return f"{host.address_scheme}://{host.authority}/l#{_base64url(relay + publisher)}"


def parse_source(text: str) -> Source:
    """From a list link, or from a relay's address, which names no publisher. Raises CallerError."""
    stripped = "".join(text.split())
    shown, separator, _ = stripped.partition("/l#")
    if not separator:
        return Source(*parse_address(stripped), None)
    found = _LINK.fullmatch(stripped)
    keys = b"" if found is None else base64.urlsafe_b64decode(found[3] + "==")
    if found is None or _base64url(keys) != found[3]:
        raise CallerError(f"The link {shown!r} is damaged: behind '#' there should be 86 characters. Copy it again.")
    (host,) = parse_hosts(found[1], found[2])
    return Source(host, RelayKey(keys[:32]), PublisherKey(keys[32:]))


def to_text(encoded: bytes) -> str:
    """A signed list as one line."""
    return TEXT_PREFIX + _base64url(encoded)


def from_file(data: bytes) -> bytes:
    """The list in a file or a pasted text: its bytes, or its text, broken into lines or not. Raises CallerError."""
    trimmed = data.lstrip()
    if not trimmed.startswith(TEXT_PREFIX.encode()):
        return data
    letters = _SPACE.sub(b"", trimmed[len(TEXT_PREFIX) :])
    if len(letters) > (MAX_RELAY_LIST_BYTES + 2) // 3 * 4:
        raise CallerError(f"The list of relays is too long: at most {MAX_RELAY_LIST_BYTES:,} bytes. Is it one?")
    encoded = base64.urlsafe_b64decode(letters + b"=" * (-len(letters) % 4)) if _is_base64url(letters) else b""
    if _base64url(encoded).encode() != letters:
        raise CallerError(f"The text behind {TEXT_PREFIX!r} is damaged. Copy it again, to its last character.")
    return encoded


def format_publisher(publisher: PublisherKey) -> str:
    """43 characters."""
    return _base64url(publisher)


def parse_publisher(text: str) -> PublisherKey:
    """A publisher's key as people pass it on, 43 characters. Raises CallerError."""
    key = base64.urlsafe_b64decode(f"{text}=") if re.fullmatch(r"[A-Za-z0-9_-]{43}", text) else b""
    if len(key) != 32 or _base64url(key) != text:
        raise CallerError(f"{text!r} is no publisher's key: it should be 43 characters. Copy it again.")
    return PublisherKey(key)


def _is_base64url(letters: bytes) -> bool:
    return len(letters) % 4 != 1 and _BASE64URL.fullmatch(letters) is not None


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
