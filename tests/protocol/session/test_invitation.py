"""Invitations, what a relay keeps of them, links and files (Spec 3 §4–§6)."""

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.errors import CallerError, Code, PeerError
from protocol.keys import InvitationSecret, RelayKey
from protocol.limits import SEALED_INVITATION_BYTES
from protocol.session.invitation import (
    LinkKeys,
    decode_invitation,
    format_file,
    format_link,
    link_keys,
    link_psk,
    open_invitation,
    parse_file,
    parse_link,
    seal_invitation,
)
from protocol.wire.addresses import Host
from tests.protocol.session.people import SUITE, SeededEntropy, invite

SECRET = InvitationSecret(bytes(range(32)))
RELAY, OTHER_RELAY = RelayKey(b"r" * 32), RelayKey(b"s" * 32)
HOST, OTHER_HOST = Host("ws", "one.example", 7443), Host("ws", "two.example", 7443)
LINK = format_link(((HOST, RELAY),), SECRET)
TWO = format_link(((HOST, RELAY), (OTHER_HOST, OTHER_RELAY)), SECRET)
TOKEN = LINK.partition("#")[2]


def refusal(link: str) -> str:
    """What the person is told."""
    with pytest.raises(CallerError) as caught:
        parse_link(link)
    return str(caught.value)


def test_an_invitation_decodes_to_what_was_encoded() -> None:
    invitation = invite()
    assert decode_invitation(invitation.encoded) == invitation.value


@given(st.data())
def test_a_changed_invitation_never_passes_for_another_without_being_one(data: st.DataObject) -> None:
    """Nothing but PeerError comes out, or another invitation: the hash over its bytes binds the handshake."""
    encoded = bytearray(invite().encoded)
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= data.draw(st.integers(1, 255))
    with suppress(PeerError):
        assert decode_invitation(bytes(encoded)) != invite().value


def test_two_relays_hold_nothing_equal() -> None:
    one, other = (link_keys(SUITE, SECRET, relay) for relay in (RELAY, OTHER_RELAY))
    assert one.link_id != other.link_id
    assert one.key != other.key
    assert one.claim_seed != other.claim_seed
    assert link_psk(SUITE, SECRET) not in (one.key, one.claim_seed, other.key, other.claim_seed)
    encoded = invite().encoded
    sealed = [seal_invitation(SUITE, SeededEntropy(), keys, RELAY, encoded) for keys in (one, other)]
    assert sealed[0][24:] != sealed[1][24:]


def test_every_sealed_invitation_has_one_size() -> None:
    keys = link_keys(SUITE, SECRET, RELAY)
    for encoded in (b"", b"short", bytes(1_998)):
        sealed = seal_invitation(SUITE, SeededEntropy(), keys, RELAY, encoded)
        assert len(sealed) == SEALED_INVITATION_BYTES == 2_040
        assert open_invitation(SUITE, keys, RELAY, sealed) == encoded


