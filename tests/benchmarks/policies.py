"""Policies: what a relay pays for links that have ticks, beside *direct* ones; and what a forwarded deposit costs it

CPU is the relay's, all its threads, on one core. Presets take turns on relays of their own, so that a machine that is
busy with others is so for all of them.
"""

import random
import statistics
import tempfile
import time
from collections import deque
from pathlib import Path

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import x25519

from node.entropy import SystemEntropy
from protocol.crypto.hpke import ENCAPSULATED_BYTES, TAG_BYTES
from protocol.forwarding.onion import open_reply, seal_onion
from protocol.keys import Request
from protocol.limits import ONION_BYTES
from protocol.timing import Timing
from protocol.traffic.policies import NAMES
from protocol.traffic.shaper import make_shaper
from protocol.wire.commands import Command, Describe, Onion, OnWireToNode, Preset, Reachable, Refused, Returned, Role
from protocol.wire.onions import OnionDeposit, OnionStored
from tests.benchmarks import floors
from tests.benchmarks.load import SUITE, Client, Keys, Pump
from tests.benchmarks.process import CLIENT_CORE, RelayProcess, pin, running_relay
from tests.benchmarks.reference import measured, microseconds
from tests.benchmarks.table import Row

PRESETS = (Preset.DIRECT, Preset.BATCHED, Preset.CONSTANT)
PER_SECOND = 5_000
CONNECTIONS, PER_FRAME = 200, 8
ENVELOPES = 24_000
ROUNDS = 3
FORWARDED = 8_000
_ENTRIES, _WINDOW = 2, 16
"""An entry sends 8 to 128 onions a second to one destination, in frames of up to 8 slots (Spec 12 §6)."""


def measure(*, full: bool, only: str) -> list[Row]:
    """All rows of this section whose name holds `only`."""
    pin(CLIENT_CORE)
    rows: list[Row] = []
    if only in "machinery":
        rows += _machinery()
    if only in "forwarded deposit":
        rows += _forwarded()
    return rows


