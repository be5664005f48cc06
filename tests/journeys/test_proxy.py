"""People by a real SOCKS5 proxy, each contact apart: what the proxy is asked, and what relays see (Spec 7 §7, §8)."""

import os
import signal
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from msgspec.structs import replace

from node.cli.stage import opened
from tests.journeys.journey import SCALED, Journey, free_port
from tests.journeys.wiretap import Wiretap
from tests.node.socks_server import SocksServer

pytestmark = pytest.mark.journey

ADDRESSES = {"alice": "127.0.0.11", "bob": "127.0.0.12", "carol": "127.0.0.13"}
PROXY_ADDRESS = "127.0.0.21"
NAMES = {"relay-1": "relay-1.invalid", "relay-2": f"{'kassiber' * 7}.onion"}
"""Names that have no address anywhere (RFC 6761, RFC 7686): whoever looks them up finds nothing."""
TIMING = replace(SCALED, isolation_spread_seconds=0.5)


class Hidden:
    """Alice has Bob and Carol as contacts; all three by one proxy, each contact apart."""

    def __init__(self, journey: Journey, taps: dict[str, Wiretap], proxy: SocksServer) -> None:
        self.journey = journey
        self.taps = taps
        self.proxy = proxy

    def set_up(self) -> None:
        journey = self.journey
        for relay, tap in self.taps.items():
            place = ("--listen", f"127.0.0.2:{tap.port}", "--public", f"{NAMES[relay]}:{tap.port}")
            journey.start_relay(relay, *place)
        for name, address in ADDRESSES.items():
            journey.launch(name, "--source", address)
            journey.make_person(name)
            self.start(name)
        journey.befriend("alice", "bob")
        journey.befriend("carol", "alice")

    def start(self, name: str) -> None:
        self.journey.start_node(name, "--proxy", self.proxy.place, "--isolation", "contact")

    def credentials(self, name: str) -> dict[tuple[bytes, bytes], set[str]]:
        """With which somebody came to the proxy so far, and for whom."""
        found: dict[tuple[bytes, bytes], set[str]] = {}
        for asked in self.proxy.asked:
            if asked.client == ADDRESSES[name]:
                found.setdefault((asked.username, asked.password), set()).add(asked.name)
        return found

    def dialled(self, name: str) -> set[tuple[str, int]]:
        """Whom this one's process has TCP connections with, or tries to have; both address families."""
        process = Path(f"/proc/{self.journey.pid(name)}")
        own = {target for one in (process / "fd").iterdir() if (target := _target(one)).startswith("socket:")}
        found: set[tuple[str, int]] = set()
        for table in ("tcp", "tcp6"):
            for line in (process / "net" / table).read_text("ascii").splitlines()[1:]:
                columns = line.split()
                if f"socket:[{columns[9]}]" in own:
                    there, port = columns[2].split(":")
                    found.add((_address(there) if table == "tcp" else there, int(port, 16)))
        return found


def _target(link: Path) -> str:
    """Nothing where it has been closed meanwhile."""
    try:
        return os.readlink(link)
    except FileNotFoundError:
        return ""


def _address(digits: str) -> str:
    return str(IPv4Address(bytes.fromhex(digits)[::-1]))


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hidden]:
    taps = {relay: Wiretap("127.0.0.1", "127.0.0.2") for relay in NAMES}
    proxy = SocksServer(dict.fromkeys(NAMES.values(), "127.0.0.1"), source=PROXY_ADDRESS)
    with opened(Journey(tmp_path_factory.mktemp("hidden"), TIMING)) as journey:
        hidden = Hidden(journey, taps, proxy)
        hidden.set_up()
        journey.talk(("alice", "by way of the proxy"), ("bob", "so is this"), ("carol", "and mine"))
        yield hidden
    for one in taps.values():
        one.close()
    proxy.stop()


def test_the_proxy_is_given_names_and_nobody_goes_past_it(hidden: Hidden) -> None:
    assert {(asked.kind, asked.name) for asked in hidden.proxy.asked} == {(3, name) for name in NAMES.values()}
    assert {asked.client for asked in hidden.proxy.asked} == set(ADDRESSES.values())
    for relay in NAMES:
        assert {tapped.seen_by_relay for tapped in hidden.taps[relay].connections} == {PROXY_ADDRESS}
    for name in ADDRESSES:
        assert hidden.dialled(name) == {("127.0.0.1", hidden.proxy.port)}


