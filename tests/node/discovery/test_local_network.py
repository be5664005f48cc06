"""Machines on one wire find whom they know and nobody else, and show nothing that ties one announcement to the next."""

import socket
import time
from collections.abc import Iterator
from itertools import combinations, pairwise
from random import Random

import pytest
from zeroconf._dns import DNSAddress, DNSPointer, DNSService, DNSText
from zeroconf._protocol.incoming import DNSIncoming
from zeroconf._protocol.outgoing import DNSOutgoing
from zeroconf.const import _CLASS_IN, _FLAGS_AA, _FLAGS_QR_RESPONSE, _TYPE_A, _TYPE_PTR, _TYPE_SRV, _TYPE_TXT

from protocol.discovery.announcement import SERVICE_TYPE, encode_txt, make_announcement, make_instance, parse_txt
from protocol.discovery.tags import Endpoint
from tests.node.discovery.namespaces import Ear, Peer, Wire, inside, ip, needs_namespaces, wire
from tests.protocol.discovery.place import Dice

pytestmark = [pytest.mark.journey, needs_namespaces]

ALICE, BOB, EVE = (bytes((number,)).hex() * 32 for number in (1, 2, 3))
EVERYBODYS = {
    ("name", SERVICE_TYPE), ("ttl", 120), ("priority", "0"), ("weight", "0"), ("rdtypes", "[1]"),
}  # fmt: skip
"""What the announcements of all nodes have in common."""


@pytest.fixture
def network() -> Iterator[Wire]:
    with wire() as made:
        yield made


class People:
    """Peers that are stopped whatever happens."""

    def __init__(self) -> None:
        self.all: list[Peer] = []

    def start(self, machine: str, *words: str) -> Peer:
        peer = Peer(machine, *words)
        self.all.append(peer)
        return peer


@pytest.fixture
def people() -> Iterator[People]:
    made = People()
    yield made
    codes = [peer.stop() for peer in made.all]
    assert codes == [0] * len(codes), [peer.lines for peer in made.all]


def test_two_contacts_find_each_other_and_a_stranger_nobody(network: Wire, people: People) -> None:
    alice = people.start(network.plug("alice"), ALICE, f"2={BOB}")
    bob = people.start(network.plug("bob"), BOB, f"1={ALICE}")
    eve = people.start(network.plug("eve"), EVE, f"1={EVE[:-2]}00", f"2={EVE[:-2]}01")
    there, here = alice.says("session found-2")[0], bob.says("session met")[0]
    assert there.split()[2] == here.split()[2], "two ends of one session"
    assert bob.says("session found-1")[0].split()[2] == alice.says("session met")[0].split()[2]
    time.sleep(8)
    assert [line for line in eve.lines if line.startswith("session")] == []
    assert [len(alice.says("session", 2)), len(bob.says("session", 2))] == [2, 2], "once each, though names went by"


def test_who_is_cut_off_is_lost_and_found_again(network: Wire, people: People) -> None:
    machine = network.plug("alice")
    alice = people.start(machine, ALICE, f"2={BOB}")
    bob = people.start(network.plug("bob"), BOB, f"1={ALICE}")
    alice.says("session", 2)
    bob.says("session", 2)
    ip("-n", machine, "link", "set", "wire", "down")
    alice.says("lost 2")
    assert any("no interface of this machine carries multicast" in line for line in alice.lines)
    ip("-n", machine, "link", "set", "wire", "up")
    alice.says("session found-2", 2, 40)


class Said:
    """One announcement as it was on the wire."""

    def __init__(self, message: bytes) -> None:
        self.message = message
        records = DNSIncoming(message).answers()
        (service,) = [record for record in records if isinstance(record, DNSService)]
        (text,) = [record for record in records if isinstance(record, DNSText)]
        self.addresses = {record.address for record in records if isinstance(record, DNSAddress)}
        self.instance = service.name.removesuffix(f".{SERVICE_TYPE}")
        self.server, self.port = service.server, service.port
        self.ttls = {record.ttl for record in records}
        self.txt = text.text
        self.announcement = parse_txt(text.text)

    def fields(self) -> set[object]:
        """Every name, number and value of its records, but for the address, which IP shows anyway."""
        found: set[object] = set()
        for record in DNSIncoming(self.message).answers():
            found |= {("name", record.name), ("ttl", record.ttl)}
            for name in ("alias", "server", "port", "priority", "weight", "text", "next_name", "rdtypes", "cpu", "os"):
                if hasattr(record, name):
                    found.add((name, str(getattr(record, name))))
        return found