class _Paced:
    """Deposits at a rate of their own, over links whose relay answers as their preset has it."""

    def __init__(self, relay: RelayProcess, preset: Preset) -> None:
        self._pump = Pump(self._on_commands)
        self._frames: deque[tuple[Client, bytes]] = deque()
        frames: list[list[tuple[Client, bytes]]] = []
        for _ in range(CONNECTIONS):
            client, keys = Client(relay.port, relay.key), Keys()
            client.make(keys)
            client.prove(keys, Role.SENDER)
            client.shape(preset)
            deposits: list[Command] = [*keys.deposits(ENVELOPES // CONNECTIONS)]
            self._pump.add(client)
            frames.append([
                (client, client.seal(deposits[at : at + PER_FRAME])) for at in range(0, len(deposits), PER_FRAME)
            ])  # fmt: skip
        self._frames += (frame for turn in zip(*frames, strict=True) for frame in turn)

    def run(self) -> float:
        """Seconds that it took to hand all of it over."""
        begun, number, seconds = time.perf_counter(), 0, PER_FRAME / PER_SECOND
        while self._frames:
            while (left := begun + number * seconds - time.perf_counter()) > 0:
                self._pump.turn(left)
            self._pump.send(*self._frames.popleft())
            number += 1
        return time.perf_counter() - begun

    def close(self) -> None:
        self._pump.close()

    @staticmethod
    def _on_commands(client: Client, commands: list[OnWireToNode]) -> list[bytes]:
        assert not any(type(command) is Refused for command in commands)
        return []


def _machinery() -> list[Row]:
    """In turns; the figure is of the same number of envelopes at the same rate."""
    cpu: dict[Preset, list[float]] = {preset: [] for preset in PRESETS}
    rates: list[float] = []
    for _ in range(ROUNDS):
        for preset in PRESETS:
            with tempfile.TemporaryDirectory(prefix="kassiber-") as directory, running_relay(Path(directory)) as relay:
                load = _Paced(relay, preset)
                before = relay.cpu_seconds()
                rates.append(ENVELOPES / load.run())
                _until_idle(relay)
                cpu[preset].append((relay.cpu_seconds() - before) / ENVELOPES * 1e6)
                load.close()
    shape = f"{CONNECTIONS} × {PER_FRAME} a frame, {statistics.median(rates):,.0f}/s"
    direct = statistics.median(cpu[Preset.DIRECT])
    rows = []
    for preset, taken in cpu.items():
        middle = statistics.median(taken)
        spread = f"{shape}; {min(taken):.0f} to {max(taken):.0f}"
        rows.append(Row(f"machinery: relay's CPU per 1,000, {NAMES[preset]}", spread, middle, "ms"))
        if preset is not Preset.DIRECT:
            more = (middle / direct - 1.0) * 100.0
            rows.append(Row(f"machinery: {NAMES[preset]} above direct", "of its CPU", more, "%", most=10.0))
    for preset in PRESETS:
        asked = _shaper_microseconds(preset)
        share = asked * PER_SECOND / PER_FRAME * 2 / (direct * PER_SECOND) * 100.0
        load_shape = f"{asked:.2f} µs, twice for each of {PER_SECOND // PER_FRAME:,} frames a second"
        rows.append(Row(f"machinery: the {NAMES[preset]} shaper alone", load_shape, share, "% of CPU"))
    return rows


def _until_idle(relay: RelayProcess) -> None:
    """What it took in is stored; ticks of *constant* links go on."""
    before = -1.0
    while (now := relay.cpu_seconds()) - before > 0.05:
        before = now
        time.sleep(0.5)


def _shaper_microseconds(preset: Preset) -> float:
    """CPU of one question whether a frame is due, something waiting, at a new moment each time."""
    shaper = make_shaper(preset, random.Random(1).random, Timing(), 0.0, to_relay=False)
    now = 0.0

    def ask() -> None:
        nonlocal now
        now += 0.01
        shaper.due(now, True)

    return microseconds(ask)


class _Carrying:
    """What entries do: onions to one destination, each answered."""

    def __init__(self, relay: RelayProcess) -> None:
        self.pump = Pump(self._on_commands)
        self.left = FORWARDED
        self._frames: dict[Client, deque[bytes]] = {}
        self._unanswered: dict[Client, int] = {}
        self._keys: dict[tuple[Client, Request], bytes] = {}
        self.answers: list[tuple[bytes, bytes]] = []
        """Key and sealed reply."""
        owner, keys = Client(relay.port, relay.key), Keys()
        entropy = SystemEntropy()
        reachable = owner.ask(Describe(Request(1)))[0]
        assert isinstance(reachable, Reachable)
        for _ in range(_ENTRIES):
            entry, onions = Client(relay.port, relay.key), list[Command]()
            while len(onions) < FORWARDED // _ENTRIES:
                keys = Keys()
                owner.make(keys)
                for deposit in keys.deposits(min(1_000, FORWARDED // _ENTRIES - len(onions))):
                    content = OnionDeposit(deposit.envelope)
                    epoch, key = reachable.descriptor.epoch, reachable.descriptor.key
                    onion, reply_key = seal_onion(SUITE, entropy, relay.key, epoch, key, content)
                    request = Request(len(onions))
                    self._keys[entry, request] = reply_key
                    onions.append(Onion(request, onion))
            frames = (onions[at : at + PER_FRAME] for at in range(0, len(onions), PER_FRAME))
            self._frames[entry] = deque(entry.seal(frame) for frame in frames)
            self._unanswered[entry] = 0
            self.pump.add(entry)
        owner.socket.close()

    def run(self) -> float:
        """Seconds from the first onion to the last answer."""
        for client, frames in self._frames.items():
            for _ in range(_WINDOW):
                self.pump.send(client, frames.popleft())
        return self.pump.until(lambda: not self.left)

    def check(self) -> None:
        """Every one was stored, and the destination signed for it."""
        assert len(self.answers) == FORWARDED
        assert all(isinstance(open_reply(SUITE, key, sealed), OnionStored) for key, sealed in self.answers)

    def _on_commands(self, client: Client, commands: list[OnWireToNode]) -> list[bytes]:
        for command in commands:
            assert isinstance(command, Returned), command
            self.answers.append((self._keys.pop((client, command.request)), command.sealed))
        self.left -= len(commands)
        answered, self._unanswered[client] = divmod(self._unanswered[client] + len(commands), PER_FRAME)
        frames = self._frames[client]
        return [frames.popleft() for _ in range(min(answered, len(frames)))]


def _forwarded() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="kassiber-") as directory, running_relay(Path(directory)) as relay:
        load = _Carrying(relay)
        before = relay.cpu_seconds()
        seconds = load.run()
        cpu = (relay.cpu_seconds() - before) / FORWARDED * 1e6
        load.pump.close()
        load.check()
    opened, signed = _open_microseconds(), measured()["Ed25519 sign"]
    verified = measured()["Ed25519 verify"]
    deposit = floors.deposit(_ENTRIES, _WINDOW, PER_FRAME)
    floor = opened + verified
    shape = f"{_ENTRIES} entries × {_WINDOW} × {PER_FRAME}"
    return [
        Row("forwarded deposit: CPU per 1,000", shape, cpu, "ms", most=150.0),
        Row("forwarded deposit: rate", shape, FORWARDED / seconds, "/s"),
        Row("forwarded deposit: floor, CPU per 1,000", f"HPKE {opened:.0f}, verify {verified:.0f}", floor, "ms"),
        Row(
            "forwarded deposit: floor with what a deposit needs anyway",
            f"and sign {signed:.0f}, deposit {deposit.total:.0f}", floor + signed + deposit.total, "ms",
        ),
    ]  # fmt: skip


def _open_microseconds() -> float:
    """CPU of one onion opened by `cryptography` alone: X25519, the key schedule, one AEAD."""
    suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
    private = x25519.X25519PrivateKey.generate()
    plaintext = bytes(ONION_BYTES - 1 - ENCAPSULATED_BYTES - TAG_BYTES)
    sealed = suite.encrypt(plaintext, private.public_key(), info=b"info")
    return microseconds(lambda: suite.decrypt(sealed, private, info=b"info"))
