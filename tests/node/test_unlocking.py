"""Unlocking goes through its sources in one order, and never past one that is wrong."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from node.profile import Profile, create_profile
from node.store.key_ring import store_secret
from node.store.keys import (
    SMALL,
    DataKey,
    LockedError,
    WrongSecretError,
    credential_slot,
    key_ring_slot,
    new_data_key,
    passphrase_slot,
    write_slots,
)
from node.unlock import ATTEMPTS, unlock
from tests.node.file_key_ring import FileKeyRing

keyring = pytest.importorskip("keyring")
CREDENTIAL, OTHER = bytes(range(32)), bytes(32)


@pytest.fixture
def key_ring(tmp_path: Path) -> Iterator[None]:
    """A key ring that keeps its entries in a file: this machine has none."""
    before = keyring.get_keyring()
    keyring.set_keyring(FileKeyRing(tmp_path / "ring.json"))
    yield
    keyring.set_keyring(before)


@pytest.fixture
def no_key_ring() -> Iterator[None]:
    from keyring.backends.fail import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())  # type: ignore[no-untyped-call]
    yield
    keyring.set_keyring(before)


@pytest.fixture(autouse=True)
def no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    return create_profile(tmp_path / "profile")


def typing(*lines: str) -> Callable[[str], str]:
    remaining = iter(lines)
    return lambda _prompt: next(remaining)


def nobody(_prompt: str) -> str:
    raise AssertionError("nobody should be asked")


def file_of(path: Path, contents: bytes) -> Path:
    path.write_bytes(contents)
    return path


def fill(profile: Profile) -> DataKey:
    """Slots of every kind for one data key."""
    data_key = new_data_key()
    entry, secret = store_secret()
    credential = credential_slot(data_key, CREDENTIAL)
    ring = key_ring_slot(data_key, entry, secret)
    write_slots(profile.keys, [passphrase_slot(data_key, "right", SMALL), credential, ring])
    return data_key


def test_a_credential_file_comes_before_all_else(
    profile: Profile, key_ring: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_key = fill(profile)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    file_of(tmp_path / "kassiber", OTHER)
    assert unlock(profile, file_of(tmp_path / "given", CREDENTIAL), nobody) == data_key


def test_a_wrong_credential_file_is_told_not_passed_over(profile: Profile, key_ring: None, tmp_path: Path) -> None:
    fill(profile)
    with pytest.raises(WrongSecretError):
        unlock(profile, file_of(tmp_path / "given", OTHER), typing("right"))
    with pytest.raises(LockedError, match="cannot be read"):
        unlock(profile, tmp_path / "absent", typing("right"))


def test_a_service_credential_comes_before_the_key_ring(
    profile: Profile, key_ring: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_key = fill(profile)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    path = file_of(tmp_path / "kassiber", CREDENTIAL)
    assert unlock(profile, None, nobody) == data_key
    path.write_bytes(OTHER)
    with pytest.raises(WrongSecretError):
        unlock(profile, None, nobody)


def test_the_key_ring_comes_before_the_prompt(profile: Profile, key_ring: None) -> None:
    data_key = fill(profile)
    assert unlock(profile, None, nobody) == data_key


def test_without_a_key_ring_the_passphrase_is_asked_for(profile: Profile, no_key_ring: None) -> None:
    data_key = new_data_key()
    write_slots(
        profile.keys, [passphrase_slot(data_key, "right", SMALL), key_ring_slot(data_key, "0" * 32, CREDENTIAL)]
    )
    assert unlock(profile, None, typing("wrong", "right")) == data_key


def test_the_passphrase_is_asked_for_three_times_and_nothing_changes(profile: Profile) -> None:
    write_slots(profile.keys, [passphrase_slot(new_data_key(), "right", SMALL)])
    before = {path: path.read_bytes() for path in profile.directory.iterdir()}
    with pytest.raises(WrongSecretError, match=r"wrong\. Nothing was changed"):
        unlock(profile, None, typing(*["wrong"] * ATTEMPTS))
    assert {path: path.read_bytes() for path in profile.directory.iterdir()} == before


def test_without_a_terminal_the_error_names_every_way_in(profile: Profile, no_key_ring: None) -> None:
    data_key = new_data_key()
    write_slots(
        profile.keys, [passphrase_slot(data_key, "right", SMALL), key_ring_slot(data_key, "0" * 32, CREDENTIAL)]
    )
    with pytest.raises(LockedError) as caught:
        unlock(profile, None, None)
    for way in ("--credential-file", "CREDENTIALS_DIRECTORY", "key ring", "terminal"):
        assert way in str(caught.value)


def test_the_environment_holds_no_secret(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    write_slots(profile.keys, [passphrase_slot(new_data_key(), "right", SMALL)])
    for name in ("KASSIBER_PASSPHRASE", "PASSPHRASE", "CREDENTIALS_DIRECTORY"):
        monkeypatch.setitem(os.environ, name, "right")
    with pytest.raises(LockedError):
        unlock(profile, None, None)
