"""Wycheproof: edge cases and forgeries against the real crypto suite. A failing test names the cases by their tcId."""

from collections.abc import Callable
from typing import Any

import pytest

from protocol.crypto.suite import RealSuite
from protocol.errors import Code, PeerError
from protocol.keys import DhPrivate, DhPublic, KemCiphertext, KemSeed
from tests.vectors.public import wycheproof

SUITE = RealSuite()
Case = dict[str, Any]


def of(test: Case, name: str) -> bytes:
    return bytes.fromhex(test[name])


def refused_as_bad_key(action: Callable[..., object], *values: object) -> bool:
    try:
        action(*values)
    except PeerError as error:
        return error.code is Code.BAD_KEY
    return False


def test_ed25519_accepts_the_valid_signatures_and_no_other() -> None:
    wrong = []
    for group, test in wycheproof("ed25519"):
        public = bytes.fromhex(group["publicKey"]["pk"])
        if SUITE.verify(public, of(test, "msg"), of(test, "sig")) is not (test["result"] == "valid"):
            wrong.append(test["tcId"])
    assert wrong == []


def test_a_cut_signature_takes_nothing_from_the_message() -> None:
    for group, test in wycheproof("ed25519"):
        if test["result"] == "valid":
            public, message, signature = bytes.fromhex(group["publicKey"]["pk"]), of(test, "msg"), of(test, "sig")
            assert not SUITE.verify(public, signature[63:] + message, signature[:63])
            assert not message or not SUITE.verify(public, message[1:], signature + message[:1])


def test_x25519_agrees_on_every_secret_that_is_not_zero() -> None:
    """*Acceptable* cases are twists and non-canonical keys: RFC 7748 §5 computes them, and so must we."""
    wrong = [
        test["tcId"]
        for _, test in wycheproof("x25519")
        if "ZeroSharedSecret" not in test["flags"]
        and SUITE.dh(DhPrivate(of(test, "private")), DhPublic(of(test, "public"))) != of(test, "shared")
    ]
    assert wrong == []


def test_x25519_refuses_every_key_whose_secret_is_zero() -> None:
    zero = [test for _, test in wycheproof("x25519") if "ZeroSharedSecret" in test["flags"]]
    accepted = [
        test["tcId"] for test in zero if not refused_as_bad_key(SUITE.dh, of(test, "private"), of(test, "public"))
    ]
    assert zero
    assert all(set(of(test, "shared")) == {0} for test in zero)
    assert accepted == []


@pytest.mark.parametrize("length", [0, 31, 33])
def test_an_x25519_key_of_another_length_is_refused(length: int) -> None:
    assert refused_as_bad_key(SUITE.dh, bytes(32), b"\x09" * length)


def test_xchacha20_poly1305_opens_what_is_whole_and_nothing_else() -> None:
    wrong = []
    for _, test in wycheproof("xchacha20_poly1305"):
        sealed = of(test, "ct") + of(test, "tag")
        opened = SUITE.open(of(test, "key"), of(test, "iv"), sealed, of(test, "aad"))
        if opened != (of(test, "msg") if test["result"] == "valid" else None):
            wrong.append(test["tcId"])
    assert wrong == []


def test_xchacha20_poly1305_seals_to_the_same_bytes() -> None:
    wrong = [
        test["tcId"]
        for _, test in wycheproof("xchacha20_poly1305")
        if test["result"] == "valid"
        and SUITE.seal(of(test, "key"), of(test, "iv"), of(test, "msg"), of(test, "aad"))
        != of(test, "ct") + of(test, "tag")
    ]
    assert wrong == []


@pytest.mark.parametrize("length", [0, 1, 15])
def test_what_is_shorter_than_a_tag_does_not_open(length: int) -> None:
    assert SUITE.open(bytes(32), bytes(24), bytes(length), b"") is None


def test_hkdf_derives_the_same_keys() -> None:
    wrong = [
        test["tcId"]
        for _, test in wycheproof("hkdf_sha256")
        if test["result"] == "valid"
        and SUITE.kdf(of(test, "salt"), of(test, "ikm"), of(test, "info"), test["size"]) != of(test, "okm")
    ]
    assert wrong == []


def test_hkdf_gives_no_more_than_255_blocks() -> None:
    too_large = [test for _, test in wycheproof("hkdf_sha256") if test["result"] == "invalid"]
    assert too_large
    for test in too_large:
        with pytest.raises(ValueError):
            SUITE.kdf(of(test, "salt"), of(test, "ikm"), of(test, "info"), test["size"])


def test_ml_kem_makes_the_same_keys_and_decapsulates_the_same_secrets() -> None:
    """With implicit rejection: a random or changed ciphertext gives the secret that FIPS 203 §6.3 derives from z."""
    wrong = []
    for _, test in wycheproof("mlkem_768"):
        if test["result"] == "valid":
            seed = KemSeed(of(test, "seed"))
            secret = SUITE.kem_decapsulate(seed, KemCiphertext(of(test, "c")))
            if (SUITE.kem_public(seed), secret) != (of(test, "ek"), of(test, "K")):
                wrong.append(test["tcId"])
    assert wrong == []


def test_ml_kem_refuses_seeds_and_ciphertexts_of_another_length() -> None:
    """A seed is our own, so a wrong one is a ValueError; a ciphertext is the peer's."""
    invalid = [test for _, test in wycheproof("mlkem_768") if test["result"] == "invalid"]
    assert invalid
    for test in invalid:
        seed, ciphertext = KemSeed(of(test, "seed")), KemCiphertext(of(test, "c"))
        if len(seed) != 64:
            with pytest.raises(ValueError):
                SUITE.kem_decapsulate(seed, ciphertext)
        else:
            assert refused_as_bad_key(SUITE.kem_decapsulate, seed, ciphertext), test["tcId"]


def test_an_ml_kem_key_with_a_coefficient_past_the_modulus_is_refused() -> None:
    """FIPS 203 §7.2: ByteEncode(ByteDecode(key)) must give the key back."""
    public = SUITE.kem_public(KemSeed(bytes(64)))
    for offset in (0, 3, 1_149):  # three bytes hold two coefficients below 3,329; the last 32 of 1,184 are rho
        bad = public[:offset] + b"\xff\xff\xff" + public[offset + 3 :]
        assert refused_as_bad_key(SUITE.kem_encapsulate, bad)
    exactly = (3_329).to_bytes(2, "little") + public[2:]
    assert refused_as_bad_key(SUITE.kem_encapsulate, exactly)


@pytest.mark.parametrize("length", [0, 1_183, 1_185])
def test_an_ml_kem_key_of_another_length_is_refused(length: int) -> None:
    assert refused_as_bad_key(SUITE.kem_encapsulate, bytes(length))


def test_what_ml_kem_encapsulates_is_what_it_decapsulates() -> None:
    seed = KemSeed(bytes(range(64)))
    secret, ciphertext = SUITE.kem_encapsulate(SUITE.kem_public(seed))
    assert (len(secret), len(ciphertext)) == (32, 1_088)
    assert SUITE.kem_decapsulate(seed, ciphertext) == secret
