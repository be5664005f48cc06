"""Spec 2: commands, frames, and every way in which a frame can be wrong."""

from collections.abc import Iterator
from typing import Any

from tests.vectors.independent.wire import COMMANDS, frame, pack
from tests.vectors.scenario import Draw, Scenario

_TO_RELAY = {name for name, kind in COMMANDS.items() if kind < 32}


def scenarios() -> Iterator[Scenario]:
    """All of Spec 2."""
    yield from _commands()
    yield from _frames()
    yield from _bad_frames()
    yield from _bad_commands()


def encoded(name: str, *fields: object) -> bytes:
    """A command."""
    return pack([COMMANDS[name], *fields])


def _commands() -> Iterator[Scenario]:
    draw = Draw("commands")
    link = {"link_id": draw(16), "lifetime_minutes": 10_080, "sealed": draw(2_040)}
    more, cards = Draw("commands of forwarding"), Draw("commands of cards")
    descriptor = {"epoch": 255, "key": more(32), "until": 29_730_000, "signature": more(64)}
    create = {"request": 1, "recipient_key": draw(32), "send_id": draw(16), "claim_key": draw(32)}
    cases: list[tuple[str, str, dict[str, Any]]] = [
        ("create", "a queue with a sealed invitation", {**create, "link": link, "signature": draw(64)}),
        ("create", "a queue alone", {**create, "link": None, "signature": draw(64)}),
        ("claim", "a queue", {"request": 2, "id": draw(16), "sender_key": draw(32), "signature": draw(64)}),
        ("settle", "an invitation", {"request": 3, "receive_id": draw(16)}),
        ("prove", "the recipient's key", {"request": 128, "id": draw(16), "role": 1, "signature": draw(64)}),
        ("prove", "the sender's key", {"request": 65_536, "id": draw(16), "role": 2, "signature": draw(64)}),
        ("subscribe", "a queue", {"request": 2**32 - 1, "subscription": 256, "receive_id": draw(16)}),
        ("deposit", "an envelope", {"request": 0, "envelope": draw(3_929)}),
        ("ack", "an entry", {"subscription": 256, "sequence": 2**63 - 1}),
        ("drop", "a queue", {"request": 5, "receive_id": draw(16)}),
        ("via", "a relay", {"request": 6, "destination": 255, "host": "wss://relay.example:443", "relay": more(32)}),
        ("forward", "an onion", {"request": 2**32 - 1, "destination": 0, "onion": more(3_994)}),
        ("onion", "from an entry", {"request": 1, "onion": more(3_994)}),
        ("describe", "yourself", {"request": 2}),
        ("info", "the last part that there can be", {"request": 7, "part": 65_535}),
        ("shape", "batched", {"preset": 2}),
        ("shape", "constant-16", {"preset": 5}),
        ("publish", "a card", {"request": 8, "card": cards(3_900)}),
        ("lookup", "a name", {"request": 9, "name": "alice"}),
        ("kept", "a card", {"request": 9, "card": cards(1_000)}),
        ("done", "a request", {"request": 1}),
        ("claimed", "a link", {"request": 2, "sealed": draw(2_040)}),
        ("claimed", "a queue", {"request": 2, "sealed": None}),
        ("subscribed", "a queue", {"request": 2**32 - 1, "checkpoint": None}),
        ("stored", "an envelope", {"request": 0}),
        ("refused", "uniformly", {"request": 2, "code": 1}),
        ("refused", "a full queue", {"request": 2, "code": 2}),
        ("custody", "of what precedes", {"minute": 29_700_000, "retention_days": 30, "signature": draw(64)}),
        ("delivery", "of an envelope", {"subscription": 256, "sequence": 1, "envelope": draw(3_929)}),
        ("marker", "a claim", {"subscription": 0, "sequence": 2, "marker": 1, "minute": 29_700_000, "key": draw(32)}),
        ("marker", "a full queue", {"subscription": 0, "sequence": 3, "marker": 2, "minute": 29_700_001, "key": None}),
        ("ended", "a subscription", {"subscription": 256}),
        ("described", "a part of a list", {"request": 7, "parts": 17, "chunk": draw(3_900)}),
        ("described", "no list", {"request": 8, "parts": 0, "chunk": b""}),
        ("reachable", "with its descriptor", {"request": 6, "descriptor": descriptor}),
        ("returned", "of a deposit", {"request": 1, "sealed": more(512)}),
        ("returned", "of a claim", {"request": 2**32 - 1, "sealed": more(3_900)}),
    ]
    for name, what, fields in cases:
        plain = [list(value.values()) if isinstance(value, dict) else value for value in fields.values()]
        yield Scenario(
            f"command-{name}-{what.replace(' ', '-').replace(chr(39), '')}", "2 §3", f"{name}: {what}", "command",
            {"to": "relay" if name in _TO_RELAY else "node", "name": name, "fields": fields},
            {"encoded": encoded(name, *plain)},
        )  # fmt: skip


