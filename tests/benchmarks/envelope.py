"""Envelope: seal and open one whole envelope (ratchet, signature, msgpack) against the bare calls that it needs

The floor is measured in the same run, in turns with the real thing: libsodium, OpenSSL, hashlib and msgspec called with
the same sizes and nothing around them. Rows give the median of the pairs. libsignal 0.103's sealed sender, from Node,
took 605 µs on a machine of this kind.
"""

import gc
import hashlib
import hmac
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import mlkem
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import msgpack
from nacl import bindings as sodium
from nacl.exceptions import CryptoError

from node.entropy import SystemEntropy
from protocol.crypto.suite import RealSuite
from protocol.envelope.envelope import parse_envelope, seal_envelope
from protocol.envelope.items import Fragment, Item, Received, encode_item, pad_items, unpad_items
from protocol.keys import DhPrivate, KemSeed, MessageId, SendId
from protocol.limits import PAYLOAD_BYTES
from protocol.session import ratchet
from tests.benchmarks.table import Row

SUITE = RealSuite()
ENTROPY = SystemEntropy()
LIBSIGNAL_MICROSECONDS = 605.0
_ROUNDS = 40


class _Pair:
    """Two ends of a session, with their state."""

    def __init__(self) -> None:
        prekey, kem = DhPrivate(os.urandom(32)), KemSeed(os.urandom(64))
        keys = (os.urandom(32), os.urandom(32), os.urandom(32))
        encapsulated = SUITE.kem_encapsulate(SUITE.kem_public(kem))
        transcript = os.urandom(32)
        joiner = ratchet.as_joiner(
            SUITE, ENTROPY, transcript, keys, SUITE.dh_public(prekey), SUITE.kem_public(kem), encapsulated
        )
        inviter = ratchet.as_inviter(transcript, keys, prekey, kem)
        joiner, key = ratchet.first_key(SUITE, joiner)
        self.ends = [ratchet.receive_first(SUITE, inviter, joiner.own_part, lambda found: found).ratchet, joiner]
        assert key
        self.signing = SUITE.signing_key(os.urandom(32))
        self.send_id = SendId(os.urandom(16))
        self.message = MessageId(os.urandom(16))
        self.chunk = os.urandom(1_024)

    def exchange(self, sender: int) -> None:
        """One envelope from one end to the other: all that a node does for it but storing and sending."""
        items: list[Item] = [Received(1, 1, []), Fragment(self.message, 0, 1, self.chunk)]
        payload = pad_items([encode_item(item) for item in items], PAYLOAD_BYTES)
        self.ends[sender], body = ratchet.seal(SUITE, ENTROPY, self.ends[sender], payload)
        envelope, _ = seal_envelope(SUITE, self.signing, self.send_id, body)
        parsed = parse_envelope(envelope)
        opened = ratchet.open_body(SUITE, self.ends[1 - sender], parsed.body, _no_skipped)
        self.ends[1 - sender] = opened.ratchet
        assert len(unpad_items(opened.payload)) == len(items)


def _no_skipped(turn: int, number: int) -> bytes | None:
    return None


def _one_way(pair: _Pair) -> None:
    pair.exchange(0)


def _both_ways(pair: _Pair) -> None:
    """Two envelopes, each with a turn."""
    pair.exchange(0)
    pair.exchange(1)


