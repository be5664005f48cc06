"""A profile is private, has one holder, and its settings say what is wrong with them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from node.profile import (
    NoProfileError,
    Profile,
    ProfileExistsError,
    ProfileInUseError,
    create_profile,
    discard_profile,
    finish_profile,
    locked,
    open_profile,
)
from node.settings import Settings, SettingsError, check_told, read_settings
from node.store.keys import credential_slot, new_data_key, write_slots
from protocol.errors import CallerError


def made(directory: Path) -> Profile:
    profile = create_profile(directory)
    write_slots(profile.keys, [credential_slot(new_data_key(), bytes(32))])
    profile.mailbox.touch(0o600)
    finish_profile(profile)
    return profile


def test_a_profile_is_closed_to_others(tmp_path: Path) -> None:
    profile = made(tmp_path / "one")
    with locked(profile):
        assert profile.directory.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in profile.directory.iterdir()} == {0o600}
        assert open_profile(profile.directory) == profile


def test_a_profile_open_to_others_is_refused(tmp_path: Path) -> None:
    profile = made(tmp_path / "one")
    profile.directory.chmod(0o755)
    with pytest.raises(CallerError, match="chmod 700"):
        open_profile(profile.directory)


def test_a_second_profile_in_one_directory_is_refused(tmp_path: Path) -> None:
    profile = made(tmp_path / "one")
    before = profile.keys.read_bytes()
    with pytest.raises(ProfileExistsError, match="already"):
        create_profile(profile.directory)
    assert profile.keys.read_bytes() == before


def test_a_missing_profile_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NoProfileError, match="kassiber init"):
        open_profile(tmp_path)


def test_a_discarded_profile_can_be_made_again(tmp_path: Path) -> None:
    profile = made(tmp_path / "one")
    discard_profile(profile)
    made(tmp_path / "one")


def test_a_profile_without_its_mailbox_is_not_begun_anew(tmp_path: Path) -> None:
    profile = made(tmp_path / "one")
    profile.mailbox.unlink()
    with pytest.raises(CallerError, match=r"mailbox\.db is missing"):
        open_profile(profile.directory)


def test_what_a_killed_init_left_counts_as_nothing(tmp_path: Path) -> None:
    half = create_profile(tmp_path / "one")
    half.keys.write_bytes(b"keys")
    half.mailbox.write_bytes(b"mailbox")
    with pytest.raises(NoProfileError):
        open_profile(half.directory)
    made(tmp_path / "one")
    assert half.mailbox.read_bytes() == b""


def test_one_process_holds_a_profile_until_it_ends_however_it_ends(tmp_path: Path) -> None:
    profile = made(tmp_path / "one")
    program = (
        "import sys; from pathlib import Path; from node.profile import *\n"
        "with locked(Profile(Path(sys.argv[1]))): print('held', flush=True); sys.stdin.read()"
    )
    arguments = [sys.executable, "-c", program, str(profile.directory)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(ProfileInUseError, match="A node or relay is running"), locked(profile):
            pass
        holder.kill()
        holder.wait()
        with locked(profile):
            pass


def test_a_profile_is_found_at_one_socket_by_every_name_of_it(tmp_path: Path) -> None:
    profile = made(tmp_path / "one")
    (tmp_path / "link").symlink_to(profile.directory)
    assert open_profile(tmp_path / "link").socket == profile.socket
    assert made(tmp_path / "two").socket != profile.socket


def test_a_socket_path_fits_its_address_however_deep_the_runtime_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    assert len(os.fsencode(made(tmp_path / "one").socket)) < 104


def test_settings_are_optional(tmp_path: Path) -> None:
    assert read_settings(tmp_path / "absent") == read_settings(create_profile(tmp_path / "one").settings)


def test_settings_reach_the_timing(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('listen = "[::1]:7777"\npublic = "Node.example.org:80"\n[timing]\ndial_seconds = 3\n')
    settings = read_settings(path)
    assert (settings.listen, settings.public) == ("[::1]:7777", "node.example.org:80")
    assert settings.timing.dial_seconds == 3.0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lisen = 'a:1'", "lisen = 'a:1' is no setting. Did you mean listen?"),
        ("relay = 'a:1'", "There are: listen, public, discovery, forward, proxy, isolation, traffic, timing."),
        ("listen = 7777", "listen = '7777' should look like \"name:port\""),
        ("discovery = 'yes'", "discovery = 'yes' should be true or false"),
        ("forward = 1", "forward = 1 should be true or false"),
        ("listen = 'here'", "listen = 'here' should look like"),
        ("timing = 3", "timing = 3 should be a table"),
        ("[timing]\ndial_second = 3", "timing.dial_second = 3 is no setting. Did you mean timing.dial_seconds?"),
        ("[timing]\ndial_seconds = '3'", "timing.dial_seconds = '3' should be a number of seconds above 0"),
        ("[timing]\nrenew_days = -1", "timing.renew_days = -1 should be a number of days above 0"),
        ("[timing]\nrenew_days = inf", "renew_days = inf should be"),
        ("[timing]\nrenew_days = true", "renew_days = True should be"),
        ("listen", "is not TOML"),
    ],
)
def test_a_wrong_setting_names_key_value_and_what_would_be_right(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_settings(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("listen", ["0.0.0.0:7777", "[::]:7777"])
def test_every_address_at_once_is_not_what_contacts_can_be_told(listen: str) -> None:
    with pytest.raises(SettingsError, match="Set public too"):
        check_told(Settings(listen=listen))
    check_told(Settings(listen=listen, public="node.example.org:80"))
    check_told(Settings(listen="192.0.2.1:7777"))