def test_each_contact_and_relay_has_credentials_of_its_own(hidden: Hidden) -> None:
    of = {name: hidden.credentials(name) for name in ADDRESSES}
    assert all(len(reached) == 1 for found in of.values() for reached in found.values())
    assert len(of["alice"]) >= 2 * len(NAMES) + 1  # two contacts, and the invitation or what was accepted
    assert len(of["bob"]) >= len(NAMES) + 1
    assert len({pair for found in of.values() for pair in found}) == sum(map(len, of.values()))
    assert all(methods == b"\x02" for methods in hidden.proxy.offered)


def test_a_proxy_that_dies_and_comes_back_costs_time_and_nothing_else(hidden: Hidden) -> None:
    journey = hidden.journey
    before = {relay: len(tap.connections) for relay, tap in hidden.taps.items()}
    hidden.proxy.stop()
    journey.say("alice", "while there is no proxy")
    journey.say("bob", "nor for me")
    journey.until(lambda: "cannot be reached" in str(journey.ask("alice", "GET", "/v1/status")), "nobody was told why")
    time.sleep(2.0)  # as long as anything takes to be tried again
    assert journey.is_state("alice", "while there is no proxy", "queued")
    assert {relay: len(tap.connections) for relay, tap in hidden.taps.items()} == before
    for name in ADDRESSES:
        assert hidden.dialled(name) <= {("127.0.0.1", hidden.proxy.port)}
    told = journey.kassiber("alice", "doctor")
    assert f"the proxy {hidden.proxy.place} cannot be reached".encode() in told.stdout
    hidden.proxy.start()
    journey.arrives("alice", "while there is no proxy")
    journey.arrives("bob", "nor for me")
    shown = {name: [(row["message_id"], row["text"]) for row in journey.inbox(name)] for name in ADDRESSES}
    with_bob = [row for row in shown["alice"] if row[1] != "and mine"]
    assert sorted(with_bob) == sorted(shown["bob"])
    assert len(set(with_bob)) == 4
    assert [text for _, text in shown["carol"]] == ["and mine"]


def test_who_starts_anew_comes_with_other_credentials(hidden: Hidden) -> None:
    journey = hidden.journey
    before = set(hidden.credentials("alice"))
    journey.stop("alice", signal.SIGKILL)
    hidden.proxy.asked.clear()
    hidden.start("alice")
    journey.talk(("alice", "as somebody else"))
    assert hidden.credentials("alice")
    assert not before & set(hidden.credentials("alice"))


def test_an_entry_relay_reaches_an_onion_address_by_a_proxy_of_its_own(journey: Journey) -> None:
    onion, port = NAMES["relay-2"], free_port("127.0.0.1")
    proxy = SocksServer({onion: "127.0.0.1"})
    for relay in ("relay-1", "relay-2"):
        journey.start_relay(relay, "--forward", "public", "--proxy", proxy.place)
    journey.start_relay("relay-3", "--listen", f"127.0.0.1:{port}", "--public", f"{onion}:{port}")
    journey.make_person("alice", journey.addresses["relay-1"], journey.addresses["relay-2"])
    journey.start_node("alice", "--forward")
    journey.launch("bob", "--source", ADDRESSES["bob"])
    journey.make_person("bob", journey.addresses["relay-3"])
    journey.start_node("bob", "--proxy", proxy.place)
    journey.befriend("bob", "alice")
    journey.talk(("alice", "to an onion address"), ("bob", "from there"))
    assert {asked.name for asked in proxy.asked if asked.client == "127.0.0.1"} == {onion}
    proxy.stop()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--discovery",), b"discovery and a proxy do not go together"),
        (("--listen", "127.0.0.1:7777"), b"--public"),
    ],
)
def test_what_would_show_this_machine_past_a_proxy_does_not_start(
    journey: Journey, words: tuple[str, ...], told: bytes
) -> None:
    journey.make_person("alice")
    refused = journey.kassiber("alice", "up", "--proxy", "socks5://127.0.0.1:1", *words)
    assert refused.returncode != 0
    assert told in refused.stderr
