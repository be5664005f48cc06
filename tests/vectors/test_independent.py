"""The second implementation against libraries that `protocol` does not use, or not so: vectors are worth what it is."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import mlkem as openssl
from nacl import bindings as sodium

from tests.vectors.independent import blake2, mlkem, primitives

SEEDS = [hashlib.shake_256(bytes((number,))).digest(64) for number in range(3)]


@pytest.mark.parametrize("seed", SEEDS)
def test_ml_kem_makes_the_same_keys_as_openssl(seed: bytes) -> None:
    private = openssl.MLKEM768PrivateKey.from_seed_bytes(seed)
    assert mlkem.public_key(seed) == private.public_key().public_bytes_raw()


@pytest.mark.parametrize("seed", SEEDS)
def test_openssl_opens_what_ml_kem_encapsulates_and_the_other_way(seed: bytes) -> None:
    private = openssl.MLKEM768PrivateKey.from_seed_bytes(seed)
    secret, ciphertext = mlkem.encapsulate(mlkem.public_key(seed), seed[:32])
    assert private.decapsulate(ciphertext) == secret == mlkem.decapsulate(seed, ciphertext)
    secret, ciphertext = private.public_key().encapsulate()
    assert mlkem.decapsulate(seed, ciphertext) == secret


@pytest.mark.parametrize("seed", SEEDS)
def test_ml_kem_rejects_as_silently_as_openssl(seed: bytes) -> None:
    private = openssl.MLKEM768PrivateKey.from_seed_bytes(seed)
    _, ciphertext = mlkem.encapsulate(mlkem.public_key(seed), seed[:32])
    changed = ciphertext[:-1] + bytes((ciphertext[-1] ^ 1,))
    assert mlkem.decapsulate(seed, changed) == private.decapsulate(changed)


@pytest.mark.parametrize("seed", SEEDS)
def test_xchacha20_poly1305_agrees_with_libsodium(seed: bytes) -> None:
    key, nonce = seed[:32], seed[32:56]
    sealed = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(b"text", b"associated", nonce, key)
    assert primitives.seal(key, nonce, b"text", b"associated") == sealed
    assert primitives.unseal(key, nonce, sealed, b"associated") == b"text"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_montgomery_form_of_a_key_agrees_with_libsodium(seed: bytes) -> None:
    public, private = sodium.crypto_sign_seed_keypair(seed[:32])
    assert primitives.ed25519_public(seed[:32]) == public
    assert primitives.montgomery_public(public) == sodium.crypto_sign_ed25519_pk_to_curve25519(public)
    assert primitives.montgomery_private(seed[:32]) == sodium.crypto_sign_ed25519_sk_to_curve25519(private)


def test_hkdf_agrees_with_rfc_5869() -> None:
    """Test cases 1 and 3 of its appendix."""
    first = primitives.hkdf(bytes(range(13)), b"\x0b" * 22, bytes(range(0xF0, 0xFA)), 42)
    assert first.hex() == (
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    )  # fmt: skip
    third = primitives.hkdf(b"", b"\x0b" * 22, b"", 42)
    assert third.hex() == (
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    )  # fmt: skip


@pytest.mark.parametrize("length", [6, 8, 32, 64])
def test_keyed_blake2b_agrees_with_the_standard_library(length: int) -> None:
    for size in (1, 64, 78, 127, 128):
        message = hashlib.shake_256(bytes((size,))).digest(size)
        theirs = hashlib.blake2b(message, key=SEEDS[0][:32], digest_size=length).digest()
        assert blake2.keyed(SEEDS[0][:32], length, message) == theirs
