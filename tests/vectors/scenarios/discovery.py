"""Spec 9: what is announced on a local network, who recognises it, and the session that follows."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from tests.vectors.independent import discovery, noise
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
    yield from _visible()
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


def _visible() -> Iterator[Scenario]:
    draw = Draw("visible announcements")
    nonce = draw(16)
    for name, title, shown in [
        ("short", "of a name of one letter", "A"), ("long", "of a name of 64 bytes", "ä" * 32),
    ]:  # fmt: skip
        yield Scenario(
            f"visible-announcement-{name}", "9 §6", f"the TXT record {title}", "visible_announcement",
            {"nonce": nonce, "name": shown}, {"txt": discovery.visible_txt(nonce, shown.encode())},
        )  # fmt: skip
    good = discovery.visible_txt(nonce, b"Alice")
    cases = [
        ("empty", "nothing", b"", "malformed"),
        ("no-name", "an empty name", discovery.visible_txt(nonce, b""), "malformed"),
        ("long", "a name of 65 bytes", discovery.visible_txt(nonce, b"A" * 65), "size"),
        ("not-utf-8", "a name that is not UTF-8", discovery.visible_txt(nonce, b"\xffAlice"), "malformed"),
        ("version", "a version that does not exist", good.replace(b"v=1", b"v=2", 1), "malformed"),
        ("order", "the nonce before the version", good[4:23] + good[:4] + good[23:], "malformed"),
        ("more", "a string more", good + b"\x03x=1", "malformed"),
        ("cut", "a name that is cut", good[:-1], "malformed"),
    ]
    for name, title, record, error in cases:
        yield Scenario(
            f"visible-announcement-bad-{name}", "9 §6", f"a TXT record: {title}", "visible_announcement_read",
            {"txt": record}, error=error,
        )  # fmt: skip


class _Call:
    """A call from its first message to its last, by everybody's private keys."""

    def __init__(self, name: str) -> None:
        draw = Draw(name)
        self.txt = discovery.visible_txt(draw(16), b"Bob")
        caller = {"ephemeral": draw(32), "kem": draw(64), "nonce": draw(32)}
        called = {"ephemeral": draw(32), "coins": draw(32), "nonce": draw(32)}
        self.first, self.second, self.h, self.sending, self.receiving = noise.pair_handshake(
            _PROLOGUE, discovery.visible_psk(self.txt), caller["ephemeral"], caller["kem"], called["ephemeral"],
            called["coins"], (bytes(2_848), bytes(2_944)),
        )  # fmt: skip
        self.committed = discovery.commitment(caller["nonce"])
        self.nonces = called["nonce"], caller["nonce"]
        self.code = discovery.code(self.h, self.committed, *self.nonces)
        route = ["ws://192.0.2.7:7443", draw(32), draw(16), draw(32), False]
        made = invite(Person(draw(32), draw(32)), draw(32), draw(64), [route], 29_710_080, draw(32), None)
        self.file = pack(["kassiber invitation", 1, draw(32), made.encoded])
        self.caller: dict[str, Any] = {"txt": self.txt, "name": "Alice", **caller, "agree": True}
        self.called: dict[str, Any] = {"txt": self.txt, **called, "invitation": self.file}

    def by_caller(self, number: int, *message: object) -> bytes:
        """Its frame of this number."""
        return noise.encrypt(self.sending, number, frame([pack(list(message))], 1))

    def by_called(self, number: int, *message: object) -> bytes:
        """The same of the called one."""
        return noise.encrypt(self.receiving, number, frame([pack(list(message))], 1))


