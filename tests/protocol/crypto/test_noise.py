"""Noise NK and NNpsk0 against others' vectors; NKhfs against a second writing, of cryptography and hashlib."""

import hashlib
import hmac

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.crypto import noise
from protocol.crypto.suite import RealSuite
from protocol.errors import Code, PeerError
from protocol.keys import DhPrivate, DhPublic, KemSeed, RelayKey
from tests.vectors.public import load

SUITE = RealSuite()
STATIC, EPHEMERAL_I, EPHEMERAL_R = (DhPrivate(bytes([n]) * 32) for n in (1, 2, 3))
SEED = KemSeed(b"\x04" * 64)


def pair(hybrid: bool = True) -> tuple[noise.Initiator, noise.Responder]:
    static = SUITE.dh_public(STATIC)
    return (
        noise.Initiator(SUITE, static, EPHEMERAL_I, SEED, hybrid=hybrid),
        noise.Responder(SUITE, STATIC, EPHEMERAL_R, hybrid=hybrid),
    )


def test_nk_agrees_with_the_public_vectors() -> None:
    for vector in load("noise_nk.json")["vectors"]:
        unhex = {key: bytes.fromhex(value) for key, value in vector.items() if isinstance(value, str) and "_" in key[1:]
                 and key != "protocol_name"}  # fmt: skip
        initiator = noise.Initiator(
            SUITE, DhPublic(unhex["init_remote_static"]), DhPrivate(unhex["init_ephemeral"]), KemSeed(b""),
            prologue=unhex["init_prologue"], hybrid=False,
        )  # fmt: skip
        responder = noise.Responder(
            SUITE, DhPrivate(unhex["resp_static"]), DhPrivate(unhex["resp_ephemeral"]),
            prologue=unhex["resp_prologue"], hybrid=False,
        )  # fmt: skip
        messages = [(bytes.fromhex(m["payload"]), bytes.fromhex(m["ciphertext"])) for m in vector["messages"]]
        assert initiator.write(messages[0][0]) == messages[0][1]
        assert responder.read(messages[0][1]) == messages[0][0]
        second, theirs = responder.write(messages[1][0])
        assert second == messages[1][1]
        payload, ours = initiator.read(second)
        assert payload == messages[1][0]
        assert ours.handshake_hash == theirs.handshake_hash == unhex["handshake_hash"]
        for number, (payload, sealed) in enumerate(messages[2:]):
            writer, reader = (ours, theirs) if number % 2 == 0 else (theirs, ours)
            assert writer.sending.encrypt(payload) == sealed
            assert reader.receiving.decrypt(sealed) == payload


def pair_of_secret(psk: bytes = bytes(32), hybrid: bool = True) -> tuple[noise.Initiator, noise.Responder]:
    return (
        noise.Initiator(SUITE, None, EPHEMERAL_I, SEED, psk=psk, hybrid=hybrid),
        noise.Responder(SUITE, None, EPHEMERAL_R, psk=psk, hybrid=hybrid),
    )


def test_nnpsk0_agrees_with_another_implementation() -> None:
    """Keys, secret, prologue and payloads are those of cacophony's vectors; noiseprotocol 0.3.1 made these messages."""
    psk, prologue = b"This is my Austrian perspective!", b"John Galt"
    ephemeral_i = DhPrivate(bytes.fromhex("893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a"))
    ephemeral_r = DhPrivate(bytes.fromhex("bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b"))
    initiator = noise.Initiator(SUITE, None, ephemeral_i, SEED, psk=psk, prologue=prologue, hybrid=False)
    responder = noise.Responder(SUITE, None, ephemeral_r, psk=psk, prologue=prologue, hybrid=False)
    first = initiator.write(b"Ludwig von Mises")
    assert first.hex() == (
        "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944"
        "79b962b8aff8485742ac32f905ba45369e2465fb59e138a93d67a0d1266b6a54"
    )
    assert responder.read(first) == b"Ludwig von Mises"
    second, theirs = responder.write(b"Murray Rothbard")
    assert second.hex() == (
        "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843"
        "d6062704d5a9c422a8e834423f8c1feada7e8d0d910a1a2cd030fb584221e3"
    )
    _, ours = initiator.read(second)
    assert ours.handshake_hash.hex() == "f4d03dc34495c95729ea6de9e1b59004b59733102488b3e24bc441e0be208eaf"
    assert ours.sending.encrypt(b"F. A. Hayek").hex() == "e632c3763d7669067383433197a3baddf146e9e70ad4b4e9e59e0f"
    assert theirs.sending.encrypt(b"Carl Menger").hex() == "64c6bee32ea91c8474bb4c21d7a700109ad45af77b29764ba5eb1e"


