"""The data key comes out of its slots for whoever holds a secret, and for nobody else."""

import json
from pathlib import Path
from typing import Any

import pytest

from node.store import keys
from node.store.keys import (
    MEBIBYTE,
    SMALL,
    Cost,
    WrongSecretError,
    credential_slot,
    derive_keys,
    key_ring_slot,
    new_data_key,
    open_with_credential,
    open_with_key_ring,
    open_with_passphrase,
    passphrase_slot,
    read_slots,
    write_slots,
)
from protocol.errors import CallerError

CREDENTIAL = bytes(range(32))


def test_each_slot_gives_back_the_same_data_key(tmp_path: Path) -> None:
    data_key, path = new_data_key(), tmp_path / "keys.json"
    ring = key_ring_slot(data_key, "0" * 32, CREDENTIAL)
    write_slots(path, [passphrase_slot(data_key, "correct horse", SMALL), credential_slot(data_key, CREDENTIAL), ring])
    slots = read_slots(path)
    assert open_with_passphrase(slots, "correct horse") == data_key
    assert open_with_credential(slots, CREDENTIAL) == data_key
    assert open_with_key_ring(ring, CREDENTIAL) == data_key


def test_the_key_file_is_private_and_shows_no_key(tmp_path: Path) -> None:
    data_key, path = new_data_key(), tmp_path / "keys.json"
    write_slots(path, [credential_slot(data_key, CREDENTIAL)])
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["keys.json"]
    derived = derive_keys(data_key)
    for secret in (data_key, CREDENTIAL, derived.mailbox, derived.relay_database, derived.relay_seed):
        assert secret not in path.read_bytes()
        assert secret.hex().encode() not in path.read_bytes()
        assert repr(secret) not in repr(derived)


def test_derived_keys_differ_from_each_other_and_never_change() -> None:
    derived = derive_keys(keys.DataKey(bytes(32)))
    assert len({derived.mailbox, derived.relay_database, derived.relay_seed, bytes(32)}) == 4
    assert derived.mailbox.hex() == "be7c2f0c282209b9d96d09e6df7bce60b84a28d81a02d9401c8f118c74bb2bfb"


def test_a_wrong_secret_says_so_and_changes_nothing(tmp_path: Path) -> None:
    data_key, path = new_data_key(), tmp_path / "keys.json"
    write_slots(path, [passphrase_slot(data_key, "right", SMALL), credential_slot(data_key, CREDENTIAL)])
    before = path.read_bytes()
    with pytest.raises(WrongSecretError, match="passphrase is wrong"):
        open_with_passphrase(read_slots(path), "Right")
    with pytest.raises(WrongSecretError, match="does not open"):
        open_with_credential(read_slots(path), CREDENTIAL[::-1])
    assert path.read_bytes() == before


def test_a_passphrase_is_the_same_however_it_was_typed() -> None:
    data_key = new_data_key()
    slot = passphrase_slot(data_key, "caf\u00e9", SMALL)
    assert open_with_passphrase([slot], "cafe\u0301") == data_key


def test_a_short_credential_is_refused() -> None:
    with pytest.raises(CallerError, match="32 to 4096 random bytes; this one has 31"):
        credential_slot(new_data_key(), bytes(31))


def slot_file(path: Path, **changes: Any) -> None:
    """A passphrase slot of which some fields were altered."""
    write_slots(path, [passphrase_slot(new_data_key(), "right", SMALL)])
    value = json.loads(path.read_bytes())
    value["slots"][0].update(changes)
    path.write_text(json.dumps(value))


@pytest.mark.parametrize(
    "changes",
    [
        {"memory_bytes": 64 * MEBIBYTE - 1},
        {"memory_bytes": 1_024 * MEBIBYTE + 1},
        {"memory_bytes": 8_192},
        {"passes": 11},
        {"passes": 0},
        {"salt": "AA=="},
        {"kind": "plain"},
        {"lanes": 4},
    ],
)
def test_what_asks_for_too_little_or_too_much_work_is_refused_unread(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = tmp_path / "keys.json"
    slot_file(path, **changes)
    with pytest.raises(CallerError, match=r"keys\.json is damaged, altered"):
        read_slots(path)


def test_a_cost_that_was_altered_within_the_bounds_opens_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    slot_file(path, passes=3)
    with pytest.raises(WrongSecretError):
        open_with_passphrase(read_slots(path), "right")


@pytest.mark.parametrize("contents", [b"", b"{", b"\xff", b'{"version":2,"slots":[]}', b"[" * 60_000, b"x" * 70_000])
def test_a_damaged_key_file_is_an_error_that_names_it(tmp_path: Path, contents: bytes) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(contents)
    with pytest.raises(CallerError, match=r"keys\.json"):
        read_slots(path)


def test_the_default_cost_is_the_large_one_where_memory_allows() -> None:
    assert keys.affordable_cost() in {Cost(256 * MEBIBYTE, 3), Cost(64 * MEBIBYTE, 4)}
    slot = passphrase_slot(new_data_key(), "right")
    assert Cost(slot.memory_bytes, slot.passes) == keys.affordable_cost()
