"""Between clients and a relay: passes everything on from an address of the client's own, and keeps a copy."""

import socket
import threading
from typing import NamedTuple

BINARY, CLOSE = 2, 8


class Frame(NamedTuple):
    """One WebSocket frame (RFC 6455 §5.2)."""

    opcode: int
    final: bool
    reserved: int
    """The three bits that only extensions may set."""
    payload: bytes
    """Unmasked."""


class Tapped:
    """One connection: what each side sent."""

    def __init__(self, client: str, seen_by_relay: str) -> None:
        self.client = client
        self.seen_by_relay = seen_by_relay
        self.sent = bytearray()
        self.received = bytearray()

    def frames(self) -> dict[str, list[Frame]]:
        """Complete frames, by who sent them."""
        return {"client": _parse(bytes(self.sent)), "relay": _parse(bytes(self.received))}


class Wiretap:
    """Listens on an address where clients think that the relay is; the relay has the same port on another."""

    def __init__(self, listen: str, relay: str) -> None:
        self.connections: list[Tapped] = []
        self._relay = relay
        self._listener = socket.create_server((listen, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """No further connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, (address, _) = self._listener.accept()
            except OSError:
                return
            try:
                relay = socket.create_connection((self._relay, self.port), source_address=(address, 0))
            except OSError:
                client.close()
                continue
            tapped = Tapped(address, relay.getsockname()[0])
            self.connections.append(tapped)
            for source, sink, copy in ((client, relay, tapped.sent), (relay, client, tapped.received)):
                threading.Thread(target=_pass_on, args=(source, sink, copy), daemon=True).start()


def _pass_on(source: socket.socket, sink: socket.socket, copy: bytearray) -> None:
    try:
        while piece := source.recv(65_536):
            copy += piece
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        sink.close()


def _parse(stream: bytes) -> list[Frame]:
    """What follows the head of the HTTP request or reply."""
    head, _, stream = stream.partition(b"\r\n\r\n")
    assert b"extensions" not in head.lower(), "compression would tell what is padded"
    frames, at = [], 0
    while len(stream) - at >= 2:
        first, second = stream[at], stream[at + 1]
        at += 2
        length, more = second & 0x7F, {126: 2, 127: 8}.get(second & 0x7F, 0)
        if more:
            length = int.from_bytes(stream[at : at + more], "big")
        at += more
        mask = stream[at : at + 4] if second & 0x80 else bytes(4)
        at += 4 if second & 0x80 else 0
        if at + length > len(stream):
            break
        payload = stream[at : at + length]
        key = (mask * (length // 4 + 1))[:length]
        unmasked = (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(length, "big")
        frames.append(Frame(first & 0x0F, bool(first & 0x80), first >> 4 & 7, unmasked))
        at += length
    return frames
