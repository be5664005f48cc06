"""Announcements, hints, and two strangers' code."""

from protocol.crypto.suite import RealSuite
from protocol.discovery import tags, visible
from protocol.discovery.announcement import Announcement, encode_txt, parse_txt
from protocol.discovery.tags import Endpoint
from protocol.keys import DhPublic, PairSecret
from protocol.wire.codec import encode
from tests.vectors.runners.given import Given, PlayedEntropy, Result


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


def caller(given: Given) -> Result:
    """Commits, and opens."""
    side = visible.Caller(PlayedEntropy(given.raw("nonce")), given.raw("invitation"))
    call = side.call()
    opening, met = side.read(given.raw("answer"))
    return {"call": call, "opening": opening, "code": met.code, "invitation": encode(met.invitation)}


def called(given: Given) -> Result:
    """Answers, and checks."""
    side = visible.Called(PlayedEntropy(given.raw("nonce")), given.raw("invitation"))
    answer = side.answer(given.raw("call"))
    met = side.read(given.raw("opening"))
    return {"answer": answer, "code": met.code, "invitation": encode(met.invitation)}


RUNNERS = {
    "discovery_tag": tag, "discovery_announcement": announcement, "discovery_announcement_read": announcement_read,
    "discovery_recognise": recognise, "lan_hint": hint, "visible_caller": caller, "visible_called": called,
}  # fmt: skip
