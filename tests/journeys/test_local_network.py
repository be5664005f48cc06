"""Two nodes on one local network talk directly for as long as they are there, and over relays before and after."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from node.cli.stage import PROGRAM, opened
from tests.journeys.journey import SCALED, Journey
from tests.node.discovery.namespaces import ip, needs_namespaces, wire

pytestmark = [pytest.mark.journey, needs_namespaces]

QUICK = replace(
    SCALED, announcement_least_seconds=4.0, announcement_most_seconds=8.0, announcement_gap_least_seconds=0.2,
    announcement_gap_most_seconds=1.0, lan_dial_most_seconds=0.5,
)  # fmt: skip
RELAYS = ("relay-1", "relay-2")


class Apart(Journey):
    """Each program on a machine of its own."""

    machines: dict[str, str]

    def program(self, name: str) -> Sequence[str]:
        return ["ip", "netns", "exec", self.machines[name], *PROGRAM]

    def relays(self, how: signal.Signals) -> None:
        for relay in RELAYS:
            os.kill(self.pid(relay), how)


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Apart]:
    """A local network with Alice and Bob, and another way, without multicast, to two relays elsewhere."""
    with wire() as local, wire("uplink", "10.98.0") as uplink, opened(Apart(tmp_path, QUICK)) as journey:
        journey.machines = {name: local.plug(name) for name in ("alice", "bob")}
        for machine in journey.machines.values():
            uplink.connect(machine, multicast=False)
        journey.machines |= {name: uplink.plug(name) for name in RELAYS}
        for number, relay in enumerate(RELAYS, 3):
            journey.start_relay(relay, "--listen", f"10.98.0.{number}:7443")
        for name in ("alice", "bob"):
            journey.make_person(name)
            journey.start_node(name, "--discovery")
        yield journey


def sessions(journey: Apart, number: int) -> bool:
    """Whether so many TCP connections stand between local addresses: one is dialled by each."""
    read = ["ip", "netns", "exec", journey.machines["alice"], "cat", "/proc/net/tcp", "/proc/net/tcp6"]
    rows = [line.split() for line in subprocess.run(read, capture_output=True, text=True).stdout.splitlines()]
    remotes = [row[2] for row in rows if row[3] == "01"]
    return len([remote for remote in remotes if "00630A:" in remote or remote.startswith("000080FE")]) >= number


def near(journey: Apart, *lines: tuple[str, str]) -> None:
    """Said and delivered while no relay does anything: over the local network, then."""
    journey.until(partial(sessions, journey, 2), "the two did not find each other")
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
    ip("-n", machine, "link", "set", "wire", "up")
    ip("-n", machine, "addr", "replace", "10.99.0.1/24", "dev", "wire")
    near(apart, ("alice", "back"), ("bob", "welcome"))
    said = [
        "over relays", "as ever", "who is there?", "me, nearby", "\0" * 20_000, "the cable is out", "over relays again",
        "back", "welcome",
    ]  # fmt: skip
    for name in ("alice", "bob"):
        apart.until(partial(lambda one: apart.texts(one) == said, name), f"{name} has something else")