def _frames() -> Iterator[Scenario]:
    draw = Draw("frames")
    deposits = [encoded("deposit", number, draw(3_929)) for number in range(8)]
    proof = encoded("prove", 9, draw(16), 1, draw(64))
    cases = [
        ("keep-alive", "an empty frame keeps a link alive", [], 1),
        ("one-slot", "a deposit in one slot", deposits[:1], 1),
        (
            "reserve-one-slot",
            "small commands ride along with a deposit",
            [*deposits[:1], *[encoded("ack", 1, 2)] * 20],
            1,
        ),
        ("two-slots", "a deposit and a proof take two slots", [deposits[0], proof, *[encoded("ack", 1, 2)] * 20], 2),
        ("four-slots", "three deposits take four", deposits[:3], 4),
        ("eight-slots", "eight deposits take eight", deposits, 8),
        ("most-commands", "256 commands are the most", [encoded("ack", 0, 1)] * 256, 1),
    ]
    for name, title, commands, slots in cases:
        yield Scenario(
            f"frame-{name}", "2 §4", title, "frame", {"to": "relay", "commands": commands},
            {"slots": slots, "plaintext": frame(commands, slots)},
        )  # fmt: skip


def _bad_frames() -> Iterator[Scenario]:
    draw = Draw("bad frames")
    settle = encoded("settle", 1, draw(16))
    good = frame([settle], 1)
    end = 2 + 1 + len(settle)

    def raw(array: bytes) -> bytes:
        return (len(array).to_bytes(2, "big") + array).ljust(4_080, b"\0")

    cases = [
        (
            "padding-first",
            "the first byte after the commands is not zero",
            good[:end] + b"\1" + good[end + 1 :],
            "padding",
        ),
        ("padding-last", "the last byte of the frame is not zero", good[:-1] + b"\x80", "padding"),
        ("length-past-the-end", "the length reaches past the frame", b"\xff\xff" + good[2:], "malformed"),
        ("length-cuts", "the length cuts the last command", good[:1] + bytes((good[1] - 1,)) + good[2:], "padding"),
        ("empty", "no array at all", raw(b""), "malformed"),
        ("not-an-array", "a command without its array", raw(settle), "malformed"),
        ("nil", "nil in place of the array", raw(b"\xc0"), "malformed"),
        ("map", "a map in place of the array", raw(b"\x81\x01" + settle), "malformed"),
        (
            "duplicate-keys",
            "a map with a key twice in place of a command",
            raw(b"\x91\x82\x01\x01\x01\x02"),
            "malformed",
        ),
        ("trailing", "a second value after the array", raw(b"\x91" + settle + b"\xc0"), "malformed"),
        ("cut", "an array of two with one command in it", raw(b"\x92" + settle), "malformed"),
        ("deep", "four thousand arrays, one in another", raw(b"\x91" * 4_000 + b"\xc0"), "malformed"),
        (
            "deep-field",
            "a field of two thousand arrays",
            raw(b"\x91\x93\x03\x01" + b"\x91" * 2_000 + b"\xc0"),
            "malformed",
        ),
        (
            "huge-array",
            "an array that claims four billion commands",
            raw(b"\xdd\xff\xff\xff\xff" + settle),
            "malformed",
        ),
        (
            "huge-bin",
            "a field that claims four billion bytes",
            raw(b"\x91\x93\x03\x01\xc6\xff\xff\xff\xff"),
            "malformed",
        ),
        ("extension", "an extension type in place of a command", raw(b"\x91\xd4\x01\x00"), "malformed"),
        ("reserved-byte", "0xc1, which msgpack never uses", raw(b"\x91\xc1"), "malformed"),
        ("array-header", "one command in an array of 16-bit length", raw(b"\xdc\x00\x01" + settle), "non_canonical"),
        ("257-commands", "more commands than a frame may hold", frame([encoded("ack", 0, 1)] * 257, 1), "limit"),
    ]
    for name, title, plaintext, error in cases:
        yield Scenario(
            f"frame-bad-{name}", "2 §4", title, "frame_read", {"to": "relay", "plaintext": plaintext}, error=error
        )


