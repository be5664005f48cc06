"""Making a profile, and what unlocks it: at a terminal and without one."""

import json
from pathlib import Path

import pytest

from tests.node.cli.program import kassiber
from tests.node.cli.typing_person import type_into

ADDRESS = "kassiber://127.0.0.1:9/r#" + "A" * 43
SECRET = "correct horse battery"


def snapshot(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in (directory / "profile").rglob("*")}


def kinds(directory: Path) -> list[str]:
    return [slot["kind"] for slot in json.loads((directory / "profile" / "keys.json").read_bytes())["slots"]]


def test_init_with_a_credential_file_asks_nothing_and_makes_it_if_missing(tmp_path: Path) -> None:
    made = kassiber(tmp_path, "init", "--name", "Zoe\u0308", "--credential-file", "key", "--relay", ADDRESS)
    assert made.returncode == 0, made.stderr
    assert len((tmp_path / "key").read_bytes()) == 32
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    relays = kassiber(tmp_path, "relays", "--json", "--credential-file", "key")
    assert json.loads(relays.stdout)["address"] == ADDRESS


def test_a_second_init_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    assert kassiber(tmp_path, "init", "--name", "Alice", "--credential-file", "key").returncode == 0
    before = snapshot(tmp_path)
    again = kassiber(tmp_path, "init", "--name", "Alice", "--credential-file", "other")
    assert again.returncode == 73
    assert b"already" in again.stderr
    assert snapshot(tmp_path) == before
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--relay", "kassiber://127.0.0.1:9/r#AAAA"], 65, b"43 characters"),
        (["--relay", "relay.example"], 65, b"should look like kassiber://host:port/r#key"),
        (["--name", "x" * 65], 65, b"1 to 64 bytes; this has 65"),
        (["--name", ""], 65, b"this has 0"),
        ([], 64, b"--name NAME"),
        (["--name", b"\xff"], 65, b"not UTF-8"),
        (["--credential-file", "short"], 65, b"32 to 4096 random bytes"),
        (["--key-ring"], 69, b"no usable key ring"),
    ],
)
def test_a_failed_init_leaves_nothing_in_the_way_of_the_next(
    tmp_path: Path, arguments: list[str | bytes], code: int, says: bytes
) -> None:
    (tmp_path / "short").write_bytes(bytes(31))
    credential = [] if "--credential-file" in arguments else ["--credential-file", "key"]
    name = [] if "--name" in arguments or not arguments else ["--name", "Alice"]
    failed = kassiber(tmp_path, "init", *arguments, *credential, *name)
    assert failed.returncode == code
    assert says in failed.stderr
    assert kassiber(tmp_path, "init", "--name", "Alice", "--credential-file", "key").returncode == 0


def test_init_without_a_terminal_or_credential_says_what_is_needed(tmp_path: Path) -> None:
    failed = kassiber(tmp_path, "init", "--name", "Alice")
    assert failed.returncode == 77
    assert b"--credential-file FILE" in failed.stderr


def test_a_service_credential_unlocks(tmp_path: Path) -> None:
    (tmp_path / "kassiber").write_bytes(bytes(range(64)))
    service = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert kassiber(tmp_path, "init", "--name", "Alice", more=service).returncode == 0
    assert kinds(tmp_path) == ["credential"]
    assert kassiber(tmp_path, "contacts", more=service).returncode == 0
    assert kassiber(tmp_path, "contacts").returncode == 77


def test_a_key_ring_unlocks_besides(tmp_path: Path) -> None:
    ring = {
        "PYTHON_KEYRING_BACKEND": "tests.node.file_key_ring.FileKeyRing",
        "TEST_KEY_RING": str(tmp_path / "ring.json"),
    }
    made = kassiber(tmp_path, "init", "--name", "Alice", "--credential-file", "key", "--key-ring", more=ring)
    assert made.returncode == 0, made.stderr
    assert kinds(tmp_path) == ["credential", "key-ring"]
    assert kassiber(tmp_path, "contacts", more=ring).returncode == 0
    assert kassiber(tmp_path, "passphrase", "--no-key-ring", more=ring).returncode == 0
    assert kassiber(tmp_path, "contacts", more=ring).returncode == 77


def test_a_passphrase_is_asked_for_twice_then_once_and_can_be_changed(tmp_path: Path) -> None:
    code, shown = type_into(tmp_path, ["init"], "Alice", SECRET, SECRET)
    assert code == 0, shown
    assert SECRET not in shown
    before = snapshot(tmp_path)
    code, shown = type_into(tmp_path, ["contacts"], "wrong", "wrong", "wrong")
    assert code == 77
    assert "The passphrase is wrong. Nothing was changed." in shown
    assert {**snapshot(tmp_path), str(tmp_path / "profile" / "lock"): b""} == {
        **before,
        str(tmp_path / "profile" / "lock"): b"",
    }
    code, shown = type_into(tmp_path, ["passphrase"], SECRET, "another one", "another one")
    assert code == 0, shown
    assert type_into(tmp_path, ["contacts"], "another one")[0] == 0
    assert type_into(tmp_path, ["contacts"], SECRET, SECRET, SECRET)[0] == 77


def test_two_passphrases_that_differ_make_no_profile(tmp_path: Path) -> None:
    code, shown = type_into(tmp_path, ["init", "--name", "Alice"], SECRET, "other")
    assert code == 65
    assert "differ" in shown
    assert not (tmp_path / "profile" / "keys.json").exists()


def test_files_of_a_locked_profile_tell_nothing(tmp_path: Path) -> None:
    made = kassiber(tmp_path, "init", "--name", "Aurelia", "--credential-file", "key", "--relay", ADDRESS)
    assert made.returncode == 0
    for path, contents in snapshot_files(tmp_path / "profile").items():
        for secret in (b"Aurelia", b"127.0.0.1:9", b"A" * 43, (tmp_path / "key").read_bytes()):
            assert secret not in contents, path


def snapshot_files(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
