"""Contacts, relays and nodes that hold the right keys and mean harm: fuzzing reaches behind what they seal.

Each function takes fuzzed bytes where the protocol has a plaintext, seals them as the protocol would, and hands them to
the victim.
"""

from random import Random

from protocol.crypto import labels
from protocol.crypto.labels import ONION, SIGN_RELAY_LIST
from protocol.crypto.noise import CipherState, Initiator, Responder
from protocol.crypto.suite import RealSuite, sha256
from protocol.discovery.people import VisibleAnnouncement, encode_visible_txt
from protocol.discovery.visible import Called
from protocol.envelope.envelope import seal_envelope
from protocol.forwarding.onion import open_onion, open_reply
from protocol.keys import (
    ClaimSeed,
    DhPrivate,
    InvitationSecret,
    KemPublic,
    KemSeed,
    Minute,
    PublisherKey,
    RelayKey,
    Request,
    SendId,
)
from protocol.limits import BODY_BYTES, FIRST_PAYLOAD_BYTES, INVITATION_PADDED_BYTES, PAYLOAD_BYTES, SALT_BYTES
from protocol.link import offers
from protocol.link.initiator import InitiatorLink
from protocol.link.responder import ResponderLink
from protocol.relays.card import read_card
from protocol.relays.relay_list import ListedRelay, RelayList, read_list
from protocol.relays.selection import merge
from protocol.session import handshake, ratchet
from protocol.session.identity import make_identity
from protocol.session.invitation import Invitation, Route, decode_invitation, format_link, link_keys, open_invitation
from protocol.timing import Timing
from protocol.wire.addresses import Host
from protocol.wire.codec import encode
from protocol.wire.commands import Deposit
from protocol.wire.frames import MAX_COMMAND_BYTES, encode_frame

_HEADER_BYTES = 32 + 1_184 + 1_088 + 8
_FRAME_BYTES = MAX_COMMAND_BYTES + 2
_DEPOSITS = 64
_ONION_CONTENT_BYTES = 3_945
_SLOT_PLAINTEXT_BYTES = 4_080


class Dice:
    """Entropy of a seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def secret(self, length: int) -> bytes:
        return self._random.randbytes(length)

    def uniform(self) -> float:
        return self._random.random()


VISIBLE_TXT = encode_visible_txt(VisibleAnnouncement(bytes(16), "Bob"))
VISIBLE_CALL = (1, "Alice", sha256(labels.VISIBLE_COMMITMENT, bytes(32)))


def visible_call(data: bytes) -> str:
    """The first frame of whoever calls somebody visible."""
    called, sending = _stranger()
    return called.read_call(sending.encrypt(_fit(data, _SLOT_PLAINTEXT_BYTES)))


def visible_opening(data: bytes) -> None:
    """The second."""
    called, sending = _stranger()
    called.read_call(sending.encrypt(encode_frame([VISIBLE_CALL])))
    called.answer()
    called.read_opening(sending.encrypt(_fit(data, _SLOT_PLAINTEXT_BYTES)))


def _stranger() -> tuple[Called, CipherState]:
    called = Called(SUITE, DICE, VISIBLE_TXT)
    psk = SUITE.kdf(None, VISIBLE_TXT, labels.VISIBLE_PSK, 32)
    initiator = Initiator(SUITE, None, DhPrivate(DICE.secret(32)), KemSeed(DICE.secret(64)), psk=psk)
    _, session = initiator.read(called.welcome(initiator.write(bytes(2_848))))
    return called, session.sending


def _fit(data: bytes, length: int) -> bytes:
    return data[:length].ljust(length, b"\0")


SUITE, DICE = RealSuite(), Dice(1)
RELAY_KEY = SUITE.signing_key(bytes(32))
RELAY = RelayKey(RELAY_KEY[32:])
ONION_KEY = DhPrivate(bytes(range(32)))
SECRET = InvitationSecret(bytes(32))

# An inviter, and a joiner whose handshake it has opened and answered.
_inviter, _joiner = make_identity(SUITE, DICE), make_identity(SUITE, DICE)
_prekeys = handshake.Prekeys(DhPrivate(DICE.secret(32)), KemSeed(DICE.secret(64)))
INVITATION = encode(
    Invitation(
        version=1,
        identity=_inviter.identity,
        prekey_dh=SUITE.dh_public(_prekeys.dh),
        prekey_kem=SUITE.kem_public(_prekeys.kem),
        routes=[Route("ws://relay.example:4040", RELAY, SendId(DICE.secret(16)), ClaimSeed(DICE.secret(32)), False)],
        expiry=30_000_000,
        restricted_to=None,
    )
)
_psk = bytes(32)
_joined, HANDSHAKE = handshake.join(
    SUITE, DICE, _joiner, decode_invitation(INVITATION), INVITATION, _psk, bytes(FIRST_PAYLOAD_BYTES)
)
_victim = handshake.receive(SUITE, _inviter, _prekeys, INVITATION, _psk, HANDSHAKE)[0].ratchet
_victim, _answer = ratchet.seal(SUITE, DICE, _victim, bytes(PAYLOAD_BYTES))
_contact = ratchet.open_body(SUITE, _joined.ratchet, _answer, lambda turn, number: None).ratchet
CONTACT_KEM = _contact.peer_kem
BODY = ratchet.seal(SUITE, DICE, _contact, bytes(PAYLOAD_BYTES))[1]


class _Liar(RealSuite):
    """Gives out these bytes as its ML-KEM key."""

    def __init__(self, key: bytes) -> None:
        super().__init__()
        self._key = key

    def kem_public(self, seed: KemSeed) -> KemPublic:
        return KemPublic(self._key)


_CARD_LINK = format_link(((Host("ws", "relay.example", 1), RELAY),), InvitationSecret(bytes(32)))
CARD = encode(("alice", RELAY, RELAY + bytes(32), 7, 29_720_000, [_CARD_LINK]))


def card(data: bytes) -> None:
    """The content of a card of somebody who signs whatever they like."""
    signature = SUITE.sign(RELAY_KEY, labels.SIGN_CARD + sha256(data))
    read_card(SUITE, encode(("kassiber card", 1, data, signature)), RELAY, Minute(29_719_000))


def handshake_body(data: bytes) -> None:
    """Any body as a handshake."""
    handshake.receive(SUITE, _inviter, _prekeys, INVITATION, _psk, _fit(data, BODY_BYTES))


def ratchet_body(data: bytes) -> None:
    """Any body in a session."""
    ratchet.open_body(SUITE, _victim, data, lambda turn, number: None)


def ratchet_header(data: bytes) -> None:
    """Any header, under the keys of the contact's current and next chain, before a payload that does not open."""
    for key in (_contact.send_header_key, _contact.next_send_header_key):
        salt = bytes(SALT_BYTES)
        header = SUITE.seal(key, salt, _fit(data, _HEADER_BYTES), _contact.transcript)
        ratchet_body(_fit(salt + header, BODY_BYTES))


