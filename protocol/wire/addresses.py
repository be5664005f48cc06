"""Hosts and relay addresses (Spec 3 §6): `kassiber://host:port/r#key`, `kassibers://` over TLS."""

import base64
import binascii
import re

from msgspec import Struct

from protocol.errors import CallerError
from protocol.keys import RelayKey
from protocol.limits import MAX_HOST_BYTES

_SCHEMES = {"kassiber": "ws", "kassibers": "wss"}
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?|[a-z0-9]", re.ASCII)
_LITERAL = re.compile(r"\[[0-9a-f:.]+\]", re.ASCII)


class Host(Struct, frozen=True):
    """Where to connect: `scheme` is ws or wss, `name` a host name, IPv4 address or bracketed IPv6 address."""

    scheme: str
    name: str
    port: int

    @property
    def authority(self) -> str:
        """`name:port`."""
        return f"{self.name}:{self.port}"

    @property
    def address_scheme(self) -> str:
        """`kassiber` or `kassibers`."""
        return "kassibers" if self.scheme == "wss" else "kassiber"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @classmethod
    def parse(cls, text: str) -> "Host":
        """From `ws://name:port` or `wss://name:port`, in exactly that form. Raises CallerError."""
        scheme, separator, authority = text.partition("://")
        if not separator or scheme not in _SCHEMES.values():
            raise CallerError(f"{text!r} is not a host: it should look like ws://name:port or wss://name:port.")
        host = _parse_authority(scheme, authority)
        if str(host) != text:
            raise CallerError(f"{text!r} is not written as it should be: {host}")
        return host


def parse_hosts(address_scheme: str, authorities: str) -> list[Host]:
    """The comma-separated hosts of an address or link. Raises CallerError that names the wrong one."""
    return [_parse_authority(_SCHEMES[address_scheme], authority) for authority in authorities.split(",")]


def format_address(host: Host, key: RelayKey) -> str:
    """`kassiber://host:port/r#key`, the key in base64url without padding."""
    return f"{host.address_scheme}://{host.authority}/r#{format_key(key)}"


def format_key(key: RelayKey) -> str:
    """43 characters."""
    return base64.urlsafe_b64encode(key).rstrip(b"=").decode()


def parse_address(text: str) -> tuple[Host, RelayKey]:
    """Raises CallerError that says which part is wrong, without what is behind '#': it may be a secret."""
    stripped = text.strip()
    shown = stripped.partition("#")[0]
    scheme, separator, rest = stripped.partition("://")
    if not separator or scheme not in _SCHEMES:
        raise CallerError(f"{shown!r} is not a relay's address: it should look like kassiber://host:port/r#key.")
    place, separator, token = rest.partition("/r#")
    if not separator:
        invitation = "/i#" in rest or "/d#" in rest
        hint = " It looks like an invitation." if invitation else " The part from /r# on is missing."
        raise CallerError(f"{shown!r} is not a relay's address.{hint}")
    host = _parse_authority(_SCHEMES[scheme], place)
    try:
        key = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32 or format_key(RelayKey(key)) != token:
        raise CallerError(f"The key behind '#' of {shown!r} is damaged: it should be 43 characters. Copy it again.")
    return host, RelayKey(key)


def _parse_authority(scheme: str, authority: str) -> Host:
    name, separator, port_text = authority.rpartition(":")
    lowered = name.lower()
    if not separator or not (_NAME.fullmatch(lowered) or _LITERAL.fullmatch(lowered)):
        raise CallerError(f"{authority!r} is not a host: it should look like name:port.")
    if not (port_text.isascii() and port_text.isdigit() and len(port_text) <= 5 and 0 < int(port_text) < 65_536):
        raise CallerError(f"{authority!r} has no valid port: a number from 1 to 65535 is needed.")
    host = Host(scheme, lowered, int(port_text))
    if len(str(host)) > MAX_HOST_BYTES:
        raise CallerError(f"{authority!r} is too long: at most {MAX_HOST_BYTES} characters.")
    return host
