"""Machines on one wire find whom they know and nobody else, and show nothing that ties one announcement to the next."""

import json
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from itertools import combinations, pairwise, permutations
from random import Random

import pytest
from zeroconf._dns import DNSAddress, DNSPointer, DNSQuestion, DNSService, DNSText
from zeroconf._protocol.incoming import DNSIncoming
from zeroconf._protocol.outgoing import DNSOutgoing
from zeroconf.const import (
    _CLASS_IN,
    _FLAGS_AA,
    _FLAGS_QR_RESPONSE,
    _TYPE_A,
    _TYPE_AAAA,
    _TYPE_NSEC,
    _TYPE_PTR,
    _TYPE_SRV,
    _TYPE_TXT,
)

from protocol.discovery.announcement import SERVICE_TYPE, encode_txt, make_announcement, make_instance, parse_txt
from protocol.discovery.tags import Endpoint
from tests.node.discovery.namespaces import Ear, Peer, Wire, inside, ip, needs_namespaces, wire
from tests.protocol.discovery.place import Dice

pytestmark = [pytest.mark.journey, needs_namespaces]

ALICE, BOB, EVE = (bytes((number,)).hex() * 32 for number in (1, 2, 3))
EVERYBODYS = {
    ("name", SERVICE_TYPE), ("ttl", 120), ("priority", "0"), ("weight", "0"), ("rdtypes", "[1]"), ("rdtypes", "[28]"),
}  # fmt: skip
"""What the announcements of all nodes have in common."""
QUERY, RESPONSE = 0, 0x8400


def forms(address: int) -> set[object]:
    """Every message of a node, but for what is in its records. A node's own order of records would be a name."""
    records = {
        kind: (kind, _CLASS_IN, kind != _TYPE_PTR, 120) for kind in (_TYPE_PTR, _TYPE_SRV, _TYPE_TXT, _TYPE_NSEC)
    }
    records[address] = (address, _CLASS_IN, True, 120)
    pointer, service, text = (records[kind] for kind in (_TYPE_PTR, _TYPE_SRV, _TYPE_TXT))
    announced = {(pointer, service, text, *rest) for rest in permutations((records[address], records[_TYPE_NSEC]))}
    replied = {(pointer, *rest) for rest in permutations((service, text, records[address], records[_TYPE_NSEC]))}
    asked = {((SERVICE_TYPE, _TYPE_PTR, unicast),) for unicast in (True, False)}
    return (
        {((0, RESPONSE, 0, 5, 0, 0), (), those) for those in announced}
        | {((0, RESPONSE, 0, 1, 0, 4), (), those) for those in replied}
        | {((0, QUERY, 1, 0, 0, 0), question, ()) for question in asked}
    )


def form(message: bytes) -> object:
    """One message's."""
    parsed = DNSIncoming(message)
    questions = tuple((one.name, one.type, one.unique) for one in parsed.questions)
    records = tuple((one.type, one.class_, one.unique, one.ttl) for one in parsed.answers())
    return struct.unpack(">6H", message[:12]), questions, records


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