def ratchet_kem_key(data: bytes) -> None:
    """Any ML-KEM key in a header that opens. What is accepted can be answered."""
    body = ratchet.seal(_Liar(_fit(data, 1_184)), DICE, _contact, bytes(PAYLOAD_BYTES))[1]
    opened = ratchet.open_body(SUITE, _victim, body, lambda turn, number: None)
    try:
        ratchet.seal(SUITE, DICE, opened.ratchet, bytes(PAYLOAD_BYTES))
    except Exception as error:
        raise AssertionError("what was accepted cannot be answered") from error


def sealed_invitation(data: bytes) -> None:
    """Any plaintext where a relay keeps an invitation: made by whoever made the link."""
    keys, salt = link_keys(SUITE, SECRET, RELAY), bytes(SALT_BYTES)
    padded = _fit(data, INVITATION_PADDED_BYTES)
    sealed = salt + SUITE.seal(keys.key, salt, padded, RELAY + keys.link_id)
    decode_invitation(open_invitation(SUITE, keys, RELAY, sealed))


def onion(data: bytes) -> None:
    """Any plaintext in an onion that is well sealed: anybody can make one."""
    public = SUITE.dh_public(ONION_KEY)
    sealed, _ = SUITE.hpke_seal(DhPrivate(DICE.secret(32)), public, ONION + RELAY, _fit(data, _ONION_CONTENT_BYTES))
    open_onion(SUITE, RELAY, ONION_KEY, b"\x01" + sealed)


def onion_reply(data: bytes) -> None:
    """Any plaintext in a reply of the destination's."""
    open_reply(SUITE, bytes(32), SUITE.seal_frame(bytes(32), 0, data, b""))


class HostileNode:
    """Speaks Noise with a relay's link, and puts any bytes into frames."""

    def __init__(self) -> None:
        shaking = Initiator(SUITE, SUITE.relay_dh_public(RELAY), DhPrivate(DICE.secret(32)), KemSeed(DICE.secret(64)))
        self._victim = ResponderLink(SUITE, DICE, Timing(), RELAY_KEY, 0.0)
        self._victim.receive(shaking.write(offers.offer()), 0.0)
        answer = self._victim.transmit(0.0)
        assert answer is not None
        self._session = shaking.read(answer)[1]

    def send(self, data: bytes) -> None:
        """`data` is the plaintext of an 8-slot frame, cut or filled up with zeros."""
        self._victim.receive(self._session.sending.encrypt(_fit(data, _FRAME_BYTES)), 0.0)


class HostileRelay:
    """Speaks Noise with a node's link that awaits answers to deposits 0 to 63, and puts any bytes into frames."""

    def __init__(self) -> None:
        self._victim = InitiatorLink(SUITE, DICE, Timing(), RELAY, 0.0)
        shaking = Responder(SUITE, SUITE.relay_dh_private(RELAY_KEY), DhPrivate(DICE.secret(32)))
        first = self._victim.transmit(0.0)
        assert first is not None
        answer, self._session = shaking.write(offers.choose(shaking.read(first)))
        self._victim.receive(answer, 0.0)
        envelope = seal_envelope(SUITE, RELAY_KEY, SendId(bytes(16)), bytes(BODY_BYTES))[0]
        for request in range(_DEPOSITS):
            self._victim.queue(Deposit(Request(request), envelope))
        while self._victim.transmit(0.0) is not None:
            pass

    def send(self, data: bytes) -> None:
        """`data` is the plaintext of an 8-slot frame, cut or filled up with zeros."""
        self._victim.receive(self._session.sending.encrypt(_fit(data, _FRAME_BYTES)), 0.0)


# A publisher of relay lists that signs whatever it is given.
_PUBLISHER = PublisherKey(RELAY_KEY[32:])
_listed = ListedRelay("ws://relay.example:4040", RELAY, "example.org")
RELAY_LIST = encode(RelayList(_PUBLISHER, 1, Minute(29_710_080), Minute(29_840_000), [_listed]))


def relay_list(content: bytes) -> None:
    """As a list that is well signed."""
    signature = SUITE.sign(RELAY_KEY, SIGN_RELAY_LIST + sha256(content))
    data = encode(("kassiber relays", 1, content, signature))
    found, _ = read_list(SUITE, data, _PUBLISHER, None, Minute(29_720_000))
    assert encode(found) == content, "two encodings of one list"
    merge([found, found])
