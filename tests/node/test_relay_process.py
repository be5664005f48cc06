"""A relay as a process of its own: its files, its address, its signals, and who it lets in."""

import resource
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from node.relay import KEY_FILE, load_key, open_relay
from node.transport.websocket import PATH
from protocol.errors import CallerError
from protocol.wire.addresses import parse_address
from tests.benchmarks.load import Client, Keys

PROGRAM = """
import sys
from pathlib import Path
from node.logs import configure_logs
from node.relay import run_relay
configure_logs()
run_relay(Path(sys.argv[1]), sys.argv[2:], None, lambda served: print(served.address, flush=True))
"""


class Process:
    """A relay at work."""

    def __init__(self, directory: Path, *places: str) -> None:
        command = [sys.executable, "-c", PROGRAM, str(directory), *(places or ("127.0.0.1:0",))]
        self.popen = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.popen.stdout is not None
        self._stdout: IO[str] = self.popen.stdout
        self.address = self._stdout.readline().strip()
        assert self.address, self.popen.communicate()[1]
        host, self.key = parse_address(self.address)
        self.port = host.port

    def resident_mib(self) -> float:
        lines = Path(f"/proc/{self.popen.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1_024

    def end(self, number: int = signal.SIGTERM) -> str:
        """What it logged."""
        self.popen.send_signal(number)
        return self.popen.communicate(timeout=20)[1]


@contextmanager
def relay_process(directory: Path, *places: str) -> Iterator[Process]:
    process = Process(directory, *places)
    try:
        yield process
    finally:
        if process.popen.poll() is None:
            process.end(signal.SIGKILL)


def converse(relay: Process) -> Keys:
    """Make a queue and put one envelope into it."""
    client, keys = Client(relay.port, relay.key), Keys()
    client.make(keys)
    (deposit,) = keys.deposits(1)
    (stored,) = client.ask(deposit)
    assert type(stored).__name__ == "Accepted"
    client.socket.close()
    return keys


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_and_it_comes_back_under_its_address(tmp_path: Path, number: int) -> None:
    with relay_process(tmp_path / "r") as relay:
        keys = converse(relay)
        logged = relay.end(number)
        assert relay.popen.returncode == 0, logged
        address = relay.address
    with relay_process(tmp_path / "r", f"127.0.0.1:{relay.port}") as again:
        assert again.address == address
        client = Client(again.port, again.key)
        subscribe = client.subscribe(keys, 1)
        replies = client.ask(subscribe)
        while len(replies) < 3:  # subscribed, the marker of the claim, the envelope
            replies += client.ask_nothing()
        client.socket.close()


def test_what_was_answered_survives_kill_9(tmp_path: Path) -> None:
    with relay_process(tmp_path / "r") as relay:
        client, keys = Client(relay.port, relay.key), Keys()
        client.make(keys)
        deposits = keys.deposits(20)
        client.ask(*deposits)
        relay.end(signal.SIGKILL)
    with relay_process(tmp_path / "r") as again:
        client = Client(again.port, again.key)
        replies = client.ask(client.subscribe(keys, 1))
        while len(replies) < 22:
            replies += client.ask_nothing()
        got = [reply.envelope for reply in replies if hasattr(reply, "envelope")]
        assert got == [deposit.envelope for deposit in deposits]
        client.socket.close()


def test_its_files_are_its_owners_alone(tmp_path: Path) -> None:
    with relay_process(tmp_path / "r") as relay:
        converse(relay)
        assert stat.S_IMODE((tmp_path / "r").stat().st_mode) == 0o700
        for file in (tmp_path / "r").iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


def test_it_makes_no_core_dumps_and_may_open_enough_files(tmp_path: Path) -> None:
    with relay_process(tmp_path / "r") as relay:
        limits = Path(f"/proc/{relay.popen.pid}/limits").read_text()
        core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
        assert core.split()[4:6] == ["0", "0"]


def test_its_logs_and_files_hold_no_address_and_its_logs_no_id(tmp_path: Path) -> None:
    with relay_process(tmp_path / "r") as relay:
        client, keys = Client(relay.port, relay.key, source="127.0.0.77"), Keys()
        client.make(keys)
        client.ask(*keys.deposits(1))
        client.socket.sendall(b"\x82\xfe\x10\x00\0\0\0\0" + bytes(4_096))  # and something to complain about
        client.socket.close()
        converse(relay)
        logged = relay.end()
    assert "127.0.0.77" not in logged
    for secret in (keys.send_id, keys.receive_id, keys.sender[32:], keys.recipient[32:], relay.key):
        assert secret.hex() not in logged
        assert repr(secret)[2:-1] not in logged
    for file in (tmp_path / "r").iterdir():
        contents = file.read_bytes()
        assert b"127.0.0.77" not in contents
        assert socket.inet_aton("127.0.0.77") not in contents


def test_a_directory_serves_one_relay_at_a_time(tmp_path: Path) -> None:
    with relay_process(tmp_path / "r"):
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / "r"), "127.0.0.1:0"]
        second = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        assert second.returncode != 0
        assert str(tmp_path / "r") in second.stderr


