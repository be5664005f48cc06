"""Who is visible on the local networks now, and how a person sees them (Spec 9 §6). All of it within bounds."""

from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from protocol.bucket import Bucket
from protocol.discovery.announcement import check_instance
from protocol.discovery.sightings import Network
from protocol.discovery.tags import Endpoint
from protocol.entropy import Entropy
from protocol.errors import Code, PeerError
from protocol.limits import DISCOVERY_TTL_SECONDS, MAX_NAME_BYTES, MAX_NEW_SIGHTINGS_PER_SECOND, MAX_VISIBLE_PEOPLE
from protocol.timing import Timing

VISIBLE_SERVICE_TYPE = "_kassiber-meet._tcp.local."

_NONCE_BYTES = 16
_HEAD_BYTES = 4 + 3 + _NONCE_BYTES
_NAME_KEY = b"name="
MAX_VISIBLE_TXT_BYTES = _HEAD_BYTES + 1 + len(_NAME_KEY) + MAX_NAME_BYTES
"""93: three strings, each behind its length."""

Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME_BYTES)]


class VisibleAnnouncement(Struct, frozen=True):
    """`nonce`: 16 bytes, of this time of being visible alone. `name`: 1 to 64 bytes of UTF-8, as somebody chose it."""

    nonce: bytes
    name: str


def make_visible_announcement(entropy: Entropy, name: str) -> VisibleAnnouncement:
    """`name`: checked already."""
    assert 0 < len(name.encode()) <= MAX_NAME_BYTES
    return VisibleAnnouncement(entropy.secret(_NONCE_BYTES), name)


def encode_visible_txt(announcement: VisibleAnnouncement) -> bytes:
    """The TXT record's data (RFC 6763 §6.1)."""
    strings = (b"v=1", b"n=" + announcement.nonce, _NAME_KEY + announcement.name.encode())
    return b"".join(bytes((len(string),)) + string for string in strings)


def parse_visible_txt(data: bytes) -> VisibleAnnouncement:
    """Raises PeerError: SIZE for more than 93 bytes, MALFORMED for other strings than these three in this order."""
    if len(data) > MAX_VISIBLE_TXT_BYTES:
        raise PeerError(Code.SIZE, f"a TXT record of {len(data)} bytes")
    nonce = data[_HEAD_BYTES - _NONCE_BYTES : _HEAD_BYTES]
    try:
        name = data[_HEAD_BYTES + 1 + len(_NAME_KEY) :].decode()
    except UnicodeDecodeError:
        raise PeerError(Code.MALFORMED, "a name that is not UTF-8") from None
    announcement = VisibleAnnouncement(nonce, name)
    if not name or encode_visible_txt(announcement) != data:
        raise PeerError(Code.MALFORMED, "a TXT record of other strings than v, n and name")
    return announcement


class Way(NamedTuple):
    """Where somebody visible takes calls."""

    interface: int
    endpoint: Endpoint
    txt: bytes


class Person(Struct):
    """`number`: for as long as they are seen. `ways`: the newest last."""

    number: int
    name: str
    ways: dict[tuple[int, bool], Way]
    """By interface, and whether it is IPv6."""
    since: float


class People:
    """Those on all interfaces of a node, in the order in which they were first seen."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._numbered = 0
        self._networks: dict[int, tuple[Network, ...]] = {}
        self._buckets: dict[int, Bucket] = {}
        self._people: dict[str, Person] = {}

    def attach(self, networks: Mapping[int, Sequence[Network]], now: float) -> None:
        """Which interfaces there are now. `now`: any clock that goes on."""
        self._networks = {interface: tuple(those) for interface, those in networks.items()}
        self._buckets = {
            interface: self._buckets.get(interface)
            or Bucket(now, MAX_NEW_SIGHTINGS_PER_SECOND, MAX_NEW_SIGHTINGS_PER_SECOND)
            for interface in self._networks
        }
        for instance, person in [*self._people.items()]:
            for key, way in [*person.ways.items()]:
                if not self._reaches(way):
                    self.gone(*key, instance)

    def seen(self, instance: str, way: Way, now: float) -> bool:
        """Take an announcement; whether anything is new. Of too many the new ones are ignored: a list must not shift.

        Raises PeerError: MALFORMED, SIZE.
        """
        check_instance(instance)
        announcement = parse_visible_txt(way.txt)
        if way.endpoint.port == 0 or not self._reaches(way):
            raise PeerError(Code.MALFORMED, "an address that is not of this network")
        key = (way.interface, way.endpoint.is_ipv6)
        person = self._people.get(instance)
        if person is not None and person.ways.get(key) == way:
            return False
        if not self._buckets[way.interface].take(now):
            return False
        if person is None or person.name != announcement.name:
            self._people.pop(instance, None)
            if len(self._people) >= MAX_VISIBLE_PEOPLE:
                return False
            self._numbered += 1
            person = self._people[instance] = Person(self._numbered, announcement.name, {}, now)
        person.ways.pop(key, None)
        person.ways[key] = way
        return True

    def gone(self, interface: int, ipv6: bool, instance: str) -> bool:
        """An announcement was withdrawn, or is not heard any more; whether that is new."""
        person = self._people.get(instance)
        if person is None or person.ways.pop((interface, ipv6), None) is None:
            return False
        if not person.ways:
            del self._people[instance]
        return True

    def now(self, now: float) -> list[Person]:
        """Who is to be seen. Nobody is visible for longer than five minutes, whatever goes on being announced."""
        longest = self._timing.visible_seconds + DISCOVERY_TTL_SECONDS
        for instance in [one for one, person in self._people.items() if person.since + longest <= now]:
            del self._people[instance]
        return list(self._people.values())

    def _reaches(self, way: Way) -> bool:
        return any(network.holds(way.endpoint.address) for network in self._networks.get(way.interface, ()))
