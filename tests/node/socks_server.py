"""A SOCKS5 proxy on loopback that does its work and writes down what it was asked (RFC 1928, RFC 1929)."""

import socket
import struct
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

PASSWORD, NO_AUTHENTICATION = 2, 0


class Asked(NamedTuple):
    """One connection's wish."""

    username: bytes
    password: bytes
    kind: int
    """3: a name; 1 and 4: addresses."""
    name: str
    port: int
    client: str
    """The address of who came."""


class SocksServer:
    """`names`: where what only a proxy can resolve really is; what it does not know it does not find."""

    def __init__(
        self,
        names: Mapping[str, str] | None = None,
        *,
        source: str = "127.0.0.1",
        methods: tuple[int, ...] = (PASSWORD,),
    ) -> None:
        self.names = dict(names or {})
        self.asked: list[Asked] = []
        self.offered: list[bytes] = []
        self._source = source
        self._methods = methods
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self.port = 0
        self.start()

    @property
    def place(self) -> str:
        """As `--proxy` takes it."""
        return f"socks5://127.0.0.1:{self.port}"

    def start(self) -> None:
        """On the port that it had."""
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self) -> None:
        """Nobody is there any more, and every connection ends."""
        assert self._listener is not None
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def connections(self) -> int:
        """How many are carried now."""
        return len(self._open) // 2

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, (address, _) = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client, address), daemon=True).start()

    def _serve(self, client: socket.socket, address: str) -> None:
        self._open.add(client)
        with client, suppress(OSError, EOFError):
            try:
                relay = self._negotiate(client, address)
                if relay is not None:
                    self._carry(client, relay)
            finally:
                self._open.discard(client)

    def _negotiate(self, client: socket.socket, source: str) -> socket.socket | None:
        _, count = _read(client, 2)
        offered = _read(client, count)
        self.offered.append(offered)
        chosen = next((method for method in self._methods if method in offered), 0xFF)
        client.sendall(bytes((5, chosen)))
        username = password = b""
        if chosen == 0xFF:
            return None
        if chosen == PASSWORD:
            _, length = _read(client, 2)
            username = _read(client, length)
            password = _read(client, _read(client, 1)[0])
            client.sendall(b"\x01\x00")
        _, command, _, kind = _read(client, 4)
        assert command == 1
        if kind == 3:
            name = _read(client, _read(client, 1)[0]).decode("ascii")
        else:
            family = socket.AF_INET if kind == 1 else socket.AF_INET6
            name = socket.inet_ntop(family, _read(client, 4 if kind == 1 else 16))
        (port,) = struct.unpack(">H", _read(client, 2))
        self.asked.append(Asked(username, password, kind, name, port, source))
        address = name if kind == 1 else self.names.get(name)
        if address is None:
            client.sendall(b"\x05\x04\x00\x01" + bytes(6))
            return None
        try:
            relay = socket.create_connection((address, port), source_address=(self._source, 0))
        except OSError:
            client.sendall(b"\x05\x05\x00\x01" + bytes(6))
            return None
        bound = name.encode()  # a bound address of varying length: readers must take exactly what it says
        client.sendall(b"\x05\x00\x00\x03" + bytes((len(bound),)) + bound + struct.pack(">H", port))
        return relay

    def _carry(self, client: socket.socket, relay: socket.socket) -> None:
        self._open.add(relay)
        try:
            other = threading.Thread(target=_pass_on, args=(relay, client), daemon=True)
            other.start()
            _pass_on(client, relay)
            other.join()
        finally:
            self._open.discard(relay)
            relay.close()


def _read(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        more = connection.recv(length - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    try:
        while piece := source.recv(65_536):
            sink.sendall(piece)
    except OSError:
        pass
    for one in (source, sink):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
