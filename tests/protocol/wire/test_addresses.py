"""Relay addresses and hosts as people pass them on (Spec 3 §6)."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import CallerError
from protocol.keys import RelayKey
from protocol.wire.addresses import Host, format_address, parse_address

KEY = RelayKey(bytes(range(32)))
ADDRESS = format_address(Host("ws", "relay.example", 7443), KEY)
TOKEN = ADDRESS.partition("#")[2]

names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]{2,5})?", fullmatch=True)
hosts = st.builds(Host, st.sampled_from(["ws", "wss"]), names | st.just("[2001:db8::7]"), st.integers(1, 65_535))


@given(hosts, st.binary(min_size=32, max_size=32).map(RelayKey))
def test_an_address_reads_back(host: Host, key: RelayKey) -> None:
    assert parse_address(format_address(host, key)) == (host, key)
    assert Host.parse(str(host)) == host


def test_spaces_around_and_capitals_in_a_name_do_not_matter() -> None:
    assert parse_address(f" {ADDRESS.replace('relay', 'Relay')}\n") == (Host("ws", "relay.example", 7443), KEY)


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("", "kassiber://host:port/r#key"),
        (ADDRESS.replace("kassiber:", "http:"), "kassiber://host:port/r#key"),
        (ADDRESS.replace("/r#", "/i#"), "invitation"),
        (ADDRESS.replace("/r#", "/d#"), "invitation"),
        (ADDRESS.partition("/r")[0], "/r#"),
        (ADDRESS[:-1], "43 characters"),
        (ADDRESS + "A", "43 characters"),
        (ADDRESS.replace(":7443", ""), "'relay.example'"),
        (ADDRESS.replace("7443", "99999"), "port"),
        (ADDRESS.replace("relay.example", "relay example"), "'relay example:7443'"),
        (ADDRESS.replace("relay.example", "a" * 90), "name:port"),
        (ADDRESS.replace("relay.example", "[" + "1:" * 40 + "]"), "too long"),
    ],
)
def test_a_damaged_address_is_refused_with_what_is_wrong(address: str, named: str) -> None:
    with pytest.raises(CallerError) as caught:
        parse_address(address)
    assert named in str(caught.value)


def test_an_invitation_given_for_an_address_does_not_end_up_in_an_error() -> None:
    for address in (ADDRESS.replace("/r#", "/i#"), ADDRESS.replace("kassiber:", "kasiber:"), ADDRESS + "A"):
        with pytest.raises(CallerError) as caught:
            parse_address(address)
        assert TOKEN[:10] not in str(caught.value)


@given(st.text())
def test_no_text_gets_anything_but_an_address_or_a_callers_error(text: str) -> None:
    for address in (text, f"kassiber://{text}", ADDRESS.replace(TOKEN, text), ADDRESS.replace("7443", text)):
        with suppress(CallerError):
            parse_address(address)


@pytest.mark.parametrize("host", ["ws://A:1", "ws://a:01", "ws://a", "a:1", "http://a:1", "ws://a:1/", "ws://a:1 ", ""])
def test_a_host_in_a_route_has_one_form_only(host: str) -> None:
    with pytest.raises(CallerError):
        Host.parse(host)
