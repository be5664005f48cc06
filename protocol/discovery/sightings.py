"""What others announce, which contact it is, and when to dial it (Spec 9 §4). All of it within bounds."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from protocol.bucket import Bucket
from protocol.discovery.announcement import Announcement, check_instance, parse_txt
from protocol.discovery.tags import Endpoint, epoch_of, is_tagged
from protocol.entropy import Entropy
from protocol.errors import Code, PeerError
from protocol.events import Now
from protocol.keys import PairSecret
from protocol.limits import (
    DISCOVERY_TTL_SECONDS,
    MAX_DIALLED_ANNOUNCEMENTS,
    MAX_NEW_SIGHTINGS_PER_SECOND,
    MAX_SIGHTINGS,
)
from protocol.timing import Timing


class Network(NamedTuple):
    """What an interface reaches without a router: `prefix` 16 bytes (IPv4 mapped into IPv6), 0 to 128 bits."""

    prefix: bytes
    bits: int

    def holds(self, address: bytes) -> bool:
        """Whether a 16-byte address is one of them."""
        shift = 128 - self.bits
        return int.from_bytes(self.prefix, "big") >> shift == int.from_bytes(address, "big") >> shift


class Dial(NamedTuple):
    """Connect to a contact; the session rests on `secret`, its hint is made with `nonce`. `ended` must follow."""

    contact: int
    interface: int
    endpoint: Endpoint
    nonce: bytes
    secret: PairSecret


class Lost(NamedTuple):
    """No announcement of this contact is left: hang up what was dialled."""

    contact: int


Wish: TypeAlias = Dial | Lost


class _Sighting:
    __slots__ = ("announcement", "contact", "endpoint", "secret", "since", "tags")

    def __init__(self, announcement: Announcement, endpoint: Endpoint, since: float) -> None:
        self.announcement = announcement
        self.tags = frozenset(announcement.tags)
        self.endpoint = endpoint
        self.since = since
        self.contact: int | None = None
        self.secret: PairSecret | None = None


class Sightings:
    """All interfaces of a node. Contacts are numbers of the caller's."""

    def __init__(self, entropy: Entropy, timing: Timing) -> None:
        self._entropy = entropy
        self._timing = timing
        self._secrets: dict[int, tuple[PairSecret, ...]] = {}
        self._networks: dict[int, tuple[Network, ...]] = {}
        self._buckets: dict[int, Bucket] = {}
        self._alive: dict[tuple[int, str], _Sighting] = {}  # in the order in which they came
        self._dialled: dict[bytes, None] = {}  # nonces, in order
        self._busy: set[int] = set()
        self._due: dict[int, float] = {}
        self._lost: list[int] = []

    @property
    def next_wake(self) -> float | None:
        """When `tick` is wanted if nothing happens."""
        times = [*self._due.values(), *(sighting.since + self._longest for sighting in self._alive.values())]
        return min(times, default=None)

    @property
    def found(self) -> frozenset[int]:
        """The contacts that are announced at present."""
        return frozenset(sighting.contact for sighting in self._alive.values() if sighting.contact is not None)

    def know(self, secrets: Mapping[int, Sequence[PairSecret]], now: Now) -> None:
        """Whom to look for: of each contact the secrets that its announcements may be tagged with."""
        before, self._secrets = self._secrets, {contact: tuple(those) for contact, those in secrets.items()}
        for sighting in self._alive.values():
            if sighting.contact is not None and sighting.secret not in self._secrets.get(sighting.contact, ()):
                contact, sighting.contact, sighting.secret = sighting.contact, None, None
                self._maybe_lost(contact)
        fresh = {
            contact: tuple(secret for secret in those if secret not in before.get(contact, ()))
            for contact, those in self._secrets.items()
        }
        for sighting in self._alive.values():
            if sighting.contact is None:
                self._recognise(sighting, fresh, now)

    def attach(self, networks: Mapping[int, Sequence[Network]], now: Now) -> None:
        """Which interfaces there are now; what was seen on one that is gone, or outside its networks, is gone."""
        self._networks = {interface: tuple(those) for interface, those in networks.items()}
        self._buckets = {
            interface: self._buckets.get(interface)
            or Bucket(now.service, MAX_NEW_SIGHTINGS_PER_SECOND, MAX_NEW_SIGHTINGS_PER_SECOND)
            for interface in self._networks
        }
        for interface, instance in [*self._alive]:
            if not self._reaches(interface, self._alive[interface, instance].endpoint.address):
                self.gone(interface, instance)

    def seen(self, interface: int, instance: str, endpoint: Endpoint, txt: bytes, now: Now) -> bool:
        """Take an announcement; whether it was taken: it was not if there are too many, or if it is known already.

        Raises PeerError: MALFORMED, SIZE.
        """
        check_instance(instance)
        announcement = parse_txt(txt)
        if endpoint.port == 0 or not self._reaches(interface, endpoint.address):
            raise PeerError(Code.MALFORMED, "an address that is not of this network")
        known = self._alive.get((interface, instance))
        if known is not None and (known.announcement, known.endpoint) == (announcement, endpoint):
            return False
        if not self._buckets[interface].take(now.service):
            return False
        self.gone(interface, instance)
        if len(self._alive) >= MAX_SIGHTINGS:
            self.gone(*self._least_wanted())
        sighting = _Sighting(announcement, endpoint, now.service)
        self._alive[interface, instance] = sighting
        self._recognise(sighting, self._secrets, now)
        return True

    def gone(self, interface: int, instance: str) -> None:
        """An announcement was withdrawn, or is not heard any more."""
        sighting = self._alive.pop((interface, instance), None)
        if sighting is not None and sighting.contact is not None:
            self._maybe_lost(sighting.contact)

    def ended(self, contact: int, now: Now) -> None:
        """What a `Dial` began is over, or never was: the contact's next announcement is dialled again."""
        self._busy.discard(contact)
        self._plan(contact, now)

    def tick(self, now: Now) -> list[Wish]:
        """What is to be done now."""
        for key in [key for key, sighting in self._alive.items() if sighting.since + self._longest <= now.service]:
            self.gone(*key)
        found_now = self.found
        wishes: list[Wish] = [Lost(contact) for contact in dict.fromkeys(self._lost) if contact not in found_now]
        self._lost.clear()
        for contact in [contact for contact, due in self._due.items() if due <= now.service]:
            del self._due[contact]
            found = self._undialled(contact)
            if found is None:
                continue
            interface, sighting = found
            assert sighting.secret is not None
            while len(self._dialled) >= MAX_DIALLED_ANNOUNCEMENTS:
                del self._dialled[next(iter(self._dialled))]
            self._dialled[sighting.announcement.nonce] = None
            self._busy.add(contact)
            wishes.append(Dial(contact, interface, sighting.endpoint, sighting.announcement.nonce, sighting.secret))
        return wishes

    @property
    def _longest(self) -> float:
        return self._timing.announcement_most_seconds + DISCOVERY_TTL_SECONDS

    def _reaches(self, interface: int, address: bytes) -> bool:
        return any(network.holds(address) for network in self._networks.get(interface, ()))

    def _recognise(self, sighting: _Sighting, secrets: Mapping[int, Sequence[PairSecret]], now: Now) -> None:
        nonce, epoch = sighting.announcement.nonce, epoch_of(now.wall)
        for contact, those in secrets.items():
            for secret in those:
                if is_tagged(secret, nonce, epoch, sighting.endpoint, sighting.tags):
                    sighting.contact, sighting.secret = contact, secret
                    self._plan(contact, now)
                    return

    def _plan(self, contact: int, now: Now) -> None:
        if contact not in self._busy and contact not in self._due and self._undialled(contact) is not None:
            self._due[contact] = now.service + self._timing.lan_dial_most_seconds * self._entropy.uniform()

    def _undialled(self, contact: int) -> tuple[int, _Sighting] | None:
        """The newest announcement of a contact that was not dialled yet."""
        for (interface, _), sighting in reversed(self._alive.items()):
            if sighting.contact == contact and sighting.announcement.nonce not in self._dialled:
                return interface, sighting
        return None

    def _least_wanted(self) -> tuple[int, str]:
        """The oldest that is nobody's; where all are somebody's, the oldest."""
        return next((key for key, sighting in self._alive.items() if sighting.contact is None), next(iter(self._alive)))

    def _maybe_lost(self, contact: int) -> None:
        if not any(sighting.contact == contact for sighting in self._alive.values()):
            self._due.pop(contact, None)
            self._lost.append(contact)
