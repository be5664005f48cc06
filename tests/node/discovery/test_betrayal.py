"""What the system itself tells on a local network is found out, and asking for it tells nobody anything."""

import socket
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from node.discovery.betrayal import Client, Told, ask_this_machine, find_dhcp_clients
from node.discovery.interfaces import Place
from tests.node.discovery.namespaces import Ear, Peer, Wire, inside, needs_namespaces, wire

NAME = "annas-laptop"


@pytest.fixture
def network() -> Iterator[Wire]:
    with wire() as made:
        yield made


def ask(machine: str) -> list[Told]:
    """As `doctor` on that machine."""

    def act() -> list[Told]:
        return ask_this_machine([Place(socket.if_nametoindex("wire"), IPv4Address("10.99.0.1"))], NAME)

    return inside(machine, act)


@pytest.mark.journey
@needs_namespaces
def test_a_program_that_tells_the_machines_name_is_found_and_no_neighbour_hears_the_question(network: Wire) -> None:
    machine, neighbour = network.plug("alice"), network.plug("bob")
    quiet = Ear(neighbour)
    try:
        assert ask(machine) == []
        namesake = Peer(machine, NAME, program="namesake")
        try:
            namesake.says("ready")
            before = len(quiet.heard)
            told = {one.protocol: one for one in ask(machine)}
        finally:
            assert namesake.stop() == 0, namesake.lines
    finally:
        quiet.stop()
    assert before, "the neighbour is deaf"
    assert told["multicast DNS"].names == (f"{NAME}.local",)
    assert told["multicast DNS"].services == ("_ssh._tcp",)
    assert told["LLMNR"] == Told("LLMNR", (NAME,), ())
    during = [message for _, message in quiet.heard[before:]]
    assert not [message for message in during if NAME.encode() in message and message[2] & 0x80 == 0], "a question"


@pytest.mark.journey
@needs_namespaces
def test_a_node_of_ones_own_is_no_betrayal(network: Wire) -> None:
    machine = network.plug("alice")
    secret = bytes(32).hex()
    node = Peer(machine, secret, f"2={secret}")
    try:
        node.says("started")
        assert ask(machine) == []
    finally:
        assert node.stop() == 0, node.lines


def make(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return root


NETWORKD = {
    "proc/7/comm": "systemd-network\n",
    "run/systemd/netif/links/2": "# private\nADMIN_STATE=configured\nNETWORK_FILE=/etc/systemd/network/lan.network\n",
    "etc/systemd/network/lan.network": "[Match]\nName=en*\n\n[Network]\nDHCP=yes\nDNS=192.0.2.1\nDNS=192.0.2.2\n",
}


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, []),
        ({"proc/self/comm": "dhclient\n"}, []),
        ({"etc/dhcp/dhclient.conf": "send host-name = gethostname();\n"}, []),
        (
            {"proc/9/comm": "dhclient\n", "etc/dhcp/dhclient.conf": "option x;\nsend host-name = gethostname();\n"},
            [Client("dhclient", "/etc/dhcp/dhclient.conf")],
        ),
        ({"proc/9/comm": "dhclient\n", "etc/dhcp/dhclient.conf": "#send host-name = gethostname();\n"}, []),
        ({"proc/9/comm": "dhcpcd\n", "etc/dhcpcd.conf": "duid\nhostname\n"}, [Client("dhcpcd", "/etc/dhcpcd.conf")]),
        ({"proc/9/comm": "dhcpcd\n", "etc/dhcpcd.conf": "#hostname\n"}, []),
        (NETWORKD, [Client("systemd-networkd", "/etc/systemd/network/lan.network")]),
        (NETWORKD | {"etc/systemd/network/lan.network.d/quiet.conf": "[DHCPv4]\nSendHostname=no\n"}, []),
        (NETWORKD | {"etc/systemd/network/lan.network": "[Network]\nAddress=192.0.2.7/24\n"}, []),
        (NETWORKD | {"etc/systemd/network/lan.network": "neither this nor that"}, []),
        ({"proc/3/comm": "NetworkManager\n"}, [Client("NetworkManager", None)]),
    ],
)
def test_a_dhcp_client_is_named_where_it_runs_and_sends_the_name(
    tmp_path: Path, files: dict[str, str], found: list[Client]
) -> None:
    assert find_dhcp_clients(make(tmp_path, files)) == found


def test_where_there_is_no_network_there_is_nobody_to_ask() -> None:
    assert ask_this_machine([], socket.gethostname()) == []
