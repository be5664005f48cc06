"""Where this machine could be found: interfaces that are up, and their addresses."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import NamedTuple

import ifaddr

from protocol.discovery.sightings import Network

_SYSTEM = Path("/sys/class/net")
_IFF_MULTICAST = 0x1000
_MAPPED = bytes(10) + b"\xff\xff"


class Place(NamedTuple):
    """One address of one interface: what one announcement is of."""

    interface: int
    """The system's index of it."""
    address: IPv4Address | IPv6Address

    @property
    def packed(self) -> bytes:
        """16 bytes, as in tags."""
        return pack(self.address)


def pack(address: IPv4Address | IPv6Address) -> bytes:
    """16 bytes: IPv4 mapped into IPv6."""
    return address.packed if isinstance(address, IPv6Address) else _MAPPED + address.packed


def unpack(address: bytes) -> IPv4Address | IPv6Address:
    """The reverse."""
    return ip_address(address[12:] if address.startswith(_MAPPED) else address)


def find_places() -> tuple[list[Place], Mapping[int, tuple[Network, ...]]]:
    """Of each interface that carries multicast the first IPv4 and the first link-local IPv6 address; its networks."""
    places: list[Place] = []
    networks: dict[int, tuple[Network, ...]] = {}
    for adapter in ifaddr.get_adapters():
        index = adapter.index
        if index is None or not _carries_multicast(adapter.name):
            continue
        found: dict[int, Place] = {}
        reached: list[Network] = []
        for ip in adapter.ips:
            address = ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0])
            if address.is_loopback or address.is_unspecified or address.is_multicast:
                continue
            if isinstance(address, IPv6Address) and not address.is_link_local:
                continue  # link-local reaches whoever multicast reaches, and lasts no longer than the visit
            bits = ip.network_prefix + (0 if isinstance(address, IPv6Address) else 96)
            reached.append(Network(pack(address), bits))
            found.setdefault(address.version, Place(index, address))
        if found:
            places += [found[version] for version in sorted(found)]
            networks[index] = tuple(reached)
    return places, networks


def _carries_multicast(name: str) -> bool:
    """Linux says it in files; elsewhere an interface that cannot shows itself when it is tried."""
    folder = _SYSTEM / name
    try:
        flags = int((folder / "flags").read_text(encoding="ascii"), 16)
        return bool(flags & _IFF_MULTICAST) and (folder / "carrier").read_text(encoding="ascii").strip() == "1"
    except (OSError, ValueError):  # reading `carrier` of one that is down is an error
        return not _SYSTEM.exists()
