"""One address on multicast DNS, with python-zeroconf on a thread of its own (RFC 6762, RFC 6763).

Its browser is not used: that lists in each question what it knows already (RFC 6762 §7.1), and so, for whoever comes
later, the names that this very node had before, in one packet.
"""

from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address
from typing import NamedTuple

from zeroconf import Error, IPVersion, RecordUpdate, RecordUpdateListener, ServiceInfo, Zeroconf
from zeroconf._dns import DNSAddress, DNSPointer, DNSQuestion
from zeroconf._protocol.outgoing import DNSOutgoing
from zeroconf.const import _CLASS_IN, _FLAGS_QR_QUERY, _TYPE_PTR

from node.discovery.interfaces import Place
from protocol.discovery.announcement import check_instance
from protocol.errors import PeerError
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


ASK_FIRST_SECONDS = (0.02, 0.12)
"""Between the two, at random, the first question is asked (RFC 6762 §5.2)."""
ASK_AGAIN_SECONDS = 1.0
ASK_MOST_SECONDS = 3_600.0
"""The next ones come after the one, and then after twice as long as the last, up to the other."""


class Responder:
    """Answers for what is published, and tells what others publish. Methods block: call them in a thread."""

    def __init__(self, service_type: str, place: Place, heard: Callable[[Heard], None], chance: float) -> None:
        """`heard` is called on zeroconf's thread. `chance`: 0 to 1, at random. Raises OSError: no multicast there."""
        self._type = service_type
        self._heard = heard
        self._info: ServiceInfo | None = None
        self._family = IPVersion.V4Only if isinstance(place.address, IPv4Address) else IPVersion.V6Only
        try:
            # By address: given an index it would speak from any address there, as from one that outlives the visit.
            self._zeroconf = Zeroconf([str(place.address)], ip_version=self._family)
        except RuntimeError as error:  # the address has just gone
            raise OSError(str(error)) from None
        # With a question: it is told what came since the sockets opened, which nobody would mention again as new.
        self._zeroconf.add_listener(_Listener(service_type, self._changed), self._question())
        least, most = ASK_FIRST_SECONDS
        loop = self._zeroconf.loop
        assert loop is not None, "it runs on a thread of its own"
        loop.call_soon_threadsafe(loop.call_later, least + (most - least) * chance, self._ask, ASK_AGAIN_SECONDS, True)

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

    def _question(self) -> DNSQuestion:
        return DNSQuestion(self._type, _TYPE_PTR, _CLASS_IN)

    def _ask(self, again: float, first: bool = False) -> None:
        """On zeroconf's thread. The same question from everybody: nothing is said of what is known already."""
        loop = self._zeroconf.loop
        if loop is None or self._zeroconf.done:
            return
        question = self._question()
        question.unicast = first
        query = DNSOutgoing(_FLAGS_QR_QUERY)
        query.add_question(question)
        self._zeroconf.async_send(query)
        loop.call_later(again, self._ask, min(2 * again, ASK_MOST_SECONDS))

    def _changed(self, instance: str, gone: bool) -> None:
        """On zeroconf's thread."""
        try:
            check_instance(instance)
        except PeerError:
            return
        if gone:
            self._heard(Heard(instance, b"", 0, None))
            return
        info = ServiceInfo(self._type, f"{instance}.{self._type}")
        # The records of one announcement come in one packet; what comes in pieces is looked at when the rest changes.
        if not info.load_from_cache(self._zeroconf) or info.server != f"{instance}.local.":
            return
        addresses = info.addresses_by_version(self._family)
        if len(addresses) == 1 and info.port is not None and info.text is not None:
            self._heard(Heard(instance, addresses[0], info.port, info.text))


class _Listener(RecordUpdateListener):
    """Of which instances something is new."""

    def __init__(self, service_type: str, changed: Callable[[str, bool], None]) -> None:
        """`changed`: with the name of an instance, and whether it is gone."""
        self._type = service_type
        self._changed = changed
        self._new: dict[str, bool] = {}

    def async_update_records(self, zc: Zeroconf, now: float, records: list[RecordUpdate]) -> None:  # noqa: ARG002
        """Before they are in the cache."""
        for update in records:
            record = update.new
            gone = record.is_expired(now)
            if isinstance(record, DNSPointer):
                if record.name.lower() == self._type and (gone or update.old is None):
                    self._new[record.alias.removesuffix(f".{self._type}")] = gone
            elif update.old is None and not gone:
                suffix = ".local." if isinstance(record, DNSAddress) else f".{self._type}"
                if record.name.endswith(suffix):
                    self._new.setdefault(record.name.removesuffix(suffix), False)

    def async_update_records_complete(self) -> None:
        """After."""
        new, self._new = self._new, {}
        for instance, gone in new.items():
            self._changed(instance, gone)
