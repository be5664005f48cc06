"""A relay's disk, memory and log after a conversation: envelopes of one size, and nothing of what was said by whom."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from node.cli.stage import NAMES, opened
from protocol.limits import ENVELOPE_BYTES, FRAME_SLOTS, SEALED_INVITATION_BYTES, SLOT_BYTES
from protocol.session.invitation import parse_link
from protocol.wire.addresses import parse_address
from tests.journeys.journey import Journey, snapshot
from tests.journeys.mailbox import Mailbox
from tests.journeys.search import forms_of_key, forms_of_text, found, memory_of
from tests.journeys.wiretap import BINARY, CLOSE, Wiretap

pytestmark = pytest.mark.journey

RELAYS = ("relay-1", "relay-2")
ADDRESSES = {"alice": "127.0.0.11", "bob": "127.0.0.12"}
SIZES = {slots * SLOT_BYTES for slots in FRAME_SLOTS}
SAID = [
    ("alice", "The grey umbrella stands behind the third door"),
    ("bob", "Ümlaute, \u2602 und ein Schirm \U0001f302 am Anhalter Bahnhof"),
    ("alice", "A long story, told in many envelopes. " * 600),
    ("bob", "short answer"),
]
HELD = [("alice", "Wait for me at the bridge, not at the station"), ("alice", "burn the list of courtesans")]


class Overheard:
    """A conversation through two relays that are listened to, some of it still held by them."""

    def __init__(self, journey: Journey, taps: dict[str, Wiretap]) -> None:
        self.journey = journey
        self.taps = taps
        self.links: list[str] = []

    def talk(self) -> None:
        """Bob is away at the end; an invitation is open."""
        journey = self.journey
        for relay, tap in self.taps.items():
            journey.start_relay(relay, "--listen", f"127.0.0.2:{tap.port}", "--public", f"127.0.0.1:{tap.port}")
        for name, address in ADDRESSES.items():
            journey.launch(name, "--source", address)
            journey.make_person(name)
            journey.start_node(name)
        self.links.append(journey.invite("alice"))
        journey.accept("bob", self.links[0], "alice")
        journey.talk(*SAID)
        journey.stop_politely("bob")
        for name, text in HELD:
            journey.say(name, text)
            journey.arrives(name, text, "relayed")
        self.links.append(journey.invite("alice"))

    def secrets(self, relay: str) -> dict[str, set[bytes]]:
        """All that this relay must not know, in every form; addresses aside."""
        secrets = {f"text {text[:20]!r}": forms_of_text(text) for _, text in [*SAID, *HELD] if len(text) < 200}
        secrets["the long text"] = forms_of_text(SAID[2][1][:38])
        secrets |= {f"name {NAMES[name]}": forms_of_text(NAMES[name]) for name in ADDRESSES}
        number = self.journey.contacts("alice")[0]["safety_number"]
        secrets["the safety number"] = forms_of_text(number) | forms_of_text(number.replace(" ", ""))
        for link in self.links:
            secrets[f"the secret of {link[:30]}"] = forms_of_key(parse_link(link).secret)
        for other in {*RELAYS} - {relay}:
            host, _ = parse_address(self.journey.addresses[other])
            secrets["where the other relay is"] = {host.authority.encode()}
        for name in ADDRESSES:
            secrets |= self._keys(name, relay)
        return secrets

    def _keys(self, name: str, relay: str) -> dict[str, set[bytes]]:
        mailbox = Mailbox(self.journey.place / name)
        (profile,) = mailbox.rows("SELECT identity, signing, dh FROM profile")
        identity, signing, dh = profile
        keys = {"Ed25519 identity": identity[:32], "X25519 identity": identity[32:]}
        keys |= {"signing seed": signing[:32], "identity's private X25519": dh}
        _, own_key = parse_address(self.journey.addresses[relay])
        for table in ("queues", "routes"):
            for number, host_key, key, claim_seed, send_id in mailbox.rows(
                f"SELECT id, relay, key, claim_seed, send_id FROM {table}"
            ):
                keys |= {f"{table} {number} private key": key[:32], f"{table} {number} claim seed": claim_seed}
                if host_key != own_key:
                    keys |= {f"{table} {number} id elsewhere": send_id, f"{table} {number} key elsewhere": key[32:]}
        return {f"{name}'s {what}": forms_of_key(key) for what, key in keys.items()}

    def known(self, relay: str) -> dict[str, set[bytes]]:
        """What a relay does know: found wherever the search works."""
        _, own_key = parse_address(self.journey.addresses[relay])
        rows = Mailbox(self.journey.place / "alice").rows("SELECT relay, send_id FROM queues")
        return {f"send id {send_id.hex()}": {send_id} for key, send_id in rows if key == own_key}


@pytest.fixture(scope="module")
def overheard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Overheard]:
    """The conversation, held once; the tests only look."""
    taps = {relay: Wiretap("127.0.0.1", "127.0.0.2") for relay in RELAYS}
    with opened(Journey(tmp_path_factory.mktemp("overheard"))) as journey:
        overheard = Overheard(journey, taps)
        overheard.talk()
        yield overheard
    for tap in taps.values():
        tap.close()


def disk_and_log(journey: Journey, relay: str) -> dict[str, bytes]:
    """Every file of a relay, and what it printed."""
    files = {f"{relay}/{name}": content for name, content in snapshot(journey.place / relay).items()}
    return files | {f"{relay}'s log": journey.log(relay).read_bytes()}


@pytest.mark.parametrize("relay", RELAYS)
def test_disk_and_log_hold_no_text_key_name_or_number(overheard: Overheard, relay: str) -> None:
    assert found(overheard.secrets(relay), disk_and_log(overheard.journey, relay)) == []


@pytest.mark.parametrize("relay", RELAYS)
def test_memory_holds_no_text_key_name_or_number(overheard: Overheard, relay: str) -> None:
    memory = memory_of(overheard.journey.pid(relay))
    assert len(memory) > 2**20
    assert found(overheard.secrets(relay), {f"memory of {relay}": memory}) == []


@pytest.mark.parametrize("relay", RELAYS)
def test_the_search_finds_what_is_there(overheard: Overheard, relay: str) -> None:
    """Queue ids on disk and in memory; and all the rest in the memory and the open mailbox of the person's own node."""
    known, journey = overheard.known(relay), overheard.journey
    assert known
    disk = b"".join(disk_and_log(journey, relay).values())
    assert len(found(known, {"disk": disk})) == len(known)
    assert found(known, {"memory": memory_of(journey.pid(relay))})
    own = found(overheard.secrets(relay), {"Alice's memory": memory_of(journey.pid("alice"))})
    for what in ("text 'Wait for me", "text 'burn the list", "name Bob Buchfink", "alice's X25519 identity"):
        assert any(hit.startswith(what) for hit in own), (what, own)
    kept = b"\0".join(
        value if isinstance(value, bytes) else str(value).encode()
        for _, value in Mailbox(journey.place / "alice").values()
    )
    secrets = {what: forms for what, forms in overheard.secrets(relay).items() if not what.startswith("bob")}
    missing = secrets.keys() - {hit.removesuffix(" in mailbox") for hit in found(secrets, {"mailbox": kept})}
    assert {what for what in missing if not what.startswith(("the safety number", "the secret of"))} == set()


