"""The proxy's protocol, byte by byte, without a connection (RFC 1928, RFC 1929)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.transport.socks5 import (
    NO_ISOLATION,
    NOT_A_PROXY,
    OTHER_AUTHENTICATION,
    Credentials,
    ProxyError,
    isolating,
    negotiate,
)

ONE = Credentials(b"name", b"secret")
SAID = b"\x01\x04name\x06secret"
DONE = b"\x05\x00\x00\x01" + bytes(4) + b"\x1f\x90"


def talk(answers: bytes, name: str = "relay.example", *, apart: bool = False) -> bytes:
    """All that is sent to a proxy that answers so; every byte of it is read, and none more."""
    negotiation = negotiate(name, 443, ONE, apart=apart)
    sent = b""
    try:
        turn = next(negotiation)
        while True:
            sent += turn.sent
            given_, answers = answers[: turn.wanted], answers[turn.wanted :]
            assert len(given_) == turn.wanted, "it wants more than a proxy says"
            turn = negotiation.send(given_)
    except StopIteration:
        assert answers == b""
        return sent


def test_a_name_is_given_to_the_proxy_as_it_is() -> None:
    sent = talk(b"\x05\x02" + b"\x01\x00" + DONE)
    assert sent == b"\x05\x02\x02\x00" + SAID + b"\x05\x01\x00\x03\x0drelay.example\x01\xbb"


def test_addresses_go_as_addresses() -> None:
    greeted = b"\x05\x02" + b"\x01\x00"
    assert talk(greeted + DONE, "192.0.2.7").endswith(b"\x05\x01\x00\x01\xc0\x00\x02\x07\x01\xbb")
    assert talk(greeted + DONE, "2001:db8::7").endswith(
        b"\x05\x01\x00\x04\x20\x01\x0d\xb8" + bytes(11) + b"\x07\x01\xbb"
    )


def test_a_proxy_without_passwords_will_do_unless_connections_must_be_kept_apart() -> None:
    assert talk(b"\x05\x00" + DONE) == b"\x05\x02\x02\x00" + b"\x05\x01\x00\x03\x0drelay.example\x01\xbb"
    with pytest.raises(ProxyError, match=NO_ISOLATION):
        talk(b"\x05\xff", apart=True)
    with pytest.raises(ProxyError, match=NOT_A_PROXY):
        talk(b"\x05\x00", apart=True)


@pytest.mark.parametrize("bound", [b"\x01" + bytes(6), b"\x04" + bytes(18), b"\x03\x00" + bytes(2), b"\x03\x03abc\0\0"])
def test_exactly_what_belongs_to_the_answer_is_read(bound: bytes) -> None:
    talk(b"\x05\x02" + b"\x01\x00" + b"\x05\x00\x00" + bound)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (b"HT", NOT_A_PROXY),
        (b"\x04\x00", NOT_A_PROXY),
        (b"\x05\x01", NOT_A_PROXY),
        (b"\x05\xff", OTHER_AUTHENTICATION),
        (b"\x05\x02" + b"\x05\x00", NOT_A_PROXY),
        (b"\x05\x02" + b"\x01\x01", OTHER_AUTHENTICATION),
        (b"\x05\x00" + b"\x04\x00\x00\x01", NOT_A_PROXY),
        (b"\x05\x00" + b"\x05\x00\x01\x01", NOT_A_PROXY),
        (b"\x05\x00" + b"\x05\x00\x00\x02", NOT_A_PROXY),
        (b"\x05\x00" + b"\x05\x01\x00\x01", "the proxy cannot connect to it"),
        (b"\x05\x00" + b"\x05\x04\x00\x01", "does not find its name"),
        (b"\x05\x00" + b"\x05\x05\x00\x01", "refused"),
        (b"\x05\x00" + b"\x05\xf0\x00\x01", "does not find this onion address"),
        (b"\x05\x00" + b"\x05\x63\x00\x01", "gave no reason that is known"),
    ],
)
def test_whatever_else_a_proxy_says_is_told_in_words(answers: bytes, reason: str) -> None:
    with pytest.raises(ProxyError, match=reason):
        talk(answers)


@given(st.binary(max_size=600), st.booleans())
def test_garbage_never_ends_in_anything_but_words(answers: bytes, apart: bool) -> None:
    negotiation = negotiate("relay.example", 1, ONE, apart=apart)
    try:
        turn = next(negotiation)
        while len(answers) >= turn.wanted:
            given_, answers = answers[: turn.wanted], answers[turn.wanted :]
            turn = negotiation.send(given_)
    except (ProxyError, StopIteration):
        pass


def test_credentials_differ_where_anything_does_and_name_nothing() -> None:
    made = [isolating(secret * 32, name) for secret in (b"a", b"b") for name in (b"", b"one", b"two")]
    assert len({one.username for one in made}) == len({one.password for one in made}) == len(made)
    assert made[1] == isolating(b"a" * 32, b"one")
    assert all(len(one.username) == len(one.password) == 32 for one in made)
