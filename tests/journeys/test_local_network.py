"""Two nodes on one local network talk directly for as long as they are there, and over relays before and after."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.journeys.apart import Apart, set_apart
from tests.journeys.journey import SCALED
from tests.node.discovery.namespaces import Peer, ip, needs_namespaces

pytestmark = [pytest.mark.journey, needs_namespaces]

QUICK = replace(
    SCALED, announcement_least_seconds=4.0, announcement_most_seconds=8.0, announcement_gap_least_seconds=0.2,
    announcement_gap_most_seconds=1.0, lan_dial_most_seconds=0.5,
)  # fmt: skip


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Apart]:
    """A local network with Alice and Bob, who look for contacts on it."""
    with set_apart(tmp_path, QUICK, "--discovery") as journey:
        yield journey


def sessions(journey: Apart, number: int) -> bool:
    """Whether so many TCP connections stand between local addresses: one is dialled by each."""
    read = ["ip", "netns", "exec", journey.machines["alice"], "cat", "/proc/net/tcp", "/proc/net/tcp6"]
    rows = [line.split() for line in subprocess.run(read, capture_output=True, text=True).stdout.splitlines()]
    remotes = [row[2] for row in rows if row[3] == "01"]
    return len([remote for remote in remotes if "00630A:" in remote or remote.startswith("000080FE")]) >= number


def way(journey: Apart, name: str) -> str:
    """How somebody's only contact is reached, as they are told."""
    header, row = journey.done(name, "contacts").decode().splitlines()
    return row[header.index("ROUTE") :].split()[0]


def near(journey: Apart, *lines: tuple[str, str]) -> None:
    """Said and delivered while no relay does anything: over the local network, then."""
    for name in ("alice", "bob"):
        journey.until(lambda: way(journey, name) == "nearby", f"the other one is not near {name}")  # noqa: B023
    assert sessions(journey, 2)
    journey.relays(signal.SIGSTOP)
    journey.talk(*lines)
    journey.relays(signal.SIGCONT)


def test_they_find_each_other_talk_directly_lose_the_network_and_come_back(apart: Apart) -> None:
    apart.befriend("alice", "bob")
    apart.talk(("alice", "over relays"), ("bob", "as ever"))
    near(apart, ("alice", "who is there?"), ("bob", "me, nearby"), ("alice", "\0" * 20_000))
    machine = apart.machines["alice"]
    ip("-n", machine, "link", "set", "wire", "down")
    apart.talk(("alice", "the cable is out"), ("bob", "over relays again"))
    apart.until(lambda: not sessions(apart, 1), "sessions outlive the cable")
    assert [way(apart, name) for name in ("alice", "bob")] == ["relay", "relay"]
    ip("-n", machine, "link", "set", "wire", "up")
    ip("-n", machine, "addr", "replace", "10.99.0.1/24", "dev", "wire")
    near(apart, ("alice", "back"), ("bob", "welcome"))
    said = [
        "over relays", "as ever", "who is there?", "me, nearby", "\0" * 20_000, "the cable is out", "over relays again",
        "back", "welcome",
    ]  # fmt: skip
    for name in ("alice", "bob"):
        apart.until(partial(lambda one: apart.texts(one) == said, name), f"{name} has something else")


def test_doctor_tells_what_the_system_itself_betrays(apart: Apart) -> None:
    examined = apart.done("alice", "doctor").decode()
    assert "note" not in "".join(line for line in examined.splitlines() if "local network" in line)
    name = socket.gethostname().partition(".")[0]
    namesake = Peer(apart.machines["alice"], name, program="namesake")
    try:
        namesake.says("ready")
        examined = apart.done("alice", "doctor").decode()
        assert f"answers on the local network that this machine is {name}.local (multicast DNS)" in examined
        assert "avahi-daemon" in examined
        assert "announces on the local network: _ssh._tcp (multicast DNS)" in examined
        assert f"answers on the local network that this machine is {name} (LLMNR)" in examined
        apart.stop_politely("alice")
        apart.start_node("alice", "--no-discovery")
        assert "local network" not in apart.done("alice", "doctor").decode()
    finally:
        assert namesake.stop() == 0, namesake.lines
