"""The Double Ratchet with header encryption and ML-KEM-768 at every turn (Spec 4; Double Ratchet rev. 4 §4, §8.5).

Every header repeats DH key, KEM key, ciphertext and counters, so no loss of headers matters. A turn's send half waits
for the next send. A random salt a message is the nonce of header and payload. Each step makes a new state: who does not
save it has changed nothing.
"""

import struct
from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from protocol.crypto import labels
from protocol.crypto.suite import Suite, sha256
from protocol.entropy import Entropy
from protocol.errors import Code, PeerError
from protocol.keys import DhPrivate, DhPublic, KemCiphertext, KemPublic, KemSeed
from protocol.limits import (
    BODY_BYTES,
    MAX_JUMP,
    MAX_OLD_HEADER_KEYS,
    PAYLOAD_BYTES,
    SALT_BYTES,
    SEALED_HEADER_BYTES,
)

_DH_END = 32
_KEM_END = _DH_END + 1_184
_RATCHET_PART = _KEM_END + 1_088
_counters = struct.Struct(">II")
_body = struct.Struct(f"{SALT_BYTES}s {SEALED_HEADER_BYTES}s {BODY_BYTES - SALT_BYTES - SEALED_HEADER_BYTES}s")


class OldChain(Struct, array_like=True, frozen=True):
    """A receiving chain that was left: its header key still opens what was skipped in it. `base` as in Ratchet."""

    turn: int
    header_key: bytes
    base: int


class Ratchet(Struct, array_like=True, frozen=True):
    """One session's state. Keys of 32 bytes except where `protocol.keys` says otherwise.

    `turn` counts the peer's chains from 1. `base` is the number of envelopes of a direction before the current chain,
    so base + N numbers every envelope of a session: its *index*, the same at both ends.
    """

    transcript: bytes
    root: bytes
    dh: DhPrivate
    kem: KemSeed
    peer_dh: DhPublic
    peer_kem: KemPublic
    turn_due: bool
    # sending
    own_part: bytes
    """Own DH key ‖ KEM key ‖ ciphertext of the current sending chain; empty before the first."""
    send_header_key: bytes
    next_send_header_key: bytes
    send_chain: bytes
    send_number: int
    previous_number: int
    send_base: int
    # receiving
    receive_header_key: bytes
    """Empty before the peer's first message."""
    next_receive_header_key: bytes
    receive_chain: bytes
    receive_number: int
    receive_base: int
    turn: int
    old: tuple[OldChain, ...]

    @property
    def send_index(self) -> int:
        """Index of the next envelope to be sealed."""
        return self.send_base + self.send_number

    @property
    def receive_index(self) -> int:
        """One more than the highest index that arrived."""
        return self.receive_base + self.receive_number


class SkippedKey(Struct, frozen=True, gc=False):
    """A message key kept for an envelope that has not come yet."""

    turn: int
    number: int
    index: int
    key: bytes


class Opened(Struct, frozen=True, gc=False):
    """A step's outcome: commit all of it, or none."""

    ratchet: Ratchet
    payload: bytes
    index: int
    skipped: tuple[SkippedKey, ...]
    used: tuple[int, int] | None
    """(turn, number) of the skipped key that opened this envelope: remove it."""


class _Header(NamedTuple):
    plain: bytes
    """DH key ‖ KEM key ‖ ciphertext, and maybe the counters."""
    previous_number: int
    number: int


SkippedKeys = Callable[[int, int], bytes | None]
"""Looks up the key of (turn, number)."""


def as_joiner(
    suite: Suite, entropy: Entropy, transcript: bytes, keys: tuple[bytes, bytes, bytes],
    prekey_dh: DhPublic, prekey_kem: KemPublic, encapsulated: tuple[bytes, KemCiphertext],
) -> Ratchet:  # fmt: skip
    """The joiner's state after sealing nothing: its first chain uses the handshake's own encapsulation.

    `keys`: root, header key joiner, next header key inviter.
    """
    root, header_key, next_receive = keys
    blank = Ratchet(
        transcript, root, DhPrivate(b""), KemSeed(b""), prekey_dh, prekey_kem, True,
        b"", b"", header_key, b"", 0, 0, 0,
        b"", next_receive, b"", 0, 0, 0, (),
    )  # fmt: skip
    return _turn_to_send(suite, entropy, blank, encapsulated)


def as_inviter(
    transcript: bytes, keys: tuple[bytes, bytes, bytes], prekey_dh: DhPrivate, prekey_kem: KemSeed
) -> Ratchet:
    """The inviter's state before the joiner's first header, which turns it like any other."""
    root, header_key, next_send = keys
    return Ratchet(
        transcript, root, prekey_dh, prekey_kem, DhPublic(b""), KemPublic(b""), False,
        b"", b"", next_send, b"", 0, 0, 0,
        b"", header_key, b"", 0, 0, 0, (),
    )  # fmt: skip