def announcements(ear: Ear, source: str) -> list[Said]:
    """Those of one machine in order, each once."""
    found: dict[str, Said] = {}
    for said in every_announcement(ear, source):
        found.setdefault(said.instance, said)
    return list(found.values())


def every_announcement(ear: Ear, source: str) -> list[Said]:
    """Those of one machine, repeated and in whatever arrangement of records."""
    return [
        Said(message)
        for address, message in list(ear.heard)
        if address == source and any(isinstance(one, DNSService) for one in DNSIncoming(message).answers())
    ]


def test_three_announcements_share_nothing_but_what_everybodys_have(network: Wire, people: People) -> None:
    machine = network.plug("alice")
    ear = Ear(machine)
    try:
        alice = people.start(machine, ALICE, f"2={BOB}")
        people.start(network.plug("bob"), BOB, f"1={ALICE}")
        end = time.monotonic() + 40
        while min(len(announcements(ear, f"10.99.0.{number}")) for number in (1, 2)) < 3:
            assert time.monotonic() < end, alice.lines
            time.sleep(0.2)
    finally:
        ear.stop()
    hers, his = announcements(ear, "10.99.0.1"), announcements(ear, "10.99.0.2")
    for one, other in combinations(hers, 2):
        assert one.instance != other.instance
        assert one.port != other.port
        assert one.announcement.nonce != other.announcement.nonce
        assert not set(one.announcement.tags) & set(other.announcement.tags)
        assert one.fields() & other.fields() <= EVERYBODYS
    for said in hers + his:
        assert said.server == f"{said.instance}.local."
        assert len(said.addresses) == 1
        name = socket.gethostname().partition(".")[0].encode()
        assert bytes((len(name),)) + name not in said.message  # as a label: a short name may be in random bytes
        assert len(said.message) <= 1_300
    _nobody_says_goodbye(ear, hers)


def _nobody_says_goodbye(ear: Ear, hers: list[Said]) -> None:
    """And one is silent before the next begins."""
    said_at: dict[str, list[int]] = {said.instance: [] for said in hers}
    for number, (address, message) in enumerate(ear.heard):
        parsed = DNSIncoming(message)
        if address == "10.99.0.1" and parsed.is_response():
            assert all(record.ttl == 120 for record in parsed.answers() if SERVICE_TYPE in record.name)
            for instance, places in said_at.items():
                if instance.encode() in message:
                    places.append(number)
    for one, other in pairwise(said_at.values()):
        assert max(one) < min(other)


def test_a_flood_of_forged_announcements_ends_with_nobody_hurt(network: Wire, people: People) -> None:
    alice = people.start(network.plug("alice"), ALICE, f"2={BOB}")
    mallory = network.plug("mallory")
    alice.says("started")
    _flood(mallory, 1_500)
    bob = people.start(network.plug("bob"), BOB, f"1={ALICE}")
    alice.says("session found-2", 1, 40)
    bob.says("session found-1", 1, 40)
    assert [line for line in alice.lines if "Traceback" in line] == []


def _flood(machine: str, count: int) -> None:
    """Well-formed, of strangers, and here and there a malformed one."""
    dice, chance = Dice(7), Random(7)

    def opened() -> socket.socket:
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sender.bind(("10.99.0.2", 5_353))
        return sender

    sender = inside(machine, opened)
    for _ in range(count):
        instance = make_instance(dice)
        name, server = f"{instance}.{SERVICE_TYPE}", f"{instance}.local."
        address = socket.inet_aton("10.99.0.2")
        endpoint = Endpoint(bytes(10) + b"\xff\xff" + address, chance.randrange(1, 65_536))
        txt = encode_txt(make_announcement(dice, [], endpoint, 1))
        if chance.random() < 0.3:
            txt = dice.secret(chance.randrange(1, 400))
        message = DNSOutgoing(_FLAGS_QR_RESPONSE | _FLAGS_AA)
        message.add_answer_at_time(DNSPointer(SERVICE_TYPE, _TYPE_PTR, _CLASS_IN, 120, name), 0)
        message.add_answer_at_time(DNSService(name, _TYPE_SRV, _CLASS_IN, 120, 0, 0, endpoint.port, server), 0)
        message.add_answer_at_time(DNSText(name, _TYPE_TXT, _CLASS_IN, 120, txt), 0)
        message.add_answer_at_time(DNSAddress(server, _TYPE_A, _CLASS_IN, 120, address), 0)
        for packet in message.packets():
            sender.sendto(packet, ("224.0.0.251", 5_353))
        time.sleep(0.001)
    sender.close()