def _strangers() -> Iterator[Scenario]:
    call, other = _Call("strangers"), _Call("other strangers")
    commitment = call.by_caller(0, 1, "Alice", call.committed)
    opening, same, joined = call.by_caller(1, 3, call.nonces[1]), call.by_caller(2, 4), call.by_caller(3, 6)
    answer, invited = call.by_called(0, 2, call.nonces[0]), call.by_called(1, 5, call.file)
    yield Scenario(
        "visible-caller", "9 §6", "two strangers: who called", "visible_caller",
        {**call.caller, "received": [call.second, answer, invited]},
        {
            "sent": [call.first, commitment, opening, same, joined], "code": call.code, "handshake_hash": call.h,
            "invitation": call.file,
        },
    )  # fmt: skip
    yield Scenario(
        "visible-called", "9 §6", "two strangers: who was called", "visible_called",
        {**call.called, "received": [call.first, commitment, opening, same, joined]},
        {"sent": [call.second, answer, invited], "code": call.code, "handshake_hash": call.h, "name": "Alice"},
    )  # fmt: skip
    alice = [1, "Alice", call.committed]
    padded = call.first[:-1] + bytes((call.first[-1] ^ 1,))
    calls = [
        ("hello-size", "message 1 of a byte too few", [call.first[:-1]], "size"),
        ("hello", "message 1, one bit changed", [padded], "noise"),
        ("other-txt", "message 1 to another announcement", [other.first], "noise"),
        ("kind", "no commitment first", [call.first, call.by_caller(0, 4)], "malformed"),
        ("commitment", "31 bytes", [call.first, call.by_caller(0, 1, "Alice", call.committed[:-1])], "malformed"),
        ("no-name", "no name", [call.first, call.by_caller(0, 1, "", call.committed)], "malformed"),
        ("name", "a name of 66 bytes", [call.first, call.by_caller(0, 1, "ä" * 33, call.committed)], "malformed"),
        (
            "two", "two messages in one frame",
            [call.first, noise.encrypt(call.sending, 0, frame([pack(alice), pack(alice)], 1))], "malformed",
        ),
        ("again", "a second commitment", [call.first, commitment, call.by_caller(1, *alice)], "malformed"),
        ("opening", "another nonce", [call.first, commitment, call.by_caller(1, 3, bytes(32))], "malformed"),
        ("same", "what is not `same`", [call.first, commitment, opening, call.by_caller(2, 6)], "malformed"),
        ("replay", "`same`, taken from another session", [call.first, commitment, opening, other.by_caller(2, 4)],
         "noise"),
        ("slots", "an opening of two slots",
         [call.first, commitment, noise.encrypt(call.sending, 1, frame([pack([3, call.nonces[1]])], 2))], "size"),
    ]  # fmt: skip
    for name, title, received, error in calls:
        yield Scenario(
            f"visible-called-bad-{name}", "9 §6", f"at the called one: {title}", "visible_called",
            {**call.called, "received": received}, error=error,
        )  # fmt: skip
    draw = Draw("long invitations")
    for name, title, received, error in [
        ("hello", "message 2, one bit changed", [altered(call.second, -1)], "noise"),
        ("answer", "a nonce of 31 bytes", [call.second, call.by_called(0, 2, bytes(31))], "malformed"),
        ("kind", "an invitation instead of an answer", [call.second, call.by_called(0, 5, call.file)], "malformed"),
        ("long", "an invitation of 2,058 bytes", [call.second, answer, call.by_called(1, 5, draw(2_058))], "malformed"),
        ("empty", "an invitation of no bytes", [call.second, answer, call.by_called(1, 5, b"")], "malformed"),
    ]:
        yield Scenario(
            f"visible-caller-bad-{name}", "9 §6", f"at the caller: {title}", "visible_caller",
            {**call.caller, "received": received}, error=error,
        )  # fmt: skip
    loud = bytes(2_847) + b"\1"
    first = noise.pair_handshake(
        _PROLOGUE, discovery.visible_psk(call.txt), call.caller["ephemeral"], call.caller["kem"],
        call.called["ephemeral"], call.called["coins"], (loud, b""),
    )[0]  # fmt: skip
    yield Scenario(
        "visible-called-bad-payload", "9 §6", "at the called one: a payload of message 1", "visible_called",
        {**call.called, "received": [first]}, error="padding",
    )  # fmt: skip
