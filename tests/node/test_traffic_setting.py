"""A node's preset, as its settings name it."""

from pathlib import Path

import pytest

from node.settings import Settings, SettingsError, read_settings
from protocol.traffic.policies import NAMES
from protocol.wire.commands import Preset


def settings_of(directory: Path, text: str) -> Settings:
    path = directory / "settings.toml"
    path.write_text(text, "utf-8")
    return read_settings(path)


def test_a_node_is_batched_unless_told_otherwise(tmp_path: Path) -> None:
    assert settings_of(tmp_path, "").traffic is Preset.BATCHED
    for preset, name in NAMES.items():
        assert settings_of(tmp_path, f'traffic = "{name}"').traffic is preset


@pytest.mark.parametrize("wrong", ['"Constant"', '"constant-8"', "3", '""', "true"])
def test_what_is_no_preset_is_refused_with_those_that_there_are(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(SettingsError, match=r"traffic = .* is no preset. There are: direct, batched, constant,"):
        settings_of(tmp_path, f"traffic = {wrong}")