@pytest.mark.parametrize("hybrid", [True, False])
def test_a_session_that_rests_on_a_secret(hybrid: bool) -> None:
    initiator, responder = pair_of_secret(hybrid=hybrid)
    assert responder.read(initiator.write(b"one")) == b"one"
    second, theirs = responder.write(b"two")
    payload, ours = initiator.read(second)
    assert payload == b"two"
    assert ours.handshake_hash == theirs.handshake_hash
    assert theirs.receiving.decrypt(ours.sending.encrypt(b"up")) == b"up"
    assert ours.receiving.decrypt(theirs.sending.encrypt(b"down")) == b"down"


def test_without_the_secret_there_is_no_session() -> None:
    initiator, _ = pair_of_secret()
    for stranger in (pair_of_secret(b"\1" * 32)[1], pair()[1]):
        with pytest.raises(PeerError) as refused:
            stranger.read(initiator.write(b""))
        assert refused.value.code is Code.NOISE
        initiator, _ = pair_of_secret()
    initiator, responder = pair_of_secret()
    responder.read(initiator.write(b""))
    impostor = noise.Responder(SUITE, None, EPHEMERAL_R, psk=b"\2" * 32)
    other, _ = pair_of_secret(b"\2" * 32)
    impostor.read(other.write(b""))
    with pytest.raises(PeerError) as refused:
        initiator.read(impostor.write(b"")[0])
    assert refused.value.code is Code.NOISE


@given(st.data())
@settings(max_examples=60)
def test_a_changed_or_cut_message_is_refused_with_a_secret_too(data: st.DataObject) -> None:
    initiator, responder = pair_of_secret()
    first = initiator.write(bytes(40))
    with pytest.raises(PeerError) as refused:
        pair_of_secret()[1].read(change(data, first))
    assert refused.value.code is Code.NOISE
    responder.read(first)
    second, _ = responder.write(bytes(40))
    with pytest.raises(PeerError) as refused:
        initiator.read(change(data, second))
    assert refused.value.code is Code.NOISE


class SecondWriting:
    """The responder of NKhfs, straight from the two documents, with no line in common with the project's."""

    def __init__(self) -> None:
        self.static = X25519PrivateKey.from_private_bytes(STATIC)
        self.ephemeral = X25519PrivateKey.from_private_bytes(EPHEMERAL_R)
        self.h = self.ck = hashlib.sha256(b"Noise_NKhfs_25519+MLKEM768_ChaChaPoly_SHA256").digest()
        self.k, self.n = b"", 0
        self.absorb(b"kassiber.1")
        self.absorb(self.static.public_key().public_bytes_raw())

    def absorb(self, value: bytes) -> None:
        self.h = hashlib.sha256(self.h + value).digest()

    def expand(self, secret: bytes) -> tuple[bytes, bytes]:
        key = hmac.new(self.ck, secret, "sha256").digest()
        one = hmac.new(key, b"\1", "sha256").digest()
        return one, hmac.new(key, one + b"\2", "sha256").digest()

    def mix(self, secret: bytes) -> None:
        self.ck, self.k = self.expand(secret)
        self.n = 0

    def cipher(self, seal: bool, value: bytes) -> bytes:
        aead, nonce = ChaCha20Poly1305(self.k), bytes(4) + self.n.to_bytes(8, "little")
        self.n += 1
        done = aead.encrypt(nonce, value, self.h) if seal else aead.decrypt(nonce, value, self.h)
        self.absorb(done if seal else value)
        return done

    def answer(self, first: bytes, payload: bytes) -> tuple[bytes, bytes]:
        self.absorb(first[:32])
        remote = X25519PublicKey.from_public_bytes(first[:32])
        self.mix(self.static.exchange(remote))
        kem = self.cipher(False, first[32 : 32 + 1_200])
        self.opened = self.cipher(False, first[1_232:])
        public = self.ephemeral.public_key().public_bytes_raw()
        self.absorb(public)
        self.mix(self.ephemeral.exchange(remote))
        secret, ciphertext = MLKEM768PrivateKey.from_seed_bytes(SEED).public_key().encapsulate()
        assert MLKEM768PrivateKey.from_seed_bytes(SEED).public_key().public_bytes_raw() == kem
        sealed = self.cipher(True, ciphertext)
        self.mix(secret)
        return public + sealed + self.cipher(True, payload), secret


