"""A proxy's side of a connection, without the connection (RFC 1928, RFC 1929): bytes in, bytes out.

Why not a library: the one that is kept without a loop of its own expects each answer in one piece, and has had no
release for years. What is needed of the protocol is CONNECT with a user name and password.
"""

import hashlib
from collections.abc import Generator
from ipaddress import IPv4Address, ip_address
from typing import Final, NamedTuple, TypeAlias

from protocol.errors import WorldError

_VERSION: Final = 5
_NO_AUTHENTICATION, _PASSWORD, _NO_METHOD = 0, 2, 0xFF
_IPV4, _NAME, _IPV6 = 1, 3, 4
_REFUSALS: Final = {
    1: "the proxy cannot connect to it",
    2: "the proxy does not allow connections to it",
    3: "the proxy does not reach its network",
    4: "the proxy does not reach it, or does not find its name",
    5: "it refused the proxy's connection",
    6: "the proxy's connection to it timed out",
    7: "the proxy makes no connections",
    8: "the proxy does not connect to addresses of this kind",
    0xF0: "the proxy does not find this onion address",
    0xF1: "the proxy found this onion address damaged",
    0xF2: "the proxy could not be introduced to this onion address",
    0xF3: "the proxy did not meet with this onion address",
    0xF4: "this onion address wants an authorisation that the proxy does not have",
    0xF5: "this onion address does not take the proxy's authorisation",
    0xF6: "this is no onion address",
    0xF7: "the proxy was not introduced to this onion address in time",
}
"""RFC 1928 §6; from 0xF0 on Tor's (proposal 304)."""
NOT_A_PROXY: Final = "what answers at the proxy's address is not a SOCKS5 proxy"
NO_ISOLATION: Final = "the proxy takes no user name and password, so it cannot keep connections apart"
OTHER_AUTHENTICATION: Final = "the proxy wants another authentication than a user name of Kassiber's choice"


class ProxyError(WorldError):
    """The proxy, or what it says of the destination; for a person, nothing that it sent is repeated."""


class Credentials(NamedTuple):
    """By which a proxy keeps connections apart; 1 to 255 bytes each."""

    username: bytes
    password: bytes


def isolating(secret: bytes, name: bytes) -> Credentials:
    """Other ones for each `name`, and for each secret (1 to 64 bytes): who sees them learns nothing of either."""
    digest = hashlib.blake2b(name, key=secret, digest_size=32).hexdigest().encode()
    return Credentials(digest[:32], digest[32:])


class Turn(NamedTuple):
    """Send this, then give exactly `wanted` bytes of what comes."""

    sent: bytes
    wanted: int


Negotiation: TypeAlias = Generator[Turn, bytes, None]


def negotiate(name: str, port: int, credentials: Credentials, *, apart: bool) -> Negotiation:
    """Have the proxy connect to `name`, which it resolves; once this returns, the stream leads there.

    `apart`: only a proxy that takes the credentials will do. Raises ProxyError.
    """
    yield from greet(credentials, apart=apart)
    yield from connect(name, port)


def greet(credentials: Credentials, *, apart: bool) -> Negotiation:
    """RFC 1928 §3, RFC 1929 §2. Raises ProxyError."""
    methods = (_PASSWORD,) if apart else (_PASSWORD, _NO_AUTHENTICATION)
    version, method = yield Turn(bytes((_VERSION, len(methods), *methods)), 2)
    if version != _VERSION:
        raise ProxyError(NOT_A_PROXY)
    if method == _NO_METHOD:
        raise ProxyError(NO_ISOLATION if apart else OTHER_AUTHENTICATION)
    if method not in methods:
        raise ProxyError(NOT_A_PROXY)
    if method == _PASSWORD:
        username, password = credentials
        asked = bytes((1, len(username))) + username + bytes((len(password),)) + password
        version, status = yield Turn(asked, 2)
        if version != 1:
            raise ProxyError(NOT_A_PROXY)
        if status != 0:
            raise ProxyError(OTHER_AUTHENTICATION)


def connect(name: str, port: int) -> Negotiation:
    """RFC 1928 §4 to §6. Raises ProxyError."""
    version, status, reserved, kind = yield Turn(_connect(name, port), 4)
    if version != _VERSION or reserved != 0:
        raise ProxyError(NOT_A_PROXY)
    if status != 0:
        raise ProxyError(_REFUSALS.get(status, "the proxy refused, and gave no reason that is known"))
    if kind == _NAME:
        (length,) = yield Turn(b"", 1)
        yield Turn(b"", length + 2)
    elif kind in {_IPV4, _IPV6}:
        yield Turn(b"", (4 if kind == _IPV4 else 16) + 2)
    else:
        raise ProxyError(NOT_A_PROXY)


def _connect(name: str, port: int) -> bytes:
    """`name`: a host name of 1 to 255 ASCII characters, an IPv4 address, or an IPv6 address without brackets."""
    try:
        address = ip_address(name)
    except ValueError:
        destination = bytes((_NAME, len(name))) + name.encode("ascii")
    else:
        destination = bytes((_IPV4 if isinstance(address, IPv4Address) else _IPV6,)) + address.packed
    return bytes((_VERSION, 1, 0)) + destination + port.to_bytes(2, "big")
