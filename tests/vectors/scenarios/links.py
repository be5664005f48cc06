"""Spec 7: the Noise session under every link, and what ends one."""

from collections.abc import Iterator, Sequence
from typing import Any

from tests.vectors.independent import noise
from tests.vectors.independent.primitives import ed25519_public, montgomery_private, sign
from tests.vectors.independent.wire import custody_message, digest, envelope, frame, pack
from tests.vectors.scenario import Draw, Scenario, altered
from tests.vectors.scenarios.commands import encoded

_PROLOGUE = b"kassiber.1"
_FIRST_BYTES, _SECOND_BYTES = 2_848, 2_944


def scenarios() -> Iterator[Scenario]:
    """Handshakes, frames, and what is wrong with others."""
    yield from _good()
    yield from _bad_first_messages()
    yield from _bad_second_messages()
    yield from _bad_frames()
    yield from _custody()


def _offer(array: bytes, size: int) -> bytes:
    return (len(array).to_bytes(2, "big") + array).ljust(size, b"\0")


class _Session:
    """Both ends of a session, by their private keys."""

    def __init__(self, name: str, offered: bytes = pack([1]), chosen: bytes = pack([1])) -> None:
        draw = Draw(name)
        self.relay_seed = draw(32)
        self.initiator = {"ephemeral": draw(32), "kem": draw(64)}
        self.responder = {"ephemeral": draw(32), "coins": draw(32)}
        self.first, self.second, self.h, self.sending, self.receiving = noise.handshake(
            _PROLOGUE, montgomery_private(self.relay_seed), self.initiator["ephemeral"], self.initiator["kem"],
            self.responder["ephemeral"], self.responder["coins"],
            (_offer(offered, _FIRST_BYTES), _offer(chosen, _SECOND_BYTES)),
        )  # fmt: skip

    def at_relay(self, *received: bytes) -> dict[str, Any]:
        """What the relay's end takes."""
        return {"relay_seed": self.relay_seed, **self.responder, "received": list(received)}

    def at_node(self, *received: bytes, queued: Sequence[bytes] = ()) -> dict[str, Any]:
        """What the node's end takes. What it queues leaves before what it receives comes."""
        key = ed25519_public(self.relay_seed)
        return {"relay_key": key, **self.initiator, "queued": list(queued), "received": list(received)}

    def from_node(self, number: int, plaintext: bytes) -> bytes:
        """Transport message `number` of the node."""
        return noise.encrypt(self.sending, number, plaintext)

    def from_relay(self, number: int, plaintext: bytes) -> bytes:
        """Transport message `number` of the relay."""
        return noise.encrypt(self.receiving, number, plaintext)


def _good() -> Iterator[Scenario]:
    session = _Session("noise")
    draw = Draw("link")
    settle, drop = encoded("settle", 1, draw(16)), encoded("drop", 2, draw(16))
    frames = [session.from_node(0, frame([settle, drop], 1)), session.from_node(1, frame([], 2))]
    yield Scenario(
        "link-relay", "7 §2", "a relay's end: the handshake, two commands, a keep-alive of two slots", "link_relay",
        session.at_relay(session.first, *frames),
        {"handshake_hash": session.h, "sent": [session.second], "commands": [settle, drop]},
    )  # fmt: skip
    done = encoded("done", 1)
    yield Scenario(
        "link-node", "7 §2", "a node's end: the handshake, a command, its answer", "link_node",
        session.at_node(session.second, session.from_relay(0, frame([done], 1)), queued=[settle]),
        {
            "handshake_hash": session.h, "sent": [session.first, session.from_node(0, frame([settle], 1))],
            "commands": [done],
        },
    )  # fmt: skip
    shaped = _Session("shaped")
    shape = encoded("shape", 3)
    yield Scenario(
        "link-shaped", "10 §5", "a relay's end: a preset is the link's own, what came with it goes on",
        "link_relay",
        shaped.at_relay(shaped.first, shaped.from_node(0, frame([shape, settle], 1))),
        {"handshake_hash": shaped.h, "sent": [shaped.second], "commands": [settle]},
    )  # fmt: skip
    for name, title, frames in (
        ("frame", "a second preset in one frame", [shaped.from_node(0, frame([shape, shape], 1))]),
        ("session", "a second preset in one session",
         [shaped.from_node(0, frame([shape], 1)), shaped.from_node(1, frame([encoded("shape", 2)], 1))]),
    ):  # fmt: skip
        yield Scenario(
            f"link-bad-shaped-twice-{name}", "10 §5", title, "link_relay", shaped.at_relay(shaped.first, *frames),
            error="limit",
        )  # fmt: skip
    several = _Session("several versions", pack([1, 2, 7]))
    yield Scenario(
        "link-relay-chooses", "7 §3", "of the versions offered, the one that it speaks", "link_relay",
        several.at_relay(several.first), {"handshake_hash": several.h, "sent": [several.second], "commands": []},
    )  # fmt: skip


