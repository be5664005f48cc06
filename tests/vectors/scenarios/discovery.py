"""Spec 9: what is announced on a local network, who recognises it, and the session that follows."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from tests.vectors.independent import discovery, noise
from tests.vectors.independent.mlkem import public_key
from tests.vectors.independent.primitives import ed25519_public, montgomery_private, x25519_public
from tests.vectors.independent.session import Person, invite
from tests.vectors.independent.wire import frame, pack
from tests.vectors.scenario import Draw, Scenario, altered
from tests.vectors.scenarios.commands import encoded

_PROLOGUE = b"kassiber.1"
_FOUR = bytes(10) + b"\xff\xff" + IPv4Address("192.0.2.7").packed
_SIX = IPv6Address("fe80::1234:5678:9abc:def0").packed
_EPOCH = 2_970_000


def scenarios() -> Iterator[Scenario]:
    """All of Spec 9."""
    yield from _tags()
    yield from _announcements()
    yield from _recognised()
    yield from _hints()
    yield from _sessions()
    yield from _strangers()


def _tags() -> Iterator[Scenario]:
    draw = Draw("discovery")
    secret, nonce = draw(32), draw(16)
    cases = [
        ("ipv4", "of an IPv4 address", nonce, _EPOCH, _FOUR, 40_001),
        ("ipv6", "of an IPv6 address", nonce, _EPOCH, _SIX, 40_001),
        ("next-epoch", "ten minutes later", nonce, _EPOCH + 1, _FOUR, 40_001),
        ("other-port", "of another port", nonce, _EPOCH, _FOUR, 40_002),
        ("other-nonce", "of another announcement", draw(16), _EPOCH, _FOUR, 40_001),
        ("farthest", "of the last epoch and port", nonce, 2**32 - 1, _SIX, 65_535),
    ]
    for name, title, of, epoch, address, port in cases:
        yield Scenario(
            f"discovery-tag-{name}", "9 §2", f"a tag {title}", "discovery_tag",
            {"secret": secret, "nonce": of, "epoch": epoch, "address": address, "port": port},
            {"tag": discovery.tag(secret, of, epoch, address, port)},
        )  # fmt: skip


def _announcements() -> Iterator[Scenario]:
    draw = Draw("announcements")
    nonce, tags = draw(16), [draw(6) for _ in range(64)]
    good = discovery.txt(nonce, tags)
    yield Scenario(
        "discovery-announcement", "9 §2", "the TXT record of 64 tags", "discovery_announcement",
        {"nonce": nonce, "tags": tags}, {"txt": good},
    )  # fmt: skip
    cases = [
        ("empty", "nothing", b"", "size"),
        ("short", "a byte short", good[:-1], "size"),
        ("long", "a string more", good + b"\x03x=1", "size"),
        ("version", "a version that does not exist", good.replace(b"v=1", b"v=2", 1), "malformed"),
        ("capital", "a key in capitals", good.replace(b"v=1", b"V=1", 1), "malformed"),
        ("order", "the nonce before the version", good[4:23] + good[:4] + good[23:], "malformed"),
        ("halves", "the halves exchanged", good[:23] + good[218:] + good[23:218], "malformed"),
        ("lengths", "a nonce of 17 bytes, tags of 191", good[:4] + b"\x13" + good[5:], "malformed"),
    ]
    for name, title, record, error in cases:
        yield Scenario(
            f"discovery-announcement-bad-{name}", "9 §2", f"a TXT record: {title}", "discovery_announcement_read",
            {"txt": record}, error=error,
        )  # fmt: skip


def _recognised() -> Iterator[Scenario]:
    draw = Draw("recognised")
    secret, stranger, nonce = draw(32), draw(32), draw(16)
    port = 40_001
    tags = [draw(6) for _ in range(64)]
    tags[41] = discovery.tag(secret, nonce, _EPOCH, _FOUR, port)
    record = discovery.txt(nonce, tags)
    moved = bytes(10) + b"\xff\xff" + IPv4Address("192.0.2.8").packed
    cases = [
        ("now", "in its epoch", secret, 0, _FOUR, port, True),
        ("early", "by a clock ten minutes behind", secret, -1, _FOUR, port, True),
        ("late", "at the end of its life", secret, 2, _FOUR, port, True),
        ("too-early", "by a clock twenty minutes behind", secret, -2, _FOUR, port, False),
        ("too-late", "half an hour later", secret, 3, _FOUR, port, False),
        ("moved", "from another address", secret, 0, moved, port, False),
        ("other-port", "with another port", secret, 0, _FOUR, port + 1, False),
        ("stranger", "by somebody else", stranger, 0, _FOUR, port, False),
    ]
    for name, title, by, later, address, at, recognised in cases:
        yield Scenario(
            f"discovery-recognise-{name}", "9 §4", f"an announcement met {title}", "discovery_recognise",
            {"secret": by, "epoch": _EPOCH + later, "txt": record, "address": address, "port": at},
            {"recognised": recognised},
        )  # fmt: skip


def _hints() -> Iterator[Scenario]:
    draw = Draw("hints")
    secrets, nonce, ephemeral = [draw(32) for _ in range(3)], draw(16), x25519_public(draw(32))
    for index, secret in enumerate(secrets):
        yield Scenario(
            f"lan-hint-{index}", "9 §5", "a hint, and which secret it names", "lan_hint",
            {
                "secrets": secrets, "nonce": nonce, "ephemeral": ephemeral,
                "hint": discovery.hint(secret, nonce, ephemeral),
            },
            {"index": index, "psk": discovery.psk(secret)},
        )  # fmt: skip
    others = {
        "other-nonce": discovery.hint(secrets[0], draw(16), ephemeral),
        "other-key": discovery.hint(secrets[0], nonce, x25519_public(draw(32))),
        "stranger": discovery.hint(draw(32), nonce, ephemeral),
        "random": draw(8),
    }
    for name, hint in others.items():
        yield Scenario(
            f"lan-hint-none-{name}", "9 §5", "a hint that names nobody", "lan_hint",
            {"secrets": secrets, "nonce": nonce, "ephemeral": ephemeral, "hint": hint}, {"index": None},
        )  # fmt: skip


def _padded(size: int) -> bytes:
    array = pack([1])
    return (len(array).to_bytes(2, "big") + array).ljust(size, b"\0")


class _Session:
    """Both ends, by their private keys."""

    def __init__(self, name: str, secret: bytes | None = None) -> None:
        draw = Draw(name)
        self.relay_seed = draw(32)
        self.initiator = {"ephemeral": draw(32), "kem": draw(64)}
        self.responder = {"ephemeral": draw(32), "coins": draw(32)}
        self.psk = discovery.psk(secret or draw(32))
        self.first, self.second, self.h, self.sending, self.receiving = noise.pair_handshake(
            _PROLOGUE, self.psk, self.initiator["ephemeral"], self.initiator["kem"], self.responder["ephemeral"],
            self.responder["coins"], (_padded(2_848), _padded(2_944)),
        )  # fmt: skip

    def at_announcer(self, *received: bytes) -> dict[str, Any]:
        """What the end takes that was dialled."""
        return {"relay_seed": self.relay_seed, "psk": self.psk, **self.responder, "received": list(received)}

    def at_contact(self, *received: bytes, queued: tuple[bytes, ...] = ()) -> dict[str, Any]:
        """What the end takes that dialled."""
        key = ed25519_public(self.relay_seed)
        known = {"relay_key": key, "psk": self.psk}
        return {**known, **self.initiator, "queued": list(queued), "received": list(received)}


def _sessions() -> Iterator[Scenario]:
    session, other, draw = _Session("lan"), _Session("another lan"), Draw("lan commands")
    settle, done = encoded("settle", 1, draw(16)), encoded("done", 1)
    up, down = (
        noise.encrypt(session.sending, 0, frame([settle], 1)),
        noise.encrypt(session.receiving, 0, frame([done], 1)),
    )
    yield Scenario(
        "lan-announcer", "9 §5", "the announcer's end: the handshake, a command", "link_relay",
        session.at_announcer(session.first, up),
        {"handshake_hash": session.h, "sent": [session.second], "commands": [settle]},
    )  # fmt: skip
    yield Scenario(
        "lan-contact", "9 §5", "the contact's end: the handshake, a command, its answer", "link_node",
        session.at_contact(session.second, down, queued=(settle,)),
        {"handshake_hash": session.h, "sent": [session.first, up], "commands": [done]},
    )  # fmt: skip
    pinned = noise.handshake(
        _PROLOGUE, montgomery_private(session.relay_seed), session.initiator["ephemeral"], session.initiator["kem"],
        session.responder["ephemeral"], session.responder["coins"], (_padded(2_848), b""),
    )[0]  # fmt: skip
    firsts = [
        ("ephemeral", "one bit of the ephemeral key changed", altered(session.first, 0), "noise"),
        ("e1", "one bit of the sealed KEM key changed", altered(session.first, 40), "noise"),
        ("offer", "one bit of the sealed offer changed", altered(session.first, 2_000), "noise"),
        ("other-secret", "resting on another secret", other.first, "noise"),
        ("pinned", "made for the relay's key, without the secret", pinned, "noise"),
        ("short", "a byte short of a slot", session.first[:-1], "size"),
    ]
    for name, title, message, error in firsts:
        yield Scenario(
            f"lan-announcer-bad-{name}", "9 §5", f"message 1: {title}", "link_relay", session.at_announcer(message),
            error=error,
        )  # fmt: skip
    seconds = [
        ("ephemeral", "one bit of the ephemeral key changed", altered(session.second, 0)),
        ("small-order", "an ephemeral key of small order", bytes(32) + session.second[32:]),
        ("ekem1", "one bit of the sealed ciphertext changed", altered(session.second, 40)),
        ("answer", "one bit of the answer changed", altered(session.second, -1)),
        ("other-secret", "by somebody with another secret", other.second),
    ]
    for name, title, message in seconds:
        yield Scenario(
            f"lan-contact-bad-{name}", "9 §5", f"message 2: {title}", "link_node", session.at_contact(message),
            error="noise",
        )  # fmt: skip


def _invitation(draw: Draw) -> bytes:
    route = ["ws://192.0.2.7:7443", draw(32), draw(16), draw(32), False]
    return invite(Person(draw(32), draw(32)), draw(32), draw(64), [route], 29_710_080, draw(32), None).encoded


def _strangers() -> Iterator[Scenario]:
    draw = Draw("strangers")
    caller, called = (draw(32), _invitation(draw)), (draw(32), _invitation(draw))
    committed = discovery.commitment(*caller)
    call, answer, opening = pack([1, committed]), pack([2, *called]), pack([3, *caller])
    code = discovery.code(committed, called, caller)
    at_caller: dict[str, Any] = {"nonce": caller[0], "invitation": caller[1]}
    at_called: dict[str, Any] = {"nonce": called[0], "invitation": called[1]}
    yield Scenario(
        "visible-caller", "9 §6", "two strangers: who called", "visible_caller", {**at_caller, "answer": answer},
        {"call": call, "opening": opening, "code": code, "invitation": called[1]},
    )  # fmt: skip
    yield Scenario(
        "visible-called", "9 §6", "two strangers: who was called", "visible_called",
        {**at_called, "call": call, "opening": opening},
        {"answer": answer, "code": code, "invitation": caller[1]},
    )  # fmt: skip
    other = _invitation(draw)
    openings = [
        ("nonce", "another nonce than was committed to", pack([3, altered(caller[0], 0), caller[1]]), "malformed"),
        ("invitation", "another invitation than was committed to", pack([3, caller[0], other]), "malformed"),
        ("answer", "the called one's own answer, sent back", answer, "malformed"),
        ("trailing", "a byte after the end", opening + b"\0", "malformed"),
        ("kind", "a kind of two bytes", b"\x93\xcc\x03" + opening[2:], "non_canonical"),
    ]
    for name, title, message, error in openings:
        yield Scenario(
            f"visible-called-bad-{name}", "9 §6", f"the opening: {title}", "visible_called",
            {**at_called, "call": call, "opening": message}, error=error,
        )  # fmt: skip
    rubbish = pack([1, discovery.commitment(caller[0], b"kassiber")])
    yield Scenario(
        "visible-called-bad-no-invitation", "9 §6", "committed to what is no invitation", "visible_called",
        {**at_called, "call": rubbish, "opening": pack([3, caller[0], b"kassiber"])}, error="bad_invitation",
    )  # fmt: skip
    yield Scenario(
        "visible-called-bad-commitment", "9 §6", "a commitment of 31 bytes", "visible_called",
        {**at_called, "call": pack([1, committed[:-1]]), "opening": opening}, error="malformed",
    )  # fmt: skip
    for name, title, message, error in [
        ("no-invitation", "what is no invitation", pack([2, called[0], public_key(draw(64))]), "bad_invitation"),
        ("long", "an invitation of 1,999 bytes", pack([2, called[0], draw(1_999)]), "malformed"),
        ("cut", "cut in the middle", answer[:500], "malformed"),
    ]:
        yield Scenario(
            f"visible-caller-bad-{name}", "9 §6", f"the answer: {title}", "visible_caller",
            {**at_caller, "answer": message}, error=error,
        )  # fmt: skip
