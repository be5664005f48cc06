"""A proxy and isolation as settings name them, and what does not go with them."""

from pathlib import Path

import pytest

from node.settings import Settings, SettingsError, check_hidden
from tests.node.test_traffic_setting import settings_of

TOR = 'proxy = "socks5://127.0.0.1:9050"\n'


def test_there_is_no_proxy_unless_one_is_named(tmp_path: Path) -> None:
    assert settings_of(tmp_path, "").proxy is None
    assert settings_of(tmp_path, 'proxy = ""').proxy is None
    assert str(settings_of(tmp_path, TOR).proxy) == "socks5://127.0.0.1:9050"


@pytest.mark.parametrize("wrong", ['"127.0.0.1:9050"', '"http://127.0.0.1:8080"', "9050", "true", '"socks5://a:b@c:1"'])
def test_what_is_no_proxy_is_named_with_what_would_be(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(SettingsError, match=r"settings.toml: proxy: .*(should look like|without user name)"):
        settings_of(tmp_path, f"proxy = {wrong}")


@pytest.mark.parametrize(
    ("more", "named"),
    [("discovery = true", "discovery and a proxy"), ('listen = "127.0.0.1:7777"', "public")],
)
def test_what_would_show_this_machine_all_the_same_is_refused(tmp_path: Path, more: str, named: str) -> None:
    check_hidden(settings_of(tmp_path, more))
    with pytest.raises(SettingsError, match=named):
        check_hidden(settings_of(tmp_path, TOR + more))


def test_an_onion_address_that_leads_here_may_be_told(tmp_path: Path) -> None:
    public = f'listen = "127.0.0.1:7777"\npublic = "{"a" * 56}.onion:7777"'
    check_hidden(settings_of(tmp_path, TOR + public))
    check_hidden(Settings())


def test_contacts_are_kept_apart_where_that_is_asked_for(tmp_path: Path) -> None:
    assert not settings_of(tmp_path, "").isolated
    assert not settings_of(tmp_path, 'isolation = "none"').isolated
    assert settings_of(tmp_path, 'isolation = "contact"').isolated


@pytest.mark.parametrize(("value", "groups"), [("2", 2), ("64", 64), ('"8"', 8)])
def test_contacts_may_be_spread_over_groups(tmp_path: Path, value: str, groups: int) -> None:
    assert settings_of(tmp_path, f"isolation = {value}").isolation == groups


@pytest.mark.parametrize("wrong", ['"contacts"', "true", '""', "1", "65", "2.0", '"-2"'])
def test_what_is_no_isolation_is_refused_with_what_there_is(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(SettingsError, match=r"isolation = .* should be one of: none, contact"):
        settings_of(tmp_path, f"isolation = {wrong}")
