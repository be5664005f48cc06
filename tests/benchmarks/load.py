"""A lean load: raw sockets, frames sealed before the clock runs, so that the relay and not its client is measured.

WebSocket masks are zero, which costs the relay what any mask costs.
"""

import base64
import os
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable

from node.entropy import SystemEntropy
from node.transport.websocket import PATH
from protocol import SUBPROTOCOL
from protocol.crypto.noise import Session
from protocol.crypto.proofs import claim_message, create_message, prove_message, receive_id
from protocol.crypto.suite import RealSuite
from protocol.envelope.envelope import seal_envelope
from protocol.keys import (
    ClaimKey,
    ReceiveId,
    RecipientKey,
    RelayKey,
    Request,
    SenderKey,
    SendId,
    Signature,
    SigningKey,
    Subscription,
)
from protocol.limits import BODY_BYTES
from protocol.link.initiator import InitiatorLink
from protocol.timing import Timing
from protocol.wire.codec import Decoder
from protocol.wire.commands import Claim, Command, Create, Deposit, OnWireToNode, Preset, Prove, Role, Shape, Subscribe
from protocol.wire.frames import decode_frame, encode_frame

SUITE = RealSuite()
_decoder: Decoder[list[OnWireToNode]] = Decoder(list[OnWireToNode])
_SEND_BUFFER = 2**20


class Keys:
    """A queue as its two ends know it."""

    def __init__(self) -> None:
        entropy = SystemEntropy()
        self.recipient, self.sender, self.claim = (SUITE.signing_key(entropy.secret(32)) for _ in range(3))
        self.send_id = SendId(entropy.secret(16))
        self.receive_id: ReceiveId = receive_id(RecipientKey(self.recipient[32:]))

    def deposits(self, count: int) -> list[Deposit]:
        """So many envelopes, all different."""
        filler = os.urandom(BODY_BYTES - 8)
        bodies = (number.to_bytes(8, "big") + filler for number in range(count))
        sealed = (seal_envelope(SUITE, self.sender, self.send_id, body)[0] for body in bodies)
        return [Deposit(Request(number), envelope) for number, envelope in enumerate(sealed)]