def link_local(machine: str) -> str:
    """Of its interface, once the system has made sure that nobody else has it."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        shown = subprocess.run(
            ["ip", "-n", machine, "-j", "-6", "addr", "show", "dev", "wire", "scope", "link"], capture_output=True
        ).stdout
        for address in json.loads(shown)[0].get("addr_info", []):
            if "local" in address and "tentative" not in address:
                return str(address["local"])
        time.sleep(0.1)
    raise AssertionError("no link-local address")


class Asker:
    """A stranger that asks who is there, by IPv4 and IPv6, as any browser does."""

    def __init__(self, machine: str, address: str) -> None:
        self._address = address
        self._four, self._six = inside(machine, self._open)

    def _open(self) -> tuple[socket.socket, socket.socket]:
        four, six = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        index = socket.if_nametoindex("wire")
        six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        four.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(self._address))
        for one, place in ((four, (self._address, 5_353)), (six, ("::", 5_353))):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            one.bind(place)
        return four, six

    def ask(self, name: str, kind: int) -> None:
        query = DNSOutgoing(QUERY)
        query.add_question(DNSQuestion(name, kind, _CLASS_IN))
        self._four.sendto(query.packets()[0], ("224.0.0.251", 5_353))
        self._six.sendto(query.packets()[0], ("ff02::fb", 5_353))

    def close(self) -> None:
        self._four.close()
        self._six.close()


def test_three_announcements_share_nothing_but_what_everybodys_have(network: Wire, people: People) -> None:
    """In no message of a node's, on IPv4 and IPv6 together: no field, no order, no count, no time to live."""
    machine = network.plug("alice")
    ip("-n", machine, "addr", "add", "fd00::1/64", "dev", "wire", "nodad")
    ear = Ear(machine)
    other, third = network.plug("bob"), network.plug("eve")
    sources = {4: ("10.99.0.1", "10.99.0.2"), 6: (link_local(machine), link_local(other))}
    link_local(third)
    asker = Asker(third, "10.99.0.3")
    try:
        alice = people.start(machine, ALICE, f"2={BOB}")
        people.start(other, BOB, f"1={ALICE}")
        end = time.monotonic() + 60
        while min(len(announcements(ear, source)) for both in sources.values() for source in both) < 3:
            assert time.monotonic() < end, alice.lines
            asker.ask(SERVICE_TYPE, _TYPE_PTR)
            time.sleep(0.5)
    finally:
        ear.stop()
        asker.close()
    of_alice = {version: announcements(ear, both[0]) for version, both in sources.items()}
    for one, after in combinations([said for those in of_alice.values() for said in those], 2):
        assert one.instance != after.instance
        assert one.port != after.port
        assert one.announcement.nonce != after.announcement.nonce
        assert not set(one.announcement.tags) & set(after.announcement.tags)
        assert one.fields() & after.fields() <= EVERYBODYS
    name = socket.gethostname().partition(".")[0].encode()
    own = {source for both in sources.values() for source in both}
    seen: dict[int, set[object]] = {4: set(), 6: set()}
    for source, message in ear.heard:
        assert bytes((len(name),)) + name not in message  # as a label: a short name may be in random bytes
        assert len(message) <= 1_300
        assert source.startswith(("10.99.0.", "fe80:")), "an address that outlives the visit"
        if source in own:
            version = 6 if ":" in source else 4
            seen[version].add(form(message))
            assert form(message) in forms(_TYPE_AAAA if version == 6 else _TYPE_A)
            assert sum(said.instance.encode() in message for said in of_alice[4] + of_alice[6]) <= 1
    for version, those in seen.items():
        kinds = {shape[0] for shape in those if isinstance(shape, tuple)}  # all three, so that nothing went unseen
        assert kinds == {(0, RESPONSE, 0, 5, 0, 0), (0, RESPONSE, 0, 1, 0, 4), (0, QUERY, 1, 0, 0, 0)}, version
    for said in [said for both in sources.values() for source in both for said in announcements(ear, source)]:
        assert said.server == f"{said.instance}.local."
        assert len(said.addresses) == 1
        assert b"\xfd" + bytes(14) + b"\1" not in said.message, "an address that outlives the visit"
    for version, hers in of_alice.items():
        _nobody_says_goodbye(ear, sources[version][0], hers)


def test_nobody_answers_for_a_name_that_was(network: Wire, people: People) -> None:
    """Who heard a name earlier cannot find out whose it was by asking for it."""
    machine, third = network.plug("alice"), network.plug("eve")
    ear = Ear(machine)
    link_local(third)
    asker = Asker(third, "10.99.0.2")
    try:
        people.start(machine, ALICE, f"2={BOB}")
        end = time.monotonic() + 40
        while len(announcements(ear, "10.99.0.1")) < 3:
            assert time.monotonic() < end
            time.sleep(0.1)
        first, *_, last = announcements(ear, "10.99.0.1")
        before = len(ear.heard)
        for said in (first, last):
            for kind in (_TYPE_SRV, _TYPE_TXT):
                asker.ask(f"{said.instance}.{SERVICE_TYPE}", kind)
            asker.ask(said.server, _TYPE_A)
        time.sleep(1.5)
    finally:
        ear.stop()
        asker.close()
    own = ("10.99.0.1", link_local(machine))
    replies = [message for source, message in ear.heard[before:] if source in own]
    assert any(last.instance.encode() in message for message in replies), "it answers for its present name"
    assert not any(first.instance.encode() in message for message in replies)


def _nobody_says_goodbye(ear: Ear, source: str, hers: list[Said]) -> None:
    """And one is silent before the next begins."""
    said_at: dict[str, list[int]] = {said.instance: [] for said in hers}
    for number, (address, message) in enumerate(ear.heard):
        parsed = DNSIncoming(message)
        if address == source and parsed.is_response():
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