@pytest.mark.parametrize(
    ("places", "public", "culprit"),
    [
        (["nonsense"], None, "nonsense"),
        (["127.0.0.1:x"], None, "127.0.0.1:x"),
        (["127.0.0.1:99999"], None, "127.0.0.1:99999"),
        (["192.0.2.1:0"], None, "192.0.2.1"),
        (["127.0.0.1:0"], "no port", "no port"),
        (["127.0.0.1:0"], "http://x:1", "http://x:1"),
    ],
)
async def test_a_place_that_cannot_be_had_is_named(
    tmp_path: Path, places: list[str], public: str | None, culprit: str
) -> None:
    with pytest.raises(CallerError) as refused:
        async with open_relay(tmp_path / "r", places, public):
            pytest.fail("it serves")
    assert culprit in str(refused.value)


async def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CallerError, match=str(port)):
            async with open_relay(tmp_path / "r", [f"127.0.0.1:{port}"]):
                pytest.fail("it serves")


@pytest.mark.parametrize(
    ("public", "address"),
    [
        (None, "kassiber://127.0.0.1:{port}/r#"),
        ("relay.example.org:443", "kassiber://relay.example.org:443/r#"),
        ("wss://relay.example.org:443", "kassibers://relay.example.org:443/r#"),
        ("[::1]:4040", "kassiber://[::1]:4040/r#"),
    ],
)
async def test_its_address_names_what_others_reach_it_by(tmp_path: Path, public: str | None, address: str) -> None:
    async with open_relay(tmp_path / "r", ["127.0.0.1:0"], public) as served:
        assert served.address.startswith(address.format(port=served.ports[0]))
        assert parse_address(served.address)[1] == served.key


async def test_a_relay_that_listens_everywhere_is_named_after_its_machine(tmp_path: Path) -> None:
    async with open_relay(tmp_path / "r", ["0.0.0.0:0"]) as served:
        assert "0.0.0.0" not in served.address


def test_a_damaged_or_open_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / KEY_FILE
    key = load_key(path)
    assert load_key(path) == key
    path.chmod(0o644)
    with pytest.raises(CallerError, match="chmod 600"):
        load_key(path)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(CallerError, match="damaged"):
        load_key(path)


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="loopback addresses by the thousand and /proc")
def test_ten_thousand_connections_opened_and_left_cost_little_and_disturb_nobody(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(11_000, hard), hard))
    wanted = min(10_000, hard - 500)
    left: list[socket.socket] = []
    upgrade = (
        f"GET {PATH} HTTP/1.1\r\nHost: r\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: kassiber.1\r\n\r\n"
    ).encode()
    try:
        with relay_process(tmp_path / "r") as relay:
            converse(relay)
            friend, keys = Client(relay.port, relay.key), Keys()
            friend.make(keys)
            before = relay.resident_mib()
            for number in range(wanted):
                stranger = socket.socket()
                stranger.bind((f"127.1.{number % 20}.1", 0))
                stranger.connect(("127.0.0.1", relay.port))
                stranger.sendall((b"", upgrade[:100], upgrade)[number % 3])
                left.append(stranger)
                if number % 2_000 == 0:
                    converse(relay)
            assert relay.resident_mib() - before < 300
            assert type(friend.ask(keys.deposits(1)[0])[0]).__name__ == "Accepted"
            converse(relay)
            friend.socket.close()
            logged = relay.end()
            assert relay.popen.returncode == 0, logged
            assert len(logged) < 10_000, "a flood of connections is no flood of logs"
    finally:
        for stranger in left:
            stranger.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
