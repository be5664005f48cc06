"""Who may use a running node's API: whoever can read the access file beside its socket, which is this user alone."""

import hmac
import json
import os
import secrets
import socket
from pathlib import Path
from typing import NamedTuple

from node.files import make_private_directory, write_private
from node.profile import Profile

TOKEN_BYTES = 32
HAS_UNIX_SOCKETS = hasattr(socket, "AF_UNIX")


class Access(NamedTuple):
    """`port` on 127.0.0.1 where this platform has no Unix sockets, else nil."""

    token: str
    port: int | None

    def admits(self, authorization: bytes) -> bool:
        """Whether this `Authorization` header holds the token; the time it takes tells nothing."""
        return hmac.compare_digest(authorization, b"Bearer " + self.token.encode())


def grant(profile: Profile, port: int | None) -> Access:
    """A fresh token in the access file. The file is there only once the node listens."""
    access = Access(secrets.token_urlsafe(TOKEN_BYTES), port)
    write_private(profile.access, json.dumps(access._asdict()).encode())
    return access


def revoke(profile: Profile) -> None:
    """Remove what names a node that is about to end."""
    for path in (profile.access, profile.socket):
        path.unlink(missing_ok=True)


def read_access(path: Path) -> Access | None:
    """What a running node granted; nil where none runs."""
    try:
        value = json.loads(path.read_bytes())
        return Access(str(value["token"]), value["port"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def bind_socket(profile: Profile) -> socket.socket:
    """A listening socket, 0600. The caller holds the profile's lock: a socket found there is a dead one's."""
    make_private_directory(profile.socket.parent)
    revoke(profile)
    if HAS_UNIX_SOCKETS:
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            bound.bind(os.fspath(profile.socket))
        finally:
            os.umask(before)
    else:
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.bind(("127.0.0.1", 0))
    bound.listen(64)
    return bound


def bound_port(bound: socket.socket) -> int | None:
    """The TCP port of a listening socket; nil for a Unix socket."""
    return None if HAS_UNIX_SOCKETS else int(bound.getsockname()[1])
