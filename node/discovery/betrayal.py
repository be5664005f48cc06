"""What else on this machine tells its name on a local network, as far as it can be found out (Spec 9 §7).

Programs are asked as any neighbour would ask them, but with packets that do not leave this machine: multicast with a
time to live of 0 (RFC 1112 §6.1; RFC 4291 §2.7 for IPv6), from a port of its own, so that the answers come to it alone
(RFC 6762 §6.7). What a DHCP client sends cannot be asked: it stands in its settings, if one runs.
"""

import configparser
import re
import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from ipaddress import IPv4Address
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from zeroconf._dns import DNSAddress, DNSPointer, DNSQuestion
from zeroconf._protocol.incoming import DNSIncoming
from zeroconf._protocol.outgoing import DNSOutgoing
from zeroconf.const import _CLASS_IN, _FLAGS_QR_QUERY, _TYPE_A, _TYPE_AAAA, _TYPE_PTR

from node.discovery.interfaces import Place

Protocol: TypeAlias = Literal["multicast DNS", "LLMNR"]

ANSWER_SECONDS = 1.0
"""Answers may be held back for half a second (RFC 6762 §6)."""
_SERVICES = "_services._dns-sd._udp.local."
_OWN_SERVICES = "_kassiber"
_GROUPS: dict[Protocol, tuple[str, str, int]] = {
    "multicast DNS": ("224.0.0.251", "ff02::fb", 5_353),
    "LLMNR": ("224.0.0.252", "ff02::1:3", 5_355),
}
_MOST_ANSWERS = 256


class Told(NamedTuple):
    """What some program answers to whoever asks it on a local network."""

    protocol: Protocol
    names: tuple[str, ...]
    """Of this machine."""
    services: tuple[str, ...]
    """Types of what it offers, as `_ssh._tcp`."""


class Client(NamedTuple):
    """A DHCP client that runs, and is set to send the machine's name."""

    program: str
    setting: str | None
    """In which file that stands. None: it is the program's default, and whether it was changed cannot be read here."""


def ask_this_machine(places: Sequence[Place], host_name: str) -> list[Told]:
    """By each protocol that is answered. `host_name`: the machine's own, its first label. Blocks for a second."""
    with ExitStack() as stack:
        asked: dict[socket.socket, Protocol] = {}
        for place in places:
            for protocol in _GROUPS:
                try:
                    opened = stack.enter_context(_open(place))
                    _ask(opened, protocol, place, host_name)
                except OSError:  # the address has gone, or is only being tried out
                    continue
                asked[opened] = protocol
        return _gather(asked, {str(place.address) for place in places}, host_name)


def _open(place: Place) -> socket.socket:
    if isinstance(place.address, IPv4Address):
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, place.address.packed)
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        opened.bind((str(place.address), 0))
    else:
        opened = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, place.interface)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 0)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 1)
        opened.bind((str(place.address), 0, 0, place.interface))
    return opened


def _ask(opened: socket.socket, protocol: Protocol, place: Place, host_name: str) -> None:
    """One question a packet: LLMNR allows no more. Raises OSError."""
    four, six, port = _GROUPS[protocol]
    kind = _TYPE_A if isinstance(place.address, IPv4Address) else _TYPE_AAAA
    suffix = ".local." if protocol == "multicast DNS" else "."
    questions = [(f"{host_name}{suffix}", kind), (f"{place.address.reverse_pointer}.", _TYPE_PTR)]
    if protocol == "multicast DNS":
        questions.append((_SERVICES, _TYPE_PTR))
    for number, (name, record) in enumerate(questions, 1):
        query = DNSOutgoing(_FLAGS_QR_QUERY, multicast=False, id_=number)
        query.add_question(DNSQuestion(name, record, _CLASS_IN))
        group = (four, port) if isinstance(place.address, IPv4Address) else (six, port, 0, place.interface)
        for packet in query.packets():
            opened.sendto(packet, group)


