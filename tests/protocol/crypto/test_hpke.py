"""HPKE by hand against the one of `cryptography`, in both directions; and what it refuses."""

import os

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from protocol.crypto.suite import RealSuite
from protocol.errors import Code, PeerError
from protocol.keys import DhPrivate, DhPublic
from simulations.toy import ToySuite

THEIRS = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
SUITE = RealSuite()


@given(st.binary(max_size=300), st.binary(max_size=60))
def test_what_we_seal_the_other_library_opens(plaintext: bytes, info: bytes) -> None:
    private = os.urandom(32)
    sealed, _ = SUITE.hpke_seal(DhPrivate(os.urandom(32)), SUITE.dh_public(DhPrivate(private)), info, plaintext)
    assert THEIRS.decrypt(sealed, X25519PrivateKey.from_private_bytes(private), info=info) == plaintext


@given(st.binary(max_size=300), st.binary(max_size=60))
def test_what_the_other_library_seals_we_open(plaintext: bytes, info: bytes) -> None:
    private = DhPrivate(os.urandom(32))
    sealed = THEIRS.encrypt(plaintext, X25519PublicKey.from_public_bytes(SUITE.dh_public(private)), info=info)
    opened = SUITE.hpke_open(private, info, sealed)
    assert opened is not None
    assert opened[0] == plaintext


@pytest.mark.parametrize("suite", [SUITE, ToySuite()], ids=["real", "toy"])
def test_both_ends_export_one_secret_and_nobody_else_opens(suite: RealSuite) -> None:
    private, other = DhPrivate(os.urandom(32)), DhPrivate(os.urandom(32))
    sealed, export = suite.hpke_seal(DhPrivate(os.urandom(32)), suite.dh_public(private), b"info", b"what is said")
    assert suite.hpke_open(private, b"info", sealed) == (b"what is said", export)
    assert len(export) == 32
    assert suite.hpke_open(other, b"info", sealed) is None
    assert suite.hpke_open(private, b"other", sealed) is None
    assert suite.hpke_open(private, b"info", sealed[:47]) is None
    for at in (0, 32, len(sealed) - 1):
        changed = sealed[:at] + bytes((sealed[at] ^ 1,)) + sealed[at + 1 :]
        assert suite.hpke_open(private, b"info", changed) is None


def test_a_sealed_one_under_another_info_is_refused_by_the_other_library_too() -> None:
    private = DhPrivate(os.urandom(32))
    sealed, _ = SUITE.hpke_seal(DhPrivate(os.urandom(32)), SUITE.dh_public(private), b"one", b"x")
    with pytest.raises(InvalidTag):
        THEIRS.decrypt(sealed, X25519PrivateKey.from_private_bytes(private), info=b"two")


def test_a_key_of_small_order_is_refused() -> None:
    with pytest.raises(PeerError) as caught:
        SUITE.hpke_seal(DhPrivate(os.urandom(32)), DhPublic(bytes(32)), b"", b"")
    assert caught.value.code is Code.BAD_KEY
    with pytest.raises(PeerError):
        SUITE.hpke_open(DhPrivate(os.urandom(32)), b"", bytes(80))
