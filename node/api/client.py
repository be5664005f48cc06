"""The command line's side of the local API: one request a connection, without an event loop, so that it starts fast."""

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from typing import Any, Self

import h11

from node.api.access import Access, read_access
from node.api.errors import ApiError
from node.api.limits import CLIENT_SECONDS
from node.profile import Profile
from protocol.errors import WorldError


class NotRunningError(WorldError):
    """No node runs on this profile, or it has just ended."""


class Client:
    """Asks the node that runs on a profile."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile

    def request(self, method: str, path: str, body: object = None) -> Any:
        """The reply's JSON. Raises ApiError as the node says it, NotRunningError."""
        with self._connect() as connection:
            _write(connection, method, path, body)
            status, content = connection.receive()
        value = _decode(content)
        if status >= 400:
            raise _refusal(value, status)
        return value

    def is_running(self) -> bool:
        """Whether a node listens."""
        try:
            with self._connect():
                return True
        except NotRunningError:
            return False

    def changes(self, after: int, seconds: float | None = None) -> "Stream":
        """Every change above `after`, for so long, or for ever. Raises ApiError, NotRunningError."""
        connection = self._connect()
        try:
            _write(connection, "GET", f"/v1/changes?after={after}", None)
            status, content = connection.receive_head()
            if status >= 400:
                raise _refusal(_decode(content), status)
        except BaseException:
            connection.close()
            raise
        return Stream(connection, None if seconds is None else time.monotonic() + seconds)

    def _connect(self) -> "_Connection":
        access = read_access(self._profile.access)
        if access is None:
            raise NotRunningError(f"No node is running on {self._profile.directory}. Start one: kassiber up")
        tcp = access.port is not None
        opened = socket.socket(socket.AF_INET if tcp else socket.AF_UNIX, socket.SOCK_STREAM)
        opened.settimeout(CLIENT_SECONDS)
        try:
            opened.connect(("127.0.0.1", access.port) if tcp else os.fspath(self._profile.socket))
        except OSError:
            opened.close()
            raise NotRunningError(f"The node on {self._profile.directory} has ended. Start it: kassiber up") from None
        # What a killed node granted lies there until the next one is about to listen: the token may be older than the
        # socket, unless it is still the same now.
        access = read_access(self._profile.access)
        if access is None:
            opened.close()
            raise NotRunningError(f"The node on {self._profile.directory} is only starting. Try again.")
        return _Connection(opened, access)


class Stream:
    """The lines of a stream of changes, each as it is; an empty one for each heartbeat."""

    def __init__(self, connection: "_Connection", end: float | None) -> None:
        self._connection = connection
        self._end = end
        self._left = False

    def __iter__(self) -> Iterator[bytes]:
        """Ends when its time is over or it was left; otherwise by NotRunningError."""
        partial = b""
        try:
            for piece in self._connection.pieces(self._end):
                *lines, partial = (partial + piece).split(b"\n")
                yield from lines
            if not self._left:
                raise NotRunningError("The node has ended.")
        except NotRunningError:
            if not self._left:
                raise
        except TimeoutError:
            pass
        finally:
            self._connection.close()

    def leave(self) -> None:
        """From another thread: end the iteration."""
        self._left = True
        self._connection.shutdown()


class _Connection:
    """One socket, one request."""

    def __init__(self, opened: socket.socket, access: Access) -> None:
        self._socket = opened
        self._http = h11.Connection(h11.CLIENT)
        self.access = access

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def shutdown(self) -> None:
        """Wakes whoever reads."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def send(self, *events: h11.Event) -> None:
        try:
            self._socket.sendall(b"".join(self._http.send(event) or b"" for event in events))
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before all was sent: the reply says why
        except OSError as error:
            raise NotRunningError(f"The node does not answer: {error}.") from error

    def receive(self) -> tuple[int, bytes]:
        """Status and body. Raises NotRunningError."""
        status, content = self.receive_head()
        return status, content or b"".join(self.pieces())

    def receive_head(self) -> tuple[int, bytes]:
        """Status; of a refusal the body too."""
        while True:
            event = self._next()
            if isinstance(event, h11.Response):
                return event.status_code, b"".join(self.pieces()) if event.status_code >= 400 else b""

    def pieces(self, end: float | None = None) -> Iterator[bytes]:
        """The body as it comes, until `end` on the monotonic clock. Raises TimeoutError then, NotRunningError."""
        while isinstance(event := self._next(end), h11.Data):
            yield bytes(event.data)

    def _next(self, end: float | None = None) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                if end is not None:
                    self._socket.settimeout(max(end - time.monotonic(), 0.001))
                self._http.receive_data(self._socket.recv(262_144))
        except TimeoutError:
            if end is not None:
                raise
            raise NotRunningError("The node does not answer. See its log, or stop it and start it again.") from None
        except (OSError, h11.RemoteProtocolError) as error:
            raise NotRunningError(f"The node has ended: {error}.") from error
        return event


def _write(connection: _Connection, method: str, path: str, body: object) -> None:
    content = b"" if body is None else json.dumps(body).encode()
    headers = [
        ("host", "localhost"),
        ("authorization", f"Bearer {connection.access.token}"),
        ("content-length", str(len(content))),
        ("connection", "close"),
    ]
    connection.send(h11.Request(method=method, target=path, headers=headers), h11.Data(content), h11.EndOfMessage())


def _decode(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise NotRunningError("What answers is no node of this version. Restart it: kassiber up") from error


def _refusal(value: Any, status: int) -> ApiError:
    try:
        return ApiError(str(value["error"]["code"]), str(value["error"]["message"]))
    except (KeyError, TypeError):
        return ApiError("internal", f"The node answered with status {status} and no reason.")