@given(st.integers(0, 8 * SEALED_INVITATION_BYTES - 1))
def test_a_relay_cannot_change_a_bit_of_what_it_keeps(bit: int) -> None:
    keys = link_keys(SUITE, SECRET, RELAY)
    sealed = bytearray(seal_invitation(SUITE, SeededEntropy(), keys, RELAY, b"invitation"))
    sealed[bit // 8] ^= 1 << bit % 8
    assert _refused(keys, RELAY, bytes(sealed))


def test_what_one_relay_keeps_does_not_open_as_another_relays() -> None:
    keys = link_keys(SUITE, SECRET, RELAY)
    sealed = seal_invitation(SUITE, SeededEntropy(), keys, RELAY, b"invitation")
    assert _refused(keys, OTHER_RELAY, sealed)
    assert _refused(link_keys(SUITE, SECRET, OTHER_RELAY), OTHER_RELAY, sealed)
    assert _refused(keys, RELAY, b"")


def _refused(keys: LinkKeys, relay: RelayKey, sealed: bytes) -> bool:
    with pytest.raises(PeerError) as caught:
        open_invitation(SUITE, keys, relay, sealed)
    return caught.value.code is Code.BAD_INVITATION


def test_a_link_survives_being_broken_over_lines() -> None:
    wrapped = "\r\n  ".join(TWO[at : at + 20] for at in range(0, len(TWO), 20))
    assert parse_link(f"  {wrapped}\n") == parse_link(TWO)


def test_a_links_relays_keep_their_order() -> None:
    assert parse_link(TWO).relays == ((HOST, RELAY), (OTHER_HOST, OTHER_RELAY))
    assert len(TWO.partition("#")[2]) == 128


def test_a_direct_link_says_so() -> None:
    link = format_link(((HOST, RELAY),), SECRET, direct=True)
    assert parse_link(link).direct
    assert not parse_link(LINK).direct


@pytest.mark.parametrize(
    ("link", "named"),
    [
        ("", "begin with kassiber://"),
        ("hello", "begin with kassiber://"),
        (LINK.replace("kassiber:", "https:"), "begin with kassiber://"),
        (LINK[1:], "begin with kassiber://"),
        (LINK.partition("/")[0], "begin with kassiber://"),
        (LINK.partition("/i")[0], "cut"),
        (LINK.replace("/i#", "/r#"), "relay's address"),
        (LINK.replace("#", ""), "cut"),
        (LINK.replace("/i#", "/x#"), "cut"),
        (LINK.replace("one.example:7443", "one.example"), "'one.example'"),
        (LINK.replace("one.example:7443", ":7443"), "':7443'"),
        (LINK.replace(":7443", ":74430"), "port"),
        (LINK.replace(":7443", ":0"), "port"),
        (LINK.replace(":7443", ":x"), "port"),
        (LINK.replace("one.example", "one_example"), "'one_example:7443'"),
        (LINK.replace("one.example", "ö.example"), "'ö.example:7443'"),
        (TWO.replace("two.example:7443", "two.example"), "'two.example'"),
        (TWO.replace(",two.example:7443", ""), "128 characters behind '#' where 86"),
        (LINK.replace("one.example:7443", "a.example:1,b.example:2"), "86 characters behind '#' where 128"),
        (TWO.replace("one.example:7443", "a.example:1,b.example:2"), "3 hosts"),
        (LINK.replace("one.example:7443", "a.example:1,b.example:2").replace("/i#", "/d#"), "2 hosts; one is"),
        (LINK[:-1], "85 characters behind '#' where 86"),
        (LINK[:-43], "43 characters behind '#' where 86"),
        (LINK + "A", "87 characters behind '#' where 86"),
        (LINK + ".", "'.' behind '#'"),
        (LINK + "==", "'=' behind '#'"),
        (LINK.replace(TOKEN, "+" + TOKEN[1:]), "'+' behind '#'"),
        (LINK.replace(TOKEN, "é" + TOKEN[1:]), "'é' behind '#'"),
        (LINK[:-1] + "9", "last character"),
    ],
)
def test_a_damaged_link_is_refused_with_what_is_wrong(link: str, named: str) -> None:
    assert named in refusal(link)


@given(st.text())
@example("kassiber://[::1]:7443/i#")
@example(f"kassiber://a:1/i#{'A' * 85}\ud800")
def test_no_text_gets_anything_but_a_link_or_a_callers_error(text: str) -> None:
    for link in (text, f"kassiber://{text}", LINK + text, LINK.replace(TOKEN, text), LINK.replace("one.example", text)):
        with suppress(CallerError):
            parse_link(link)


@given(st.integers(0, len(LINK) - 1))
def test_a_link_cut_anywhere_is_refused(length: int) -> None:
    assert refusal(LINK[:length])


def test_the_secret_of_a_damaged_link_is_not_shown() -> None:
    for link in (LINK[:-1], LINK + "A", LINK.replace("/i#", "/x#"), LINK.replace("7443", "0"), LINK[:-1] + "9"):
        assert TOKEN[:20] not in refusal(link)


def test_a_file_holds_the_invitation_and_its_secret() -> None:
    encoded = invite().encoded
    assert parse_file(format_file(SECRET, encoded)) == (SECRET, encoded)


@given(st.binary(max_size=100), st.integers(0, 1_400))
def test_a_damaged_file_is_refused_with_what_to_do(junk: bytes, length: int) -> None:
    good = format_file(SECRET, invite().encoded)
    for data in (junk, good[:length], good + (junk or b"\0")):
        with pytest.raises(CallerError, match="Ask for it again"):
            parse_file(data)
