"""Whole links: Noise, offers, frames, custody."""

from typing import Any

from protocol.keys import RelayKey
from protocol.link.initiator import InitiatorLink
from protocol.link.link import Link
from protocol.link.responder import ResponderLink
from protocol.timing import Timing
from protocol.wire.codec import encode
from protocol.wire.commands import Accepted, Command
from tests.vectors.runners.given import Given, PlayedEntropy, PlayedSuite, Result
from tests.vectors.runners.wire import DECODERS, plain


def link_relay(given: Given) -> Result:
    """A relay's end."""
    suite = PlayedSuite(given.raw("coins"))
    key = suite.signing_key(given.raw("relay_seed"))
    psk = given.raw("psk") if "psk" in given else None
    link = ResponderLink(suite, PlayedEntropy(given.raw("ephemeral")), Timing(), key, 0.0, psk=psk)
    return _run(link, given.raws("received"), [])


def link_node(given: Given) -> Result:
    """A node's end."""
    entropy = PlayedEntropy(given.raw("ephemeral"), given.raw("kem"))
    psk = given.raw("psk") if "psk" in given else None
    link = InitiatorLink(PlayedSuite(), entropy, Timing(), RelayKey(given.raw("relay_key")), 0.0, psk=psk)
    decoder = DECODERS["relay"]
    return _run(link, given.raws("received"), [decoder.decode(b"\x91" + one)[0] for one in given.raws("queued")])


def _run(link: Link[Any], received: list[bytes], queued: list[Command]) -> Result:
    """What is queued leaves once the session stands, in one frame; nothing else is sent unasked."""
    sent = _sent(link)
    commands: list[Command] = []
    for number, message in enumerate(received):
        commands += link.receive(message, 0.0)
        if number == 0:
            for command in queued:
                link.queue(command)
        sent += _sent(link)
    return {
        "handshake_hash": link.handshake_hash,
        "sent": sent,
        "commands": [plain(command) if type(command) is Accepted else encode(command) for command in commands],
    }


def _sent(link: Link[Any]) -> list[bytes]:
    message = link.transmit(0.0)
    return [] if message is None else [message]


RUNNERS = {"link_relay": link_relay, "link_node": link_node}