def _bad_first_messages() -> Iterator[Scenario]:
    session, other = _Session("noise"), _Session("another noise")
    first = session.first

    def offering(array: bytes) -> bytes:
        return _Session("noise", array).first

    cases = [
        ("ephemeral", "one bit of the ephemeral key changed", altered(first, 0), "noise"),
        ("e1", "one bit of the sealed KEM key changed", altered(first, 40), "noise"),
        ("offer", "one bit of the sealed offer changed", altered(first, 2_000), "noise"),
        ("other-relay", "made for another relay's key", other.first, "noise"),
        ("small-order", "an ephemeral key of small order", bytes(32) + first[32:], "noise"),
        ("short", "a byte short of a slot", first[:-1], "size"),
        ("empty", "an empty message", b"", "size"),
        ("two-slots", "a handshake message of two slots", first + bytes(4_096), "size"),
        ("version", "no version that this node speaks", offering(pack([2, 3])), "version"),
        ("versions-none", "no version at all", offering(pack([])), "malformed"),
        ("versions-17", "seventeen versions", offering(pack(list(range(1, 18)))), "malformed"),
        ("versions-non-canonical", "a version of two bytes", offering(b"\x91\xcc\x01"), "non_canonical"),
        ("versions-padding", "an offer with something behind it", _padded_otherwise(session), "padding"),
    ]
    for name, title, message, error in cases:
        yield Scenario(
            f"link-relay-bad-{name}",
            "7 §2",
            f"message 1: {title}",
            "link_relay",
            session.at_relay(message),
            error=error,
        )


def _padded_otherwise(session: _Session) -> bytes:
    payload = altered(_offer(pack([1]), _FIRST_BYTES), -1)
    return noise.handshake(
        _PROLOGUE, montgomery_private(session.relay_seed), session.initiator["ephemeral"], session.initiator["kem"],
        session.responder["ephemeral"], session.responder["coins"], (payload, b""),
    )[0]  # fmt: skip


def _bad_second_messages() -> Iterator[Scenario]:
    session, other = _Session("noise"), _Session("another noise")
    second = session.second
    cases = [
        ("ephemeral", "one bit of the ephemeral key changed", altered(second, 0), "noise"),
        ("small-order", "an ephemeral key of small order", bytes(32) + second[32:], "noise"),
        ("ekem1", "one bit of the sealed ciphertext changed", altered(second, 40), "noise"),
        ("answer", "one bit of the answer changed", altered(second, -1), "noise"),
        ("other-session", "the answer to another message 1", other.second, "noise"),
        ("short", "a byte short of a slot", second[:-1], "size"),
        ("version", "a version that was not offered", _Session("noise", chosen=pack([2])).second, "version"),
        ("two-versions", "two versions chosen", _Session("noise", chosen=pack([1, 2])).second, "version"),
    ]
    for name, title, message, error in cases:
        yield Scenario(
            f"link-node-bad-{name}", "7 §2", f"message 2: {title}", "link_node", session.at_node(message), error=error
        )