class Client:
    """One connection. First by the book, with a link; then, for speed, with its Noise ciphers alone."""

    def __init__(self, port: int, relay: RelayKey, source: str = "127.0.0.1") -> None:
        self._relay = relay
        self.socket = socket.create_connection(("127.0.0.1", port), source_address=(source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = bytearray()
        self._upgrade()
        self._link = InitiatorLink(SUITE, SystemEntropy(), Timing(), relay, 0.0)
        self._requests = 2**31
        self._flush()
        self._link.receive(self._next_message(), 0.0)
        session = self._link._session
        assert session is not None
        self.session: Session = session

    def _upgrade(self) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {PATH} HTTP/1.1\r\nHost: relay\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self._received:
            self._received += self.socket.recv(4_096)
        assert self._received.startswith(b"HTTP/1.1 101")
        del self._received[: self._received.index(b"\r\n\r\n") + 4]

    def ask(self, *commands: Command) -> list[Command]:
        """Send, and wait for as many replies."""
        for command in commands:
            self._link.queue(command)
        self._flush()
        replies: list[Command] = []
        while len(replies) < len(commands):
            replies += self._link.receive(self._next_message(), 0.0)
        return replies

    def ask_nothing(self) -> list[Command]:
        """The commands of the next frame."""
        return self._link.receive(self._next_message(), 0.0)

    def _flush(self) -> None:
        while (frame := self._link.transmit(0.0)) is not None:
            self.socket.sendall(masked(frame))

    def _next_message(self) -> bytes:
        while True:
            for message in self.take():
                return message
            self._received += self.socket.recv(65_536)

    def take(self) -> Iterable[bytes]:
        """Whole messages that have been received."""
        received = self._received
        while len(received) >= 4:
            assert received[0] == 0x82, f"not a binary message: {received[:8].hex()}"
            assert received[1] == 126
            end = 4 + int.from_bytes(received[2:4], "big")
            if len(received) < end:
                return
            message = bytes(received[4:end])
            del received[:end]
            yield message

    def read(self) -> list[OnWireToNode]:
        """What has arrived, decrypted and decoded; custody is not verified."""
        self._received += self.socket.recv(2**18)
        commands: list[OnWireToNode] = []
        for message in self.take():
            commands += decode_frame(self.session.receiving.decrypt(message), _decoder)
        return commands

    def seal(self, commands: list[Command]) -> bytes:
        """A WebSocket message; they must be sent in the order in which they are sealed."""
        return masked(self.session.sending.encrypt(encode_frame(commands)))

    def shape(self, preset: Preset) -> None:
        """Have the relay answer as a preset has it, from now on."""
        if preset is not Preset.DIRECT:
            self._link.queue(Shape(preset))
            self._flush()

    def make(self, keys: Keys) -> None:
        """Create and claim a queue."""
        h, claim_key = self.session.handshake_hash, ClaimKey(keys.claim[32:])
        recipient, sender = RecipientKey(keys.recipient[32:]), SenderKey(keys.sender[32:])
        created = sign(keys.recipient, create_message(h, recipient, keys.send_id, claim_key, None))
        claimed = sign(keys.claim, claim_message(self._relay, keys.send_id, sender))
        self.ask(Create(self._number(), recipient, keys.send_id, claim_key, None, created))
        self.ask(Claim(self._number(), keys.send_id, sender, claimed))

    def prove(self, keys: Keys, role: Role) -> None:
        named, key = (keys.send_id, keys.sender) if role is Role.SENDER else (keys.receive_id, keys.recipient)
        signature = sign(key, prove_message(self.session.handshake_hash, role, named))
        self.ask(Prove(self._number(), named, role, signature))

    def subscribe(self, keys: Keys, number: int) -> Command:
        """The command; proven first."""
        self.prove(keys, Role.RECIPIENT)
        return Subscribe(self._number(), Subscription(number), keys.receive_id)

    def _number(self) -> Request:
        self._requests += 1
        return Request(self._requests)


def sign(key: SigningKey, message: bytes) -> Signature:
    return SUITE.sign(key, message)


def masked(payload: bytes) -> bytes:
    """A client's binary message (RFC 6455 §5.2)."""
    return b"\x82\xfe" + len(payload).to_bytes(2, "big") + b"\0\0\0\0" + payload


class Pump:
    """Many connections in one thread: sends what is given, hands what comes to `on_commands`."""

    def __init__(self, on_commands: Callable[[Client, list[OnWireToNode]], Iterable[bytes]]) -> None:
        self._selector = selectors.DefaultSelector()
        self._on_commands = on_commands
        self._waiting: dict[Client, deque[memoryview]] = {}

    def add(self, client: Client) -> None:
        client.socket.setblocking(False)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self._selector.register(client.socket, selectors.EVENT_READ, client)
        self._waiting[client] = deque()

    def send(self, client: Client, message: bytes) -> None:
        waiting = self._waiting[client]
        waiting.append(memoryview(message))
        if len(waiting) == 1:
            self._write(client)

    def _write(self, client: Client) -> None:
        waiting = self._waiting[client]
        try:
            while waiting:
                sent = client.socket.send(waiting[0])
                if sent == len(waiting[0]):
                    waiting.popleft()
                else:
                    waiting[0] = waiting[0][sent:]
        except BlockingIOError:
            pass
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if waiting else 0)
        if self._selector.get_key(client.socket).events != events:
            self._selector.modify(client.socket, events, client)

    def turn(self, seconds: float | None = None) -> None:
        """Wait for something to happen, and let it."""
        for key, events in self._selector.select(seconds):
            client: Client = key.data
            if events & selectors.EVENT_READ:
                for message in self._on_commands(client, client.read()):
                    self.send(client, message)
            if events & selectors.EVENT_WRITE:
                self._write(client)

    def until(self, done: Callable[[], bool], seconds: float = 120.0) -> float:
        """Turn until `done`; how long it took."""
        begun = time.perf_counter()
        while not done():
            self.turn(1.0)
            if time.perf_counter() - begun > seconds:
                raise AssertionError("the load does not end")
        return time.perf_counter() - begun

    def close(self) -> None:
        for client in self._waiting:
            client.socket.close()
        self._selector.close()
