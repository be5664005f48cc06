"""Relay: durable at the answer, Noise and WebSocket included; CPU is the relay's, all its threads, on one core

A load is named `connections × window × envelopes a frame`; the window counts frames in flight on one connection.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from node.store.relay import RelayStore
from protocol.keys import ClaimKey, Digest, Minute, ReceiveId, RecipientKey, RelayKey, SendId
from protocol.limits import DELIVERY_WINDOW, ENVELOPE_BYTES
from protocol.wire.commands import Ack, Command, Delivery, Marker, OnWireToNode, Refused, Role, Stored
from tests.benchmarks import floors
from tests.benchmarks.load import Client, Keys, Pump
from tests.benchmarks.process import CLIENT_CORE, RelayProcess, pin, running_relay
from tests.benchmarks.reference import measured
from tests.benchmarks.table import Row

ENVELOPES = 16_000
PER_QUEUE = 1_000
LIVE_SECONDS = 12.0
LIVE_PER_SECOND = 50
IDLE = 900
MANY, MANY_PER_QUEUE = 1_000_000, 500


class Shape(NamedTuple):
    """Of a load of deposits."""

    connections: int
    window: int
    per_frame: int
    proven: bool = True

    def __str__(self) -> str:
        checked = "" if self.proven else ", each signature checked"
        return f"{self.connections} × {self.window} × {self.per_frame}{checked}"


def measure(*, full: bool, only: str) -> list[Row]:
    """All rows of this section whose name holds `only`."""
    pin(CLIENT_CORE)
    rows: list[Row] = _disk() if only in "floor" else []
    for name, shape, most_cpu, least_rate in (
        ("deposit 8 a frame", Shape(8, 16, 8), 60.0, 15_000.0),
        ("deposit single", Shape(8, 16, 1), 120.0, 8_000.0),
        ("deposit single, 64 connections", Shape(64, 4, 1), 220.0, 4_500.0),
        ("deposit single, 200 connections", Shape(200, 1, 1), 330.0, 3_000.0),
        ("deposit unproven 8 a frame", Shape(8, 16, 8, proven=False), 120.0, None),
        ("deposit unproven single", Shape(8, 16, 1, proven=False), 170.0, None),
    ):
        if only in name:
            rows += _deposits(name, shape, most_cpu, least_rate)
            rows += _deposit_floor(name, shape)
    if only in "drain":
        rows += _drain()
    if only in "live":
        rows += _live("live", bulk=False)
        rows += _live("live under bulk", bulk=True)
    if only in "idle":
        rows += _idle()
    if full and only in "start with 1,000,000 envelopes":
        rows += _start_with_a_million()
    return rows


@contextmanager
def _relay() -> Iterator[RelayProcess]:
    with tempfile.TemporaryDirectory(prefix="kassiber-") as directory, running_relay(Path(directory)) as relay:
        yield relay


class Place(Protocol):
    """Where a relay is."""

    port: int
    key: RelayKey


class Depositing:
    """Keeps a window of frames in flight on each connection until all are answered."""

    def __init__(self, relay: Place, shape: Shape, envelopes: int) -> None:
        self._shape = shape
        self.pump = Pump(self._on_commands)
        self._frames: dict[Client, deque[bytes]] = {}
        self._unanswered: dict[Client, int] = {}
        self.left = 0
        self.queues: list[Keys] = []
        each = envelopes // shape.connections
        for _ in range(shape.connections):
            client = Client(relay.port, relay.key)
            commands: list[Command] = []
            while len(commands) < each:
                keys = Keys()
                client.make(keys)
                if shape.proven:
                    client.prove(keys, Role.SENDER)
                self.queues.append(keys)
                commands += keys.deposits(min(PER_QUEUE, each - len(commands)))
            frames = [commands[at : at + shape.per_frame] for at in range(0, each, shape.per_frame)]
            self._frames[client] = deque(client.seal(frame) for frame in frames)
            self._unanswered[client] = 0
            self.left += each
            self.pump.add(client)

    def run(self) -> float:
        """Seconds from the first deposit to the last answer."""
        for client, frames in self._frames.items():
            for _ in range(min(self._shape.window, len(frames))):
                self.pump.send(client, frames.popleft())
        return self.pump.until(lambda: not self.left)

    def _on_commands(self, client: Client, commands: list[OnWireToNode]) -> list[bytes]:
        stored = sum(type(command) is Stored for command in commands)
        assert not any(type(command) is Refused for command in commands)
        self.left -= stored
        answered, self._unanswered[client] = divmod(self._unanswered[client] + stored, self._shape.per_frame)
        frames = self._frames[client]
        return [frames.popleft() for _ in range(min(answered, len(frames)))]


def _deposits(name: str, shape: Shape, most_cpu: float, least_rate: float | None) -> list[Row]:
    with _relay() as relay:
        load = Depositing(relay, shape, ENVELOPES)
        before = relay.cpu_seconds()
        seconds = load.run()
        cpu = relay.cpu_seconds() - before
        load.pump.close()
        rows = [
            Row(f"{name}: CPU per 1,000", str(shape), cpu / ENVELOPES * 1e6, "ms", most=most_cpu),
            Row(f"{name}: rate", str(shape), ENVELOPES / seconds, "/s", least=least_rate),
        ]
        if name == "deposit 8 a frame":
            most = 4_300 + 8 * 2**20 / ENVELOPES
            rows.append(Row("disk an envelope", f"{ENVELOPES:,}", relay.disk_bytes() / ENVELOPES, "bytes", most=most))
    return rows


def _disk() -> list[Row]:
    return [
        Row("floor: 4 KiB on the disk p50", "1 file", statistics.median(synced := floors.sync_milliseconds()), "ms"),
        Row("floor: 4 KiB on the disk p99", "1 file", floors.p99(synced), "ms"),
    ]


def _deposit_floor(name: str, shape: Shape) -> list[Row]:
    """The bare calls of one deposit, in the order in which they are made; a verification where the load needs it."""
    floor = floors.deposit(*shape[:3])
    verify = 0.0 if shape.proven else measured()["Ed25519 verify"]
    parts = f"frame {floor.frame:.0f}, rows {floor.rows:.0f}, reply {floor.reply:.0f}, sockets {floor.socket:.0f}"
    parts += f", verify {verify:.0f}" if verify else ""
    return [Row(f"{name}: floor, CPU per 1,000", parts, floor.total + verify, "ms")]


def acknowledgements(commands: list[OnWireToNode]) -> list[Command]:
    """Of envelopes and markers."""
    return [Ack(entry.subscription, entry.sequence) for entry in commands if isinstance(entry, Delivery | Marker)]


class Draining:
    """Receives and acknowledges: one frame of acknowledgements for each frame of deliveries."""

    def __init__(self, relay: RelayProcess, queues: list[Keys], connections: int) -> None:
        self.pump = Pump(self._on_commands)
        self.left = 0
        self._begin: list[tuple[Client, bytes]] = []
        for number in range(connections):
            client = Client(relay.port, relay.key)
            mine = queues[number::connections]
            commands = [client.subscribe(keys, at + 1) for at, keys in enumerate(mine)]
            self._begin.append((client, client.seal(commands)))
            self.pump.add(client)

    def run(self, envelopes: int) -> float:
        self.left = envelopes
        for client, message in self._begin:
            self.pump.send(client, message)
        seconds = self.pump.until(lambda: not self.left)
        time.sleep(0.5)  # the last acknowledgements are handled, too
        return seconds

    def _on_commands(self, client: Client, commands: list[OnWireToNode]) -> list[bytes]:
        self.left -= sum(type(command) is Delivery for command in commands)
        acks = acknowledgements(commands)
        return [client.seal(acks[at : at + 256]) for at in range(0, len(acks), 256)]


def _drain() -> list[Row]:
    with _relay() as relay:
        load = Depositing(relay, Shape(8, 16, 8), ENVELOPES)
        load.run()
        load.pump.close()
        draining = Draining(relay, load.queues, 8)
        before = relay.cpu_seconds()
        seconds = draining.run(ENVELOPES)
        cpu = relay.cpu_seconds() - before
        draining.pump.close()
    shape = f"8 connections, 2 queues each, window {DELIVERY_WINDOW}"
    return [
        Row("drain with acknowledgement: CPU per 1,000", shape, cpu / ENVELOPES * 1e6, "ms", most=55.0),
        Row("drain with acknowledgement: rate", shape, ENVELOPES / seconds, "/s", least=15_000.0),
    ]


class Live:
    """One sender and one subscriber in one thread, so that one clock says how long a message takes."""

    def __init__(self, relay: RelayProcess) -> None:
        self._sent: list[float] = []
        self.delays: list[float] = []
        self._pump = Pump(self._on_commands)
        keys = Keys()
        self._sender, reader = Client(relay.port, relay.key), Client(relay.port, relay.key)
        self._sender.make(keys)
        self._sender.prove(keys, Role.SENDER)
        reader.ask(reader.subscribe(keys, 1))
        self._deposits = keys.deposits(int(LIVE_SECONDS * LIVE_PER_SECOND))
        for client in (self._sender, reader):
            self._pump.add(client)

    def run(self) -> None:
        begun = time.perf_counter()
        for number, deposit in enumerate(self._deposits):
            due = begun + number / LIVE_PER_SECOND
            while (left := due - time.perf_counter()) > 0:
                self._pump.turn(left)
            self._sent.append(time.perf_counter())
            self._pump.send(self._sender, self._sender.seal([deposit]))
        self._pump.until(lambda: len(self.delays) == len(self._deposits))
        self._pump.close()

    def _on_commands(self, client: Client, commands: list[OnWireToNode]) -> list[bytes]:
        now = time.perf_counter()
        for command in commands:
            if type(command) is Delivery:
                self.delays.append(now - self._sent[len(self.delays)])
        acks = acknowledgements(commands)
        return [client.seal(acks)] if acks else []


def _live(name: str, *, bulk: bool) -> list[Row]:
    with _relay() as relay:
        live = Live(relay)
        busy: subprocess.Popen[bytes] | None = None
        if bulk:
            command = [sys.executable, "-m", "tests.benchmarks.bulk", str(relay.port), relay.key.hex()]
            busy = subprocess.Popen(command, stdout=subprocess.PIPE)
            assert busy.stdout is not None
            busy.stdout.readline()
        live.run()
        if busy is not None:
            if busy.poll() is not None:
                raise AssertionError("the bulk load ended before the live one")
            busy.terminate()
            busy.wait()
    delays = sorted(live.delays)
    p50, p99 = (statistics.quantiles(delays, n=100)[at] * 1e3 for at in (49, 98))
    shape = f"{LIVE_PER_SECOND}/s, 1 → 1" + (", beside 8 × 16 × 8" if bulk else "")
    return [
        Row(f"{name}: p50", shape, p50, "ms", most=None if bulk else 2.5),
        Row(f"{name}: p99", shape, p99, "ms", most=25.0 if bulk else 6.0),
    ]


def _idle() -> list[Row]:
    with _relay() as relay:
        warm = [_idle_client(relay) for _ in range(50)]
        before = relay.resident_kib()
        clients = [_idle_client(relay) for _ in range(IDLE)]
        time.sleep(0.5)
        each = (relay.resident_kib() - before) / IDLE
        cpu = relay.cpu_seconds()
        time.sleep(5.0)
        cpu = relay.cpu_seconds() - cpu
        for client in (*warm, *clients):
            client.socket.close()
    shape = f"{IDLE:,} subscribed"
    return [
        Row("idle connection: memory", shape, each, "KiB", most=30.0),
        Row("idle connections: CPU", shape, cpu / 5.0 * 100, "%", most=0.5),
    ]


def _idle_client(relay: RelayProcess) -> Client:
    client, keys = Client(relay.port, relay.key), Keys()
    client.make(keys)
    client.ask(client.subscribe(keys, 1))
    return client


def _start_with_a_million() -> list[Row]:
    """From the end of the imports to the address; then the first durable deposit of a client."""
    with tempfile.TemporaryDirectory(prefix="kassiber-") as name:
        directory = Path(name)
        _fill(directory / "relay.db")
        subprocess.run(["sync"], check=True)
        with running_relay(directory) as relay:
            client, keys = Client(relay.port, relay.key), Keys()
            client.make(keys)
            begun = time.perf_counter()
            client.ask(*keys.deposits(1))
            first = time.perf_counter() - begun
            client.socket.close()
    return [
        Row("start beyond imports", "1,000,000 envelopes", relay.start_seconds, "s", most=0.3),
        Row("first deposit after it", "1,000,000 envelopes", first * 1e3, "ms"),
    ]


def _fill(path: Path) -> None:
    store = RelayStore(path)
    body = os.urandom(ENVELOPE_BYTES)
    for number in range(MANY // MANY_PER_QUEUE):
        with store.transaction() as tx:
            names = (number.to_bytes(size, "big") for size in (16, 32, 16, 32))
            receive_id, recipient, send_id, claim = names
            queue = tx.queues.add(ReceiveId(receive_id), RecipientKey(recipient), SendId(send_id), ClaimKey(claim))
            for entry in range(MANY_PER_QUEUE):
                tx.digests.add(queue, Digest(os.urandom(32)), Minute(entry), 0.0)
                tx.entries.append(queue, body, 0.0, counted=True)
    store.close()
