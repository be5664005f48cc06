"""What a run hid by its options alone is kept, and nothing less is taken until a run says otherwise."""

from pathlib import Path

import pytest

from node.last_run import check, remember
from node.settings import Settings, SettingsError, parse_proxy_setting
from protocol.wire.commands import Preset

PLAIN = Settings()
HIDDEN = Settings(
    forward=True, proxy=parse_proxy_setting("socks5://127.0.0.1:9050", "proxy"), isolation=4, traffic=Preset.CONSTANT_4
)


def test_what_is_not_saved_is_asked_for_by_name(tmp_path: Path) -> None:
    path = tmp_path / "last-run"
    check(path, PLAIN)
    assert remember(path, PLAIN, HIDDEN) == ["forward", "proxy", "isolation", "traffic"]
    with pytest.raises(SettingsError, match="--forward --proxy --isolation --traffic"):
        check(path, PLAIN)
    with pytest.raises(SettingsError, match=r"last ran with --proxy --isolation --traffic, "):
        check(path, Settings(forward=True))
    check(path, HIDDEN)
    assert b"9050" not in path.read_bytes()


def test_what_settings_say_already_or_a_plain_run_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "last-run"
    assert remember(path, HIDDEN, HIDDEN) == []
    assert not path.exists()
    remember(path, PLAIN, HIDDEN)
    assert remember(path, PLAIN, PLAIN) == []
    check(path, PLAIN)