def _bad_commands() -> Iterator[Scenario]:
    draw = Draw("bad commands")
    name16 = draw(16)
    bin16 = b"\xc4\x10" + name16
    envelope = draw(3_930)
    cases = [
        ("kind-as-uint8", "the kind as a two-byte integer", b"\x93\xcc\x03\x01" + bin16, "non_canonical"),
        ("request-as-uint32", "a small request of four bytes", b"\x93\x03\xce\0\0\0\1" + bin16, "non_canonical"),
        ("request-as-int8", "a positive request as a signed integer", b"\x93\x03\xd0\x01" + bin16, "non_canonical"),
        ("bin-header", "16 bytes under a 16-bit length", b"\x93\x03\x01\xc5\0\x10" + name16, "non_canonical"),
        ("array-header", "three fields under a 16-bit length", b"\xdc\0\3\x03\x01" + bin16, "non_canonical"),
        ("kind-0", "a kind that does not exist", b"\x93\x00\x01" + bin16, "malformed"),
        ("kind-13", "a kind that is reserved", pack([13, 1, name16]), "malformed"),
        ("kind-text", "a kind that is a text", pack(["settle", 1, name16]), "malformed"),
        ("no-kind", "an empty command", b"\x90", "malformed"),
        ("reply", "a reply, sent to a relay", encoded("done", 1), "malformed"),
        ("field-missing", "a field too few", pack([3, 1]), "malformed"),
        ("field-more", "a field too many", pack([3, 1, name16, None]), "malformed"),
        ("id-short", "an id of 15 bytes", pack([3, 1, name16[:15]]), "malformed"),
        ("id-long", "an id of 17 bytes", pack([3, 1, name16 + b"\0"]), "malformed"),
        ("id-text", "an id that is a text", b"\x93\x03\x01\xb0" + b"a" * 16, "malformed"),
        ("id-nil", "an id that is nil", pack([3, 1, None]), "malformed"),
        ("request-negative", "a negative request", b"\x93\x03\xff" + bin16, "malformed"),
        ("request-33-bits", "a request past 32 bits", pack([3, 2**32, name16]), "malformed"),
        ("request-true", "a request that is a truth value", pack([3, True, name16]), "malformed"),
        ("request-float", "a request that is a fraction", pack([3, 1.5, name16]), "malformed"),
        ("sequence-0", "a sequence below 1", pack([7, 1, 0]), "malformed"),
        ("sequence-64-bits", "a sequence past 63 bits", pack([7, 1, 2**63]), "malformed"),
        ("name-empty", "a name of no byte", pack([18, 1, ""]), "malformed"),
        ("name-33", "a name of 33 bytes", pack([18, 1, "a" * 33]), "malformed"),
        ("card-3901", "a card one byte too long", pack([17, 1, bytes(3_901)]), "malformed"),
        ("preset-0", "a preset below the first", pack([16, 0]), "malformed"),
        ("preset-6", "a preset past the last", pack([16, 6]), "malformed"),
        ("role-3", "a role that does not exist", pack([4, 1, name16, 3, draw(64)]), "malformed"),
        ("envelope-empty", "an envelope of no byte", pack([6, 1, b""]), "malformed"),
        ("envelope-3930", "an envelope one byte too long", pack([6, 1, envelope]), "malformed"),
        (
            "sealed-2039", "a sealed invitation one byte short",
            pack([1, 1, draw(32), name16, draw(32), [draw(16), 10, draw(2_039)], draw(64)]), "malformed",
        ),
    ]  # fmt: skip
    for name, title, command, error in cases:
        yield Scenario(
            f"command-bad-{name}",
            "2 §2",
            title,
            "frame_read",
            {"to": "relay", "plaintext": frame([command], 1)},
            error=error,
        )
