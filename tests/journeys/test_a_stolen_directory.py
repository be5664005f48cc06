"""A node's directory without the passphrase: nothing of what was said, with whom, where, or under which keys."""

import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from node.cli.stage import NAMES, opened
from node.profile import Profile
from node.store.keys import derive_keys
from node.unlock import unlock
from protocol.crypto.suite import RealSuite
from protocol.keys import RelayKey
from protocol.wire.addresses import format_key, parse_address
from tests.journeys.journey import Journey, free_port, snapshot
from tests.journeys.mailbox import Mailbox, keys_of, values
from tests.journeys.search import forms_of_key, forms_of_text, found

pytestmark = pytest.mark.journey

PLACES = {name: f"{host}:{free_port(host)}" for name, host in (("alice", "127.0.0.41"), ("bob", "127.0.0.42"))}
SAID = [
    ("alice", "The grey umbrella stands behind the third door"),
    ("bob", "Ümlaute, \u2602 und ein Schirm \U0001f302 am Anhalter Bahnhof"),
    ("alice", "A long story, told in many envelopes. " * 600),
]
WHEN = ["while it runs", "after a kill", "after a stop"]


class Theft:
    """Copies of Alice's directory, taken three times, and what must not be found in them."""

    def __init__(self, journey: Journey) -> None:
        self.journey = journey
        self.stolen: dict[str, Path] = {}

    def converse(self) -> None:
        """Through relays and directly; some of it waits in the relay inside Alice's node."""
        journey = self.journey
        for relay in ("relay-1", "relay-2"):
            journey.start_relay(relay)
        for name, place in PLACES.items():
            journey.make_person(name)
            journey.start_node(name, "--listen", place)
        journey.befriend("alice", "bob")
        journey.talk(*SAID)
        journey.invite("alice")
        self._steal("while it runs")
        journey.stop("alice", signal.SIGKILL)
        self._steal("after a kill")
        journey.start_node("alice", "--listen", PLACES["alice"])
        journey.arrives("alice", SAID[0][1])
        journey.stop_politely("alice")
        self._steal("after a stop")

    def _steal(self, when: str) -> None:
        self.stolen[when] = self.journey.place / "stolen" / when
        shutil.copytree(self.journey.place / "alice", self.stolen[when])

    def secrets(self) -> dict[str, set[bytes]]:
        """In every form."""
        secrets = {f"text {text[:20]!r}": forms_of_text(text[:80]) for _, text in SAID}
        secrets |= {f"name {name}": forms_of_text(NAMES[name]) for name in PLACES}
        for name, address in self.journey.addresses.items():
            host, key = parse_address(address)
            secrets |= {f"where {name} is": {host.authority.encode()}, f"{name}'s key": forms_of_key(key)}
        mailbox = Mailbox(self.journey.place / "alice")
        ((identity, signing, dh),) = mailbox.rows("SELECT identity, signing, dh FROM profile")
        ((theirs,),) = mailbox.rows("SELECT identity FROM contacts")
        keys = {"own Ed25519": identity[:32], "own X25519": identity[32:], "signing seed": signing[:32], "dh": dh}
        keys |= {"their Ed25519": theirs[:32], "their X25519": theirs[32:]}
        for table in ("queues", "routes"):
            for number, send_id, key, seed in mailbox.rows(f"SELECT id, send_id, key, claim_seed FROM {table}"):
                keys |= {f"{table} {number} send id": send_id, f"{table} {number} key": key[:32]}
                keys |= {f"{table} {number} claim seed": seed}
        secrets |= {what: forms_of_key(key) for what, key in keys.items()}
        hosts = mailbox.rows("SELECT host FROM queues UNION SELECT host FROM routes")
        return secrets | {f"host {host}": {host.encode(), host.partition("//")[2].encode()} for (host,) in hosts}

    def keys_at_rest(self) -> dict[str, set[bytes]]:
        """What unlocks the files, and the embedded relay."""
        alice = self.journey.place / "alice"
        credential = alice.with_name("alice.credential")
        data_key, derived = unlock(Profile(alice), credential, None), keys_of(alice)
        public = RelayKey(RealSuite().signing_key(derived.relay_seed)[32:])
        keys = {"credential": credential.read_bytes(), "data key": data_key, "mailbox key": derived.mailbox}
        keys |= {"relay database's key": derived.relay_database, "relay seed": derived.relay_seed, "relay key": public}
        assert derived == derive_keys(data_key)
        return {what: forms_of_key(key) for what, key in keys.items()} | {
            "the direct address": {format_key(public).encode(), *[place.encode() for place in PLACES.values()]}
        }


@pytest.fixture(scope="module")
def theft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theft]:
    """One conversation, three thefts; the tests only look."""
    with opened(Journey(tmp_path_factory.mktemp("theft"))) as journey:
        theft = Theft(journey)
        theft.converse()
        yield theft


@pytest.mark.parametrize("when", WHEN)
def test_no_file_holds_text_name_key_id_or_host(theft: Theft, when: str) -> None:
    files = snapshot(theft.stolen[when])
    assert {"keys.json", "mailbox.db", "relay.db"} <= files.keys()
    names = "\n".join(files).encode()
    assert found(theft.secrets() | theft.keys_at_rest(), {**files, "the files' names": names}) == []


def test_the_search_finds_all_of_it_in_the_open_databases(theft: Theft) -> None:
    alice = theft.journey.place / "alice"
    keys = keys_of(alice)
    kept = [*values(alice / "mailbox.db", keys.mailbox), *values(alice / "relay.db", keys.relay_database)]
    content = b"\0".join(value if isinstance(value, bytes) else str(value).encode() for _, value in kept)
    secrets = theft.secrets()
    assert secrets.keys() - {hit.removesuffix(" in them") for hit in found(secrets, {"them": content})} == set()


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("name", ["mailbox.db", "relay.db"])
def test_without_the_key_no_database_opens(theft: Theft, when: str, name: str) -> None:
    path = theft.stolen[when] / name
    assert b"SQLite format" not in path.read_bytes()
    with closing(sqlite3.connect(path)) as database, pytest.raises(sqlite3.DatabaseError, match="not a database"):
        database.execute("SELECT count(*) FROM sqlite_master")
    with pytest.raises(Exception, match="not a database"):
        list(values(path, bytes(32)))


def test_another_credential_opens_nothing_and_changes_nothing(theft: Theft, tmp_path: Path) -> None:
    stolen = tmp_path / "alice"
    shutil.copytree(theft.stolen["after a stop"], stolen)
    before = snapshot(stolen)
    guessed = tmp_path / "guessed"
    guessed.write_bytes(bytes(32))
    words = ["--profile", str(stolen), "--credential-file", str(guessed)]
    ended = theft.journey.run("inbox", *words)
    assert ended.returncode == 77, ended
    assert b"does not open this profile" in ended.stderr
    assert snapshot(stolen) == before