def _bad_frames() -> Iterator[Scenario]:
    session = _Session("noise")
    plaintext = frame([], 1)
    good = session.from_node(0, plaintext)
    cases = [
        ("altered", "one bit changed", [altered(good, 100)], "noise"),
        ("skipped", "the second in place of the first", [session.from_node(1, plaintext)], "noise"),
        ("replayed", "the first, twice", [good, good], "noise"),
        ("reflected", "a relay's own message, sent back", [session.from_relay(0, plaintext)], "noise"),
        ("three-slots", "three slots", [session.from_node(0, plaintext + bytes(8_192))], "size"),
        ("sixteen-slots", "sixteen slots", [session.from_node(0, plaintext + bytes(15 * 4_096))], "size"),
        ("short", "a byte short", [good[:-1]], "size"),
        ("padding", "padding that is not zero", [session.from_node(0, altered(plaintext, -1))], "padding"),
        ("reply", "a reply, sent to a relay", [session.from_node(0, frame([encoded("done", 1)], 1))], "malformed"),
    ]
    for name, title, messages, error in cases:
        yield Scenario(
            f"link-frame-bad-{name}", "7 §4", f"a frame: {title}", "link_relay",
            session.at_relay(session.first, *messages), error=error,
        )  # fmt: skip


def _custody() -> Iterator[Scenario]:
    session, draw = _Session("noise"), Draw("custody")
    sender, sends, bodies = draw(32), [draw(16), draw(16)], [draw(3_840), draw(3_840)]
    deposits = [
        encoded("deposit", request, envelope(sender, send_id, body))
        for request, (send_id, body) in enumerate(zip(sends, bodies, strict=True))
    ]
    digests = [digest(send_id, body) for send_id, body in zip(sends, bodies, strict=True)]
    minute = 29_700_000

    def custody(names: list[bytes], seed: bytes = session.relay_seed, days: int = 30) -> bytes:
        return encoded("custody", minute, days, sign(seed, custody_message(minute, 30, names)))

    def answered(*commands: bytes) -> dict[str, Any]:
        return session.at_node(session.second, session.from_relay(0, frame(commands, 1)), queued=deposits)

    first, second = encoded("stored", 0), encoded("stored", 1)
    accepted = [{"request": number, "digest": name, "minute": minute} for number, name in enumerate(digests)]
    sent = [session.first, session.from_node(0, frame(deposits, 2))]
    good = {"handshake_hash": session.h, "sent": sent}
    yield Scenario(
        "custody-together", "8 §4", "one signature for two envelopes", "link_node",
        answered(first, second, custody(digests)), {**good, "commands": accepted},
    )  # fmt: skip
    yield Scenario(
        "custody-apart", "8 §4", "a signature for each", "link_node",
        answered(first, custody(digests[:1]), second, custody(digests[1:])), {**good, "commands": accepted},
    )  # fmt: skip
    cases = [
        ("none", "stored without a signature", (first,)),
        ("one-short", "a signature for the first alone", (first, second, custody(digests[:1]))),
        ("swapped", "a signature over the digests in another order", (first, second, custody(digests[::-1]))),
        ("stranger", "signed by another key", (first, custody(digests[:1], draw(32)))),
        ("retention", "signed for another retention", (first, custody(digests[:1], days=31))),
        ("of-nothing", "a signature with nothing stored", (custody([]),)),
        ("not-deposited", "stored what was not deposited", (encoded("stored", 7), custody(digests[:1]))),
        ("twice", "stored twice", (first, first, custody([digests[0], digests[0]]))),
    ]
    for name, title, commands in cases:
        yield Scenario(f"custody-bad-{name}", "8 §4", title, "link_node", answered(*commands), error="custody")
