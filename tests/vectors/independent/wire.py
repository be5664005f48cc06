"""Canonical msgpack by the `msgpack` library, frames, envelopes, items and what is signed (Specs 2, 5, 7 and 8)."""

from collections.abc import Sequence

import msgpack

from tests.vectors.independent.primitives import blake2b, ed25519_public, sha256, sign

COMMANDS = {
    "create": 1, "claim": 2, "settle": 3, "prove": 4, "subscribe": 5, "deposit": 6, "ack": 7, "drop": 8, "via": 9,
    "forward": 10, "onion": 11, "describe": 12, "info": 15,
    "shape": 16, "publish": 17, "lookup": 18,
    "done": 32, "claimed": 33, "subscribed": 34, "stored": 35, "refused": 36, "custody": 37,
    "delivery": 38, "marker": 39, "ended": 40, "described": 41, "reachable": 42, "returned": 43, "kept": 44,
}  # fmt: skip
ITEMS = {"received": 1, "fragment": 2, "receipt": 3, "new_routes": 4, "profile": 5, "senders": 6, "discovery": 7}


def pack(value: object) -> bytes:
    """The library's smallest encoding, which is the canonical one."""
    packed = msgpack.packb(value, use_bin_type=True)
    assert isinstance(packed, bytes)
    return packed


def frame(commands: Sequence[bytes], slots: int) -> bytes:
    """Plaintext of a frame: u16 length ‖ array ‖ zeros, 16 bytes short of its slots."""
    array = _array_header(len(commands)) + b"".join(commands)
    plaintext = len(array).to_bytes(2, "big") + array
    assert len(plaintext) <= slots * 4_096 - 16
    return plaintext.ljust(slots * 4_096 - 16, b"\0")


def payload(items: Sequence[bytes], size: int) -> bytes:
    """u16 length ‖ array of items ‖ zeros."""
    array = _array_header(len(items)) + b"".join(items)
    return (len(array).to_bytes(2, "big") + array).ljust(size, b"\0")


def _array_header(length: int) -> bytes:
    return bytes((0x90 | length,)) if length < 16 else b"\xdc" + length.to_bytes(2, "big")


def digest(send_id: bytes, body: bytes) -> bytes:
    """An envelope's name everywhere, 32 bytes."""
    return blake2b(b"\x01", send_id, body)


def envelope(sender_seed: bytes, send_id: bytes, body: bytes) -> bytes:
    """3,929 bytes."""
    signature = sign(sender_seed, b"kassiber 1 sign envelope" + digest(send_id, body))
    return pack([1, send_id, body, signature])


def receive_id(recipient_key: bytes) -> bytes:
    """16 bytes."""
    return sha256(b"kassiber 1 receive id", recipient_key)[:16]


def create_message(
    handshake_hash: bytes, recipient_key: bytes, send_id: bytes, claim_key: bytes, link: Sequence[object] | None
) -> bytes:
    """Bound to the session and to all that is asked for."""
    asked = sha256(pack([recipient_key, send_id, claim_key, link]))
    return b"kassiber 1 sign create" + handshake_hash + asked


def claim_message(relay_key: bytes, identifier: bytes, sender_key: bytes) -> bytes:
    """Bound to the relay, not to the session."""
    return b"kassiber 1 sign claim" + relay_key + identifier + sender_key


def prove_message(handshake_hash: bytes, role: int, identifier: bytes) -> bytes:
    """Bound to the session and to one role."""
    return b"kassiber 1 sign prove" + handshake_hash + bytes((role,)) + identifier


def custody_message(minute: int, retention_days: int, digests: Sequence[bytes]) -> bytes:
    """One for all digests, in the order of the `stored` replies."""
    fixed = minute.to_bytes(4, "big") + retention_days.to_bytes(2, "big")
    return b"kassiber 1 sign custody" + fixed + blake2b(*digests)


def public_of(seed: bytes) -> bytes:
    """The Ed25519 public key of a seed."""
    return ed25519_public(seed)