def test_nkhfs_agrees_with_a_second_writing_of_it() -> None:
    initiator, _ = pair()
    other = SecondWriting()
    second, _ = other.answer(initiator.write(b"offer"), b"answer")
    assert other.opened == b"offer"
    payload, session = initiator.read(second)
    assert payload == b"answer"
    assert session.handshake_hash == other.h
    to_responder, to_initiator = other.expand(b"")
    sealed = session.sending.encrypt(b"first")
    assert ChaCha20Poly1305(to_responder).decrypt(bytes(12), sealed, None) == b"first"
    assert session.receiving.decrypt(ChaCha20Poly1305(to_initiator).encrypt(bytes(12), b"back", None)) == b"back"
    with pytest.raises(InvalidTag):
        ChaCha20Poly1305(to_initiator).decrypt(bytes(12), sealed, None)


@pytest.mark.parametrize("hybrid", [True, False])
def test_both_ends_agree_and_talk_in_both_directions(hybrid: bool) -> None:
    initiator, responder = pair(hybrid)
    assert responder.read(initiator.write(b"one")) == b"one"
    second, theirs = responder.write(b"two")
    payload, ours = initiator.read(second)
    assert payload == b"two"
    assert ours.handshake_hash == theirs.handshake_hash
    for number in range(3):
        assert theirs.receiving.decrypt(ours.sending.encrypt(bytes([number]))) == bytes([number])
        assert ours.receiving.decrypt(theirs.sending.encrypt(bytes([number]))) == bytes([number])


def test_handshake_messages_have_the_overhead_that_the_spec_says() -> None:
    initiator, responder = pair()
    first = initiator.write(bytes(2_848))
    responder.read(first)
    second, _ = responder.write(bytes(2_944))
    assert len(first) == 2_848 + noise.FIRST_OVERHEAD == 4_096
    assert len(second) == 2_944 + noise.SECOND_OVERHEAD == 4_096


@given(st.data())
@settings(max_examples=60)
def test_a_changed_or_cut_handshake_message_is_refused(data: st.DataObject) -> None:
    initiator, responder = pair()
    first = initiator.write(bytes(40))
    bad = change(data, first)
    with pytest.raises(PeerError) as refused:
        pair()[1].read(bad)
    assert refused.value.code is Code.NOISE
    responder.read(first)
    second, _ = responder.write(bytes(40))
    with pytest.raises(PeerError) as refused:
        initiator.read(change(data, second))
    assert refused.value.code is Code.NOISE


def change(data: st.DataObject, message: bytes) -> bytes:
    place = data.draw(st.integers(0, len(message) - 1))
    if data.draw(st.booleans()):
        return message[:place]
    if place == 31:  # the top bit of an X25519 coordinate is masked, but hashed: still another message
        return message[:31] + bytes([message[31] ^ 0x80]) + message[32:]
    return message[:place] + bytes([message[place] ^ data.draw(st.integers(1, 255))]) + message[place + 1 :]


def test_a_small_order_ephemeral_key_is_refused() -> None:
    _, responder = pair()
    with pytest.raises(PeerError) as refused:
        responder.read(bytes(4_096))
    assert refused.value.code is Code.NOISE


def test_a_relay_with_another_key_cannot_answer() -> None:
    initiator, _ = pair()
    impostor = noise.Responder(SUITE, DhPrivate(b"\x09" * 32), EPHEMERAL_R)
    with pytest.raises(PeerError) as refused:
        impostor.read(initiator.write(b""))
    assert refused.value.code is Code.NOISE


def test_another_prologue_is_another_protocol() -> None:
    initiator = noise.Initiator(SUITE, SUITE.dh_public(STATIC), EPHEMERAL_I, SEED, prologue=b"kassiber.2")
    with pytest.raises(PeerError):
        pair()[1].read(initiator.write(b""))


def test_a_replayed_or_forged_message_leaves_the_counter_where_it_was() -> None:
    initiator, responder = pair()
    responder.read(initiator.write(b""))
    second, theirs = responder.write(b"")
    ours = initiator.read(second)[1]
    first = ours.sending.encrypt(b"first")
    assert theirs.receiving.decrypt(first) == b"first"
    for bad in (first, b"", bytes(16), bytes(4_096)):
        with pytest.raises(PeerError):
            theirs.receiving.decrypt(bad)
    assert theirs.receiving.decrypt(ours.sending.encrypt(b"second")) == b"second"


def test_a_relays_signing_key_and_public_key_give_one_static_key() -> None:
    signing = SUITE.signing_key(b"\x05" * 32)
    public = SUITE.relay_dh_public(RelayKey(signing[32:]))
    assert SUITE.dh_public(SUITE.relay_dh_private(signing)) == public
    with pytest.raises(PeerError) as refused:
        SUITE.relay_dh_public(RelayKey(b"\xff" * 32))
    assert refused.value.code is Code.BAD_KEY
