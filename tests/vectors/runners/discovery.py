"""Announcements, hints, and two strangers' code."""

from protocol.crypto.suite import RealSuite
from protocol.discovery import people, tags, visible
from protocol.discovery.announcement import Announcement, encode_txt, parse_txt
from protocol.discovery.tags import Endpoint
from protocol.keys import DhPublic, PairSecret
from tests.vectors.runners.given import Given, PlayedEntropy, PlayedSuite, Result


def _endpoint(given: Given) -> Endpoint:
    return Endpoint(given.raw("address"), given.number("port"))


def tag(given: Given) -> Result:
    """One."""
    secret = PairSecret(given.raw("secret"))
    return {"tag": tags.tag(secret, given.raw("nonce"), given.number("epoch"), _endpoint(given))}


def announcement(given: Given) -> Result:
    """Encodes, and parses to the same."""
    value = Announcement(given.raw("nonce"), tuple(given.raws("tags")))
    txt = encode_txt(value)
    assert parse_txt(txt) == value
    return {"txt": txt}


def announcement_read(given: Given) -> Result:
    """Parses."""
    return {"nonce": parse_txt(given.raw("txt")).nonce}


def recognise(given: Given) -> Result:
    """By a contact or a stranger."""
    said = parse_txt(given.raw("txt"))
    secret = PairSecret(given.raw("secret"))
    return {"recognised": tags.is_tagged(secret, said.nonce, given.number("epoch"), _endpoint(given), said.tags)}


def hint(given: Given) -> Result:
    """Which secret it names, and the session's key."""
    secrets = [PairSecret(secret) for secret in given.raws("secrets")]
    ephemeral = DhPublic(given.raw("ephemeral"))
    index = tags.hinted(secrets, given.raw("nonce"), ephemeral, given.raw("hint"))
    if index is None:
        return {"index": None}
    return {"index": index, "psk": tags.session_key(RealSuite(), secrets[index])}


def visible_announcement(given: Given) -> Result:
    """Encodes, and parses to the same."""
    value = people.VisibleAnnouncement(given.raw("nonce"), given.text("name"))
    txt = people.encode_visible_txt(value)
    assert people.parse_visible_txt(txt) == value
    return {"txt": txt}


def visible_announcement_read(given: Given) -> Result:
    """Parses."""
    return {"name": people.parse_visible_txt(given.raw("txt")).name}


def caller(given: Given) -> Result:
    """As far as what it received goes."""
    entropy = PlayedEntropy(given.raw("ephemeral"), given.raw("kem"), given.raw("nonce"))
    side = visible.Caller(PlayedSuite(), entropy, given.raw("txt"), given.text("name"))
    second, *frames = given.raws("received")
    sent = [side.hello(), side.call(second)]
    sent.append(side.open(frames.pop(0)))
    sent.append(side.agree())
    invitation = side.read_invitation(frames.pop(0))
    sent.append(side.joined())
    return {"sent": sent, "code": side.code, "handshake_hash": side.handshake_hash, "invitation": invitation}


def called(given: Given) -> Result:
    """The same."""
    entropy = PlayedEntropy(given.raw("ephemeral"), given.raw("nonce"))
    side = visible.Called(PlayedSuite(given.raw("coins")), entropy, given.raw("txt"))
    first, *frames = given.raws("received")
    sent = [side.welcome(first)]
    name = side.read_call(frames.pop(0))
    sent.append(side.answer())
    side.read_opening(frames.pop(0))
    side.read_agreement(frames.pop(0))
    sent.append(side.invite(given.raw("invitation")))
    side.read_joined(frames.pop(0))
    return {"sent": sent, "code": side.code, "handshake_hash": side.handshake_hash, "name": name}


RUNNERS = {
    "discovery_tag": tag, "discovery_announcement": announcement, "discovery_announcement_read": announcement_read,
    "discovery_recognise": recognise, "lan_hint": hint, "visible_announcement": visible_announcement,
    "visible_announcement_read": visible_announcement_read, "visible_caller": caller, "visible_called": called,
}  # fmt: skip
