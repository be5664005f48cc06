"""One address on multicast DNS, with python-zeroconf on a thread of its own (RFC 6762, RFC 6763)."""

from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address
from typing import NamedTuple

from zeroconf import Error, IPVersion, ServiceBrowser, ServiceInfo, ServiceStateChange, Zeroconf

from node.discovery.interfaces import Place
from protocol.limits import DISCOVERY_TTL_SECONDS


class Heard(NamedTuple):
    """What the network says of one instance, unchecked. `txt` None: it is gone."""

    instance: str
    address: bytes
    """4 or 16 bytes."""
    port: int
    txt: bytes | None


class Service(NamedTuple):
    """What is published: `txt` is the data of its TXT record."""

    instance: str
    port: int
    txt: bytes


class Responder:
    """Answers for what is published, and tells what others publish. Methods block: call them in a thread."""

    def __init__(self, service_type: str, place: Place, heard: Callable[[Heard], None]) -> None:
        """`heard` is called on zeroconf's thread. Raises OSError: no multicast there."""
        self._type = service_type
        self._heard = heard
        self._info: ServiceInfo | None = None
        if isinstance(place.address, IPv4Address):
            self._family, interface = IPVersion.V4Only, str(place.address)
            self._zeroconf = Zeroconf([interface], ip_version=self._family)
        else:
            self._family = IPVersion.V6Only
            self._zeroconf = Zeroconf([place.interface], ip_version=self._family)
        self._browser = ServiceBrowser(self._zeroconf, service_type, handlers=[self._changed])

    def publish(self, service: Service, address: bytes) -> None:
        """Announce it, without probing: nobody else has its name, which is never the machine's own. Raises OSError."""
        self._info = ServiceInfo(
            self._type,
            f"{service.instance}.{self._type}",
            service.port,
            properties=service.txt,
            server=f"{service.instance}.local.",
            host_ttl=DISCOVERY_TTL_SECONDS,
            other_ttl=DISCOVERY_TTL_SECONDS,
            addresses=[address],
        )
        try:
            self._zeroconf.register_service(self._info, cooperating_responders=True)
        except (Error, RuntimeError) as error:  # closed meanwhile, or its thread does not get on
            raise OSError(str(error) or type(error).__name__) from None

    def withdraw(self) -> None:
        """Answer for it no more, and say nothing: a goodbye would tie one name to the next (Spec 9 §3)."""
        info, self._info = self._info, None
        loop = self._zeroconf.loop
        if info is not None and loop is not None:
            loop.call_soon_threadsafe(self._zeroconf.registry.async_remove, info)

    def say_goodbye(self) -> None:
        """Withdraw it, and tell everybody at once."""
        if self._info is not None:
            with suppress(Error, RuntimeError, OSError):
                self._zeroconf.unregister_service(self._info)
            self._info = None

    def close(self) -> None:
        """Without a goodbye."""
        self.withdraw()
        self._zeroconf.close()

    def _changed(self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        instance = name.removesuffix(f".{service_type}")
        if state_change is ServiceStateChange.Removed:
            self._heard(Heard(instance, b"", 0, None))
            return
        info = ServiceInfo(service_type, name)
        # The records of one announcement come in one packet; what comes in pieces is looked at when the rest changes.
        if not info.load_from_cache(zeroconf) or info.server != f"{instance}.local.":
            return
        addresses = info.addresses_by_version(self._family)
        if len(addresses) == 1 and info.port is not None and info.text is not None:
            self._heard(Heard(instance, addresses[0], info.port, info.text))