def seal(suite: Suite, entropy: Entropy, ratchet: Ratchet, payload: bytes) -> tuple[Ratchet, bytes]:
    """The next state and a 3,840-byte body: salt 24 ‖ sealed header 2,328 ‖ sealed payload 1,488 (Spec 4 §4).

    `payload` is exactly 1,472 bytes. Turns the ratchet first where a turn is due.
    """
    assert len(payload) == PAYLOAD_BYTES
    if ratchet.turn_due:
        ratchet = _turn_to_send(suite, entropy, ratchet, None)
    key, chain = suite.chain(ratchet.send_chain)
    plain = ratchet.own_part + _counters.pack(ratchet.previous_number, ratchet.send_number)
    salt = entropy.secret(SALT_BYTES)
    header = suite.seal(ratchet.send_header_key, salt, plain, ratchet.transcript)
    sealed = suite.seal(key, salt, payload, ratchet.transcript + header)
    return replace(ratchet, send_chain=chain, send_number=ratchet.send_number + 1), salt + header + sealed


def first_key(suite: Suite, ratchet: Ratchet) -> tuple[Ratchet, bytes]:
    """The message key of the handshake envelope (N 0), for the handshake to seal its payload with."""
    key, chain = suite.chain(ratchet.send_chain)
    return replace(ratchet, send_chain=chain, send_number=1), key


def receive_first(suite: Suite, ratchet: Ratchet, part: bytes, open_payload: Callable[[bytes], bytes | None]) -> Opened:
    """The inviter's step on the handshake envelope, whose header is (part, PN 0, N 0). Raises PeerError UNREADABLE."""
    turned, _ = _turn_to_receive(suite, ratchet, _Header(part, 0, 0))
    key, chain = suite.chain(turned.receive_chain)
    payload = open_payload(key)
    if payload is None:
        raise PeerError(Code.UNREADABLE, "a handshake whose payload does not open")
    return Opened(replace(turned, receive_chain=chain, receive_number=1), payload, 0, (), None)


def open_body(suite: Suite, ratchet: Ratchet, body: bytes, skipped: SkippedKeys) -> Opened:
    """Open a body with the current, the next or an old header key (Spec 4 §5).

    Raises PeerError: UNREADABLE (no key opens it, or it was forged), DUPLICATE (its number is consumed), TOO_FAR
    (more than 1,024 numbers would be skipped). The state passed in stays as it was.
    """
    if len(body) != BODY_BYTES:
        raise PeerError(Code.SIZE)
    salt, sealed_header, sealed = _body.unpack(body)

    def header_under(key: bytes) -> _Header | None:
        plain = suite.open(key, salt, sealed_header, ratchet.transcript) if key else None
        return None if plain is None else _Header(plain, *_counters.unpack_from(plain, _RATCHET_PART))

    def payload_under(key: bytes) -> bytes:
        payload = suite.open(key, salt, sealed, ratchet.transcript + sealed_header)
        if payload is None:
            raise PeerError(Code.UNREADABLE, "a payload that does not open")
        return payload

    header = header_under(ratchet.receive_header_key)
    if header is not None:
        if header.number < ratchet.receive_number:
            return _open_skipped(ratchet, ratchet.turn, ratchet.receive_base, header.number, skipped, payload_under)
        return _open_next(suite, ratchet, header, (), payload_under)
    header = header_under(ratchet.next_receive_header_key)
    if header is not None:
        turned, left = _turn_to_receive(suite, ratchet, header)
        return _open_next(suite, turned, header, left, payload_under)
    for chain in ratchet.old:
        header = header_under(chain.header_key)
        if header is not None:
            return _open_skipped(ratchet, chain.turn, chain.base, header.number, skipped, payload_under)
    raise PeerError(Code.UNREADABLE, "no key of this session opens it")


def duplicate_position(suite: Suite, ratchet: Ratchet, body: bytes) -> tuple[int, int] | None:
    """(turn, number) that a readable header names, or None; to tell a duplicate from a fork."""
    salt, sealed_header, _ = _body.unpack(body)
    keys = [(ratchet.turn, ratchet.receive_header_key), *((chain.turn, chain.header_key) for chain in ratchet.old)]
    for turn, key in keys:
        plain = suite.open(key, salt, sealed_header, ratchet.transcript) if key else None
        if plain is not None:
            return turn, _counters.unpack_from(plain, _RATCHET_PART)[1]
    return None