def bare_one_way() -> Callable[[], None]:
    """The calls of one envelope without a turn: nothing can seal, sign and open it with fewer."""
    key, salt, signing = os.urandom(32), os.urandom(24), sodium.crypto_sign_seed_keypair(os.urandom(32))[1]
    header, payload, transcript, longer = os.urandom(2_312), os.urandom(1_472), os.urandom(32), os.urandom(2_360)
    seal, unseal = (
        sodium.crypto_aead_xchacha20poly1305_ietf_encrypt,
        sodium.crypto_aead_xchacha20poly1305_ietf_decrypt,
    )
    body = os.urandom(3_857)
    items: list[Item] = [Received(1, 1, []), Fragment(MessageId(os.urandom(16)), 0, 1, os.urandom(1_024))]
    encode, decode = msgpack.Encoder().encode, msgpack.Decoder(list[Item]).decode

    def run() -> None:
        os.urandom(24)
        for _ in range(2):
            hmac.digest(key, b"\x01", "sha256")
            hmac.digest(key, b"\x02", "sha256")
        encoded = encode(items)
        sealed_header, sealed = seal(header, transcript, salt, key), seal(payload, longer, salt, key)
        sodium.crypto_sign(hashlib.blake2b(body, digest_size=32).digest(), signing)
        unseal(sealed_header, transcript, salt, key)
        unseal(sealed, longer, salt, key)
        encode(decode(encoded))

    return run


def _bare_turn() -> Callable[[], None]:
    """What a turn adds to one envelope: both halves of it, and a header key that is tried in vain."""
    one_way = bare_one_way()
    private = os.urandom(32)
    public = sodium.crypto_scalarmult_base(os.urandom(32))
    pair = mlkem.MLKEM768PrivateKey.from_seed_bytes(os.urandom(64))
    raw = pair.public_key().public_bytes_raw()
    ciphertext = mlkem.MLKEM768PublicKey.from_public_bytes(raw).encapsulate()[1]
    part, salt, key, wrong = os.urandom(2_304), os.urandom(24), os.urandom(32), os.urandom(2_328)

    def run() -> None:
        one_way()
        os.urandom(96)
        mlkem.MLKEM768PrivateKey.from_seed_bytes(os.urandom(64)).public_key().public_bytes_raw()
        mlkem.MLKEM768PublicKey.from_public_bytes(raw).encapsulate()
        sodium.crypto_scalarmult_base(private)
        for _ in range(2):
            sodium.crypto_scalarmult(private, public)
            HKDF(SHA256(), length=96, salt=key, info=hashlib.sha256(part).digest()).derive(key)
        pair.decapsulate(ciphertext)
        try:
            sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(wrong, key, salt, key)
        except CryptoError:
            pass

    return run


def _microseconds(action: Callable[[], Any], times: int) -> float:
    begun = time.thread_time()
    for _ in range(times):
        action()
    return (time.thread_time() - begun) / times * 1e6


def _paired(action: Callable[[], Any], floor: Callable[[], Any], each: int, times: int) -> tuple[float, float, float]:
    """Median µs of action and floor, and the median of their ratios round by round; `each` envelopes an action."""
    rounds: list[tuple[float, float]] = []
    action(), floor()
    gc.collect()
    gc.disable()
    try:
        rounds.extend((_microseconds(action, times) / each, _microseconds(floor, times)) for _ in range(_ROUNDS))
    finally:
        gc.enable()
    return (
        statistics.median(one for one, _ in rounds),
        statistics.median(other for _, other in rounds),
        statistics.median(one / other for one, other in rounds),
    )


def measure(full: bool, only: str) -> list[Row]:
    """`full` changes nothing here."""
    pair = _Pair()
    shape, turning = "1 KiB, one way", "1 KiB, each turns"
    one_way, floor, ratio = _paired(lambda: _one_way(pair), bare_one_way(), 1, 100)
    turn, turn_floor, turn_ratio = _paired(lambda: _both_ways(pair), _bare_turn(), 2, 20)
    rows = [
        Row("floor: the bare calls", shape, floor, "µs CPU"),
        Row("seal + open", shape, one_way, "µs CPU"),
        Row("against the floor", shape, ratio, "x", most=1.2),
        Row("faster than libsignal's sealed sender", shape, LIBSIGNAL_MICROSECONDS / one_way, "x", least=2.5),
        Row("floor: the bare calls", turning, turn_floor, "µs CPU"),
        Row("seal + open", turning, turn, "µs CPU"),
        Row("against the floor", turning, turn_ratio, "x", most=1.2),
    ]
    return [row for row in rows if only in row.name]
