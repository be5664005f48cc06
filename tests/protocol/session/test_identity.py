"""Identities, fingerprints and the number that two people compare (Spec 3 §3)."""

from hypothesis import given
from hypothesis import strategies as st

from protocol.keys import Identity
from protocol.session.identity import fingerprint, identity_dh, make_identity, safety_number
from tests.protocol.session.people import SUITE, SeededEntropy

identities = st.binary(min_size=64, max_size=64).map(Identity)


def test_the_two_keys_of_an_identity_are_independent() -> None:
    keys = make_identity(SUITE, SeededEntropy())
    assert keys.identity == keys.signing[32:] + SUITE.dh_public(keys.dh)
    assert keys.signing[:32] != keys.dh
    assert identity_dh(keys.identity) == SUITE.dh_public(keys.dh)


def test_an_identity_signs_what_its_public_key_verifies() -> None:
    keys = make_identity(SUITE, SeededEntropy())
    assert SUITE.verify(keys.identity[:32], b"statement", SUITE.sign(keys.signing, b"statement"))


@given(identities, identities)
def test_both_ends_show_the_same_safety_number(one: Identity, other: Identity) -> None:
    assert safety_number(one, other) == safety_number(other, one)


@given(identities, identities, identities)
def test_another_identity_shows_another_safety_number(own: Identity, peer: Identity, stranger: Identity) -> None:
    if peer != stranger:
        assert safety_number(own, peer) != safety_number(own, stranger)
        assert fingerprint(peer) != fingerprint(stranger)


@given(identities, identities)
def test_a_safety_number_is_twelve_groups_of_five_digits(one: Identity, other: Identity) -> None:
    groups = safety_number(one, other).split(" ")
    assert [len(group) for group in groups] == [5] * 12
    assert all(group.isascii() and group.isdigit() for group in groups)