def test_no_client_address_is_on_disk_or_in_a_log(overheard: Overheard) -> None:
    addresses = {address: {address.encode()} for address in ADDRESSES.values()}
    for relay, tap in overheard.taps.items():
        assert {tapped.seen_by_relay for tapped in tap.connections} == set(ADDRESSES.values()), "the relay sees both"
        assert found(addresses, disk_and_log(overheard.journey, relay)) == []


def test_all_stored_envelopes_have_one_size(overheard: Overheard) -> None:
    envelopes, sealed = [], []
    for relay in RELAYS:
        path = overheard.journey.place / relay / "relay.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            envelopes += database.execute("SELECT length(body) FROM entries WHERE counted").fetchall()
            sealed += database.execute("SELECT length(sealed) FROM links").fetchall()
    assert len(envelopes) >= len(HELD)
    assert {size for (size,) in envelopes} == {ENVELOPE_BYTES}
    assert {size for (size,) in sealed} == {SEALED_INVITATION_BYTES}


def test_every_frame_on_the_wire_has_one_of_four_sizes(overheard: Overheard) -> None:
    """From the first handshake message on, in both directions; text or its length shows in none."""
    seen = set()
    for tap in overheard.taps.values():
        for tapped in tap.connections:
            for side, frames in tapped.frames().items():
                messages = [frame for frame in frames if frame.opcode != CLOSE]
                assert messages, f"the {side} said nothing"
                assert all(frame.opcode == BINARY and frame.final and not frame.reserved for frame in messages)
                assert len(messages[0].payload) == SLOT_BYTES, "a handshake message is one slot"
                seen |= {len(frame.payload) for frame in messages}
                assert frames[: len(messages)] == messages, "nothing follows a close"
                assert all(len(frame.payload) <= 2 for frame in frames[len(messages) :])
    assert seen <= SIZES
    assert len(seen) > 1, "a long text fills more than one slot"


def test_what_is_said_is_not_on_the_wire(overheard: Overheard) -> None:
    """Relays, and whoever reads their sockets: no text, key, name, nor queue id."""
    for relay, tap in overheard.taps.items():
        frames = [frame for tapped in tap.connections for side in tapped.frames().values() for frame in side]
        wire = b"\0".join(frame.payload for frame in frames)
        assert found(overheard.secrets(relay) | overheard.known(relay), {f"the wire to {relay}": wire}) == []
