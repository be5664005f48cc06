"""What is fuzzed: every function that takes bytes or text from elsewhere. A new one is one line in `TARGETS`.

A target may return or raise PeerError or CallerError; whatever else comes out is a finding. `seeds` are inputs that it
accepts: from these, mutation reaches the depths that no random byte does.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from node.store.keys import MEBIBYTE, Cost, KeyFile, credential_slot, new_data_key, passphrase_slot
from protocol.discovery.announcement import encode_txt, make_announcement, parse_txt
from protocol.discovery.people import parse_visible_txt
from protocol.discovery.tags import Endpoint
from protocol.envelope.content import Text, decode_content, encode_content
from protocol.envelope.envelope import parse_envelope, seal_envelope
from protocol.envelope.items import (
    Discovery,
    Fragment,
    Item,
    NewRoutes,
    Profile,
    Receipt,
    Received,
    Sender,
    Senders,
    encode_item,
    pad_items,
    unpad_items,
)
from protocol.errors import CallerError, Code, PeerError
from protocol.keys import MessageId, Minute, PairSecret, PublisherKey, SenderKey, SendId
from protocol.limits import PAYLOAD_BYTES
from protocol.link.offers import check_choice, choose, offer
from protocol.relays.links import format_list_link, from_file, parse_source, to_text
from protocol.relays.relay_list import parse_list
from protocol.session.invitation import decode_invitation, format_file, format_link, parse_file, parse_link
from protocol.wire.addresses import Host, format_address, parse_address
from protocol.wire.codec import Decoder, encode
from protocol.wire.commands import OnWireToNode, OnWireToRelay
from protocol.wire.frames import MAX_COMMAND_BYTES, decode_frame, encode_frame
from protocol.wire.onions import Cover, OnionClaimed, OnionDeposit, Unwanted
from tests.fuzz import hostile, serving
from tests.fuzz.samples import TO_NODE, TO_RELAY

FRAME_BYTES = MAX_COMMAND_BYTES + 2

_to_relay: Decoder[list[OnWireToRelay]] = Decoder(list[OnWireToRelay])
_to_node: Decoder[list[OnWireToNode]] = Decoder(list[OnWireToNode])


class Target(NamedTuple):
    """Runs one input. `longest`: bytes up to which inputs are made; `share`: of the time, for what is slow."""

    run: Callable[[bytes], object]
    seeds: Sequence[bytes]
    longest: int = 4_096
    share: int = 1


def attempt(target: Target, data: bytes) -> bool:
    """Whether the target accepted `data`; raises what is a finding."""
    try:
        target.run(data)
    except (PeerError, CallerError):
        return False
    return True


def _reencodes(decoder: Decoder[list[OnWireToRelay]] | Decoder[list[OnWireToNode]], data: bytes) -> None:
    assert encode(decoder.decode(data)) == data, "two encodings of one value"


def _text(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: parse(data.decode("utf-8", "surrogateescape"))


_host = Host("wss", "relay.example", 4_040)
_route = decode_invitation(hostile.INVITATION).routes[0]
_items: list[Item] = [
    Received(3, 9, [4, 7]),
    Fragment(MessageId(bytes(16)), 0, 1, b"hello"),
    Receipt([MessageId(bytes(16))]),
    NewRoutes(2, [_route]),
    Profile("Alice", 0),
    Discovery(1, PairSecret(bytes(32))),
    Senders([Sender(SendId(bytes(16)), SenderKey(bytes(32)))]),
]
_link = format_link(((_host, hostile.RELAY), (_host, hostile.RELAY)), hostile.SECRET)
_file = format_file(hostile.SECRET, hostile.INVITATION)
_data_key = new_data_key()
_slots = (credential_slot(_data_key, bytes(32)), passphrase_slot(_data_key, "a", Cost(64 * MEBIBYTE, 1)))
_key_file = msgspec.json.encode(KeyFile(version=1, slots=_slots))
_announcement = make_announcement(hostile.DICE, [], Endpoint(bytes(16), 1), 0)


def padded(content: bytes) -> bytes:
    """As an onion holds it."""
    return len(content).to_bytes(2, "big") + content


TARGETS = {
    "commands-to-relay": Target(lambda data: _reencodes(_to_relay, data), [encode([command]) for command in TO_RELAY]),
    "commands-to-node": Target(lambda data: _reencodes(_to_node, data), [encode([command]) for command in TO_NODE]),
    "frame": Target(lambda data: decode_frame(data, _to_relay), [encode_frame(TO_RELAY[:4])], FRAME_BYTES),
    "link-at-relay": Target(hostile.HostileNode().send, [encode_frame(TO_RELAY)], FRAME_BYTES),
    "link-at-node": Target(hostile.HostileRelay().send, [encode_frame([TO_NODE[0], TO_NODE[7]])], FRAME_BYTES),
    "version-offer": Target(choose, [offer()]),
    "version-choice": Target(check_choice, [choose(offer())]),
    "envelope": Target(
        parse_envelope, [seal_envelope(hostile.SUITE, hostile.RELAY_KEY, SendId(bytes(16)), hostile.BODY)[0]]
    ),
    "items": Target(unpad_items, [pad_items([encode_item(item)], PAYLOAD_BYTES) for item in _items]),
    "content": Target(decode_content, [encode_content(Text(MessageId(bytes(16)), [], Minute(1), "hello"))]),
    "invitation": Target(decode_invitation, [hostile.INVITATION]),
    "sealed-invitation": Target(
        hostile.sealed_invitation, [len(hostile.INVITATION).to_bytes(2, "big") + hostile.INVITATION]
    ),
    "invitation-file": Target(parse_file, [_file]),
    "link": Target(_text(parse_link), [_link.encode()], 400),
    "relay-address": Target(_text(parse_address), [format_address(_host, hostile.RELAY).encode()], 400),
    "onion": Target(hostile.onion, [padded(encode(OnionDeposit(bytes(3_929)))), padded(encode(Cover()))]),
    "onion-reply": Target(
        hostile.onion_reply, [padded(encode(OnionClaimed(None))), padded(encode(Unwanted(Code.FULL)))]
    ),
    "card": Target(hostile.card, [hostile.CARD]),
    "relay-list": Target(parse_list, [encode(("kassiber relays", 1, hostile.RELAY_LIST, bytes(64)))]),
    "relay-list-content": Target(hostile.relay_list, [hostile.RELAY_LIST]),
    "relay-list-text": Target(from_file, [to_text(bytes(100)).encode()], 400),
    "relay-list-link": Target(
        _text(parse_source), [format_list_link(_host, hostile.RELAY, PublisherKey(bytes(32))).encode()], 400
    ),
    "handshake": Target(hostile.handshake_body, [hostile.HANDSHAKE]),
    "ratchet-body": Target(hostile.ratchet_body, [hostile.BODY]),
    "ratchet-header": Target(hostile.ratchet_header, [], 2_312),
    "ratchet-kem-key": Target(hostile.ratchet_kem_key, [hostile.CONTACT_KEM], 1_184),
    "discovery-txt": Target(parse_txt, [encode_txt(_announcement)], 500),
    "visible-txt": Target(parse_visible_txt, [hostile.VISIBLE_TXT], 200),
    "visible-call": Target(hostile.visible_call, [encode_frame([hostile.VISIBLE_CALL])]),
    "visible-opening": Target(hostile.visible_opening, [encode_frame([(3, bytes(32))])]),
    "key-file": Target(serving.key_file, [_key_file], share=2),
    "settings-file": Target(serving.settings_file, [serving.SETTINGS], share=2),
    "listener": Target(serving.listener, serving.CONNECTIONS, 16_384, share=8),
    "api": Target(serving.api, serving.REQUESTS, 16_384, share=8),
}