def _open_skipped(
    ratchet: Ratchet, turn: int, base: int, number: int, skipped: SkippedKeys,
    payload_under: Callable[[bytes], bytes],
) -> Opened:  # fmt: skip
    key = skipped(turn, number)
    if key is None:
        raise PeerError(Code.DUPLICATE, f"message {number} of turn {turn} was opened before")
    return Opened(ratchet, payload_under(key), base + number, (), (turn, number))


def _open_next(
    suite: Suite, ratchet: Ratchet, header: _Header, left: tuple[SkippedKey, ...],
    payload_under: Callable[[bytes], bytes],
) -> Opened:  # fmt: skip
    moved, passed = _skip_to(suite, ratchet, header.number, len(left))
    key, chain = suite.chain(moved.receive_chain)
    payload = payload_under(key)
    done = replace(moved, receive_chain=chain, receive_number=header.number + 1)
    return Opened(done, payload, done.receive_base + header.number, left + passed, None)


def _skip_to(suite: Suite, ratchet: Ratchet, number: int, already: int) -> tuple[Ratchet, tuple[SkippedKey, ...]]:
    """Keys of the current chain up to, not including, `number`."""
    if number <= ratchet.receive_number and not already:
        return ratchet, ()
    if number - ratchet.receive_number + already > MAX_JUMP:
        raise PeerError(Code.TOO_FAR, f"{number - ratchet.receive_number + already} envelopes would be skipped")
    chain, keys = ratchet.receive_chain, []
    for passed in range(ratchet.receive_number, number):
        key, chain = suite.chain(chain)
        keys.append(SkippedKey(ratchet.turn, passed, ratchet.receive_base + passed, key))
    return replace(ratchet, receive_chain=chain, receive_number=max(number, ratchet.receive_number)), tuple(keys)


def _turn_to_receive(suite: Suite, ratchet: Ratchet, header: _Header) -> tuple[Ratchet, tuple[SkippedKey, ...]]:
    """The receive half of a turn: finish the old chain, mix the peer's new keys, start its new chain.

    Raises PeerError BAD_KEY: with such keys no answer could be sealed.
    """
    left: tuple[SkippedKey, ...] = ()
    old = ratchet.old
    if ratchet.receive_header_key:
        if header.previous_number < ratchet.receive_number:
            raise PeerError(Code.UNREADABLE, "a header that shortens its previous chain")
        ratchet, left = _skip_to(suite, ratchet, header.previous_number, 0)
        left_chain = OldChain(ratchet.turn, ratchet.receive_header_key, ratchet.receive_base)
        old = (left_chain, *old)[:MAX_OLD_HEADER_KEYS]
    part = header.plain[:_RATCHET_PART]
    peer_dh, peer_kem = DhPublic(part[:_DH_END]), KemPublic(part[_DH_END:_KEM_END])
    suite.kem_check(peer_kem)
    secret = suite.dh(ratchet.dh, peer_dh) + suite.kem_decapsulate(ratchet.kem, KemCiphertext(part[_KEM_END:]))
    root, chain, next_header_key = _root_step(suite, ratchet.root, secret, part)
    turned = replace(
        ratchet,
        root=root,
        peer_dh=peer_dh,
        peer_kem=peer_kem,
        turn_due=True,
        receive_header_key=ratchet.next_receive_header_key,
        next_receive_header_key=next_header_key,
        receive_chain=chain,
        receive_number=0,
        receive_base=ratchet.receive_index,
        turn=ratchet.turn + 1,
        old=old,
    )
    return turned, left


def _turn_to_send(
    suite: Suite, entropy: Entropy, ratchet: Ratchet, encapsulated: tuple[bytes, KemCiphertext] | None
) -> Ratchet:
    """The send half of a turn, with fresh keys; `encapsulated` only in the handshake, which did it already."""
    dh, kem = DhPrivate(entropy.secret(32)), KemSeed(entropy.secret(64))
    shared, ciphertext = encapsulated or suite.kem_encapsulate(ratchet.peer_kem)
    part = suite.dh_public(dh) + suite.kem_public(kem) + ciphertext
    root, chain, next_header_key = _root_step(suite, ratchet.root, suite.dh(dh, ratchet.peer_dh) + shared, part)
    return replace(
        ratchet,
        root=root,
        dh=dh,
        kem=kem,
        turn_due=False,
        own_part=part,
        send_header_key=ratchet.next_send_header_key,
        next_send_header_key=next_header_key,
        send_chain=chain,
        previous_number=ratchet.send_number,
        send_number=0,
        send_base=ratchet.send_index,
    )


def _root_step(suite: Suite, root: bytes, secret: bytes, part: bytes) -> tuple[bytes, bytes, bytes]:
    """Root, chain key and next header key, 32 bytes each (Spec 4 §3)."""
    keys = suite.kdf(root, secret, labels.RATCHET_ROOT + sha256(part), 96)
    return keys[:32], keys[32:64], keys[64:]