def _gather(asked: dict[socket.socket, Protocol], own: set[str], host_name: str) -> list[Told]:
    names: dict[Protocol, set[str]] = {protocol: set() for protocol in _GROUPS}
    services: dict[Protocol, set[str]] = {protocol: set() for protocol in _GROUPS}
    end = time.monotonic() + ANSWER_SECONDS
    for _ in range(_MOST_ANSWERS):
        ready, _, _ = select.select(list(asked), [], [], max(end - time.monotonic(), 0.0))
        if not ready:
            break
        protocol = asked[ready[0]]
        packet, source = ready[0].recvfrom(9_000)
        if source[0].partition("%")[0] not in own:
            continue
        for record in DNSIncoming(packet).answers():
            name = record.name.rstrip(".")
            if isinstance(record, DNSAddress) and name.partition(".")[0].lower() == host_name.lower():
                names[protocol].add(name)
            elif isinstance(record, DNSPointer) and record.name == _SERVICES:
                services[protocol].add(record.alias.removesuffix(".local."))
            elif isinstance(record, DNSPointer) and name.endswith(".arpa"):
                names[protocol].add(record.alias.rstrip("."))
    return [
        Told(protocol, tuple(sorted(names[protocol])), shown)
        for protocol in _GROUPS
        if (shown := tuple(sorted(one for one in services[protocol] if not one.startswith(_OWN_SERVICES))))
        or names[protocol]
    ]


def find_dhcp_clients(root: Path) -> list[Client]:
    """Those that run and are set to send the machine's name to whoever gives out addresses (RFC 2132 §3.14).

    `root`: `/`. What cannot be read is left out, so none found does not mean that there is none.
    """
    running = set(_programs(root))
    return [client for name, look in _CLIENTS.items() if name in running and (client := look(root)) is not None]


def _programs(root: Path) -> Iterator[str]:
    for path in root.glob("proc/[0-9]*/comm"):
        try:
            yield path.read_text("utf-8", "replace").strip()
        except OSError:
            continue  # it has ended


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _dhclient(root: Path) -> Client | None:
    for path in ("etc/dhcp/dhclient.conf", "etc/dhclient.conf"):
        if re.search(r"^\s*send\s+(host-name|fqdn\.fqdn)\b", _read(root / path), re.MULTILINE):
            return Client("dhclient", f"/{path}")
    return None


def _dhcpcd(root: Path) -> Client | None:
    path = "etc/dhcpcd.conf"
    return Client("dhcpcd", f"/{path}") if re.search(r"^\s*hostname\b", _read(root / path), re.MULTILINE) else None


def _networkd(root: Path) -> Client | None:
    """Of the interfaces that it looks after, one that has its address by DHCP; it sends the name unless told not to."""
    for link in sorted(root.glob("run/systemd/netif/links/*")):
        found = re.search(r"^NETWORK_FILE=/?(.+)$", _read(link), re.MULTILINE)
        if found is None:
            continue
        settings = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
        files = [root / found[1], *sorted((root / "etc/systemd/network" / f"{Path(found[1]).name}.d").glob("*.conf"))]
        try:
            for path in files:
                settings.read_string(_read(path))
        except configparser.Error:
            continue
        asks = settings.get("Network", "DHCP", fallback="no") or "no"
        sends = settings.get("DHCPv4", "SendHostname", fallback="yes") or "yes"
        if asks.lower() in {"yes", "true", "1", "on", "ipv4"} and sends.lower() in {"yes", "true", "1", "on"}:
            return Client("systemd-networkd", f"/{found[1]}")
    return None


def _network_manager(_root: Path) -> Client:
    return Client("NetworkManager", None)


_CLIENTS: dict[str, Callable[[Path], Client | None]] = {
    "dhclient": _dhclient, "dhcpcd": _dhcpcd, "systemd-network": _networkd, "NetworkManager": _network_manager,
}  # fmt: skip
"""By the name of the process, of which Linux keeps 15 characters."""
