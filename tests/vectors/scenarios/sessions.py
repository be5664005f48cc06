"""Spec 4: handshakes good and bad, and what a ratchet does with every kind of envelope."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.vectors.independent import mlkem
from tests.vectors.independent.primitives import x25519_public
from tests.vectors.independent.session import (
    Draws,
    Handshake,
    Person,
    Side,
    handshake,
    invite,
    link_psk,
)
from tests.vectors.independent.wire import pack, payload
from tests.vectors.scenario import Draw, Scenario, altered


def scenarios() -> Iterator[Scenario]:
    """All of Spec 4."""
    yield from _handshakes()
    yield from _bad_handshakes()
    yield from _bad_prekeys()
    yield from _conversations()
    yield from _refusals()
    yield from _forgeries()


class _Meeting:
    """Two people, an invitation and the joiner's draws."""

    def __init__(self, name: str) -> None:
        draw = Draw(name)
        self.alice, self.bob = Person(draw(32), draw(32)), Person(draw(32), draw(32))
        route = ["wss://relay.example:443", draw(32), draw(16), draw(32), False]
        self.invitation = invite(self.alice, draw(32), draw(64), [route], 29_710_080, draw(32))
        self.draws = Draws(draw(32), draw(32), draw(32), draw(64))
        self.payload = payload([pack([5, "Bob", 0])], 1_408)

    def run(self, forge: Callable[[bytes], bytes] = lambda block: block) -> Handshake:
        """The handshake."""
        return handshake(self.invitation, self.bob, self.draws, self.payload, forge)

    def joining(self) -> dict[str, Any]:
        """What the joiner's side takes."""
        return {
            "joiner": self.bob._asdict(),
            "invitation": self.invitation.encoded,
            "psk": link_psk(self.invitation.secret),
            "draws": self.draws._asdict(),
            "payload": self.payload,
        }

    def receiving(self) -> dict[str, Any]:
        """What the inviter's side takes, but for the body."""
        return {
            "inviter": self.alice._asdict(),
            "prekey_dh": self.invitation.prekey_dh,
            "prekey_kem": self.invitation.prekey_kem,
            "invitation": self.invitation.encoded,
            "psk": link_psk(self.invitation.secret),
        }


def _handshakes() -> Iterator[Scenario]:
    meeting = _Meeting("handshake")
    done = meeting.run()
    later = {"transcript": done.transcript, "reset": done.reset, "discovery": done.discovery}
    yield Scenario(
        "handshake-join", "4 §1", "a joiner's handshake, byte for byte", "handshake_join",
        meeting.joining(), {"body": done.body, "peer": meeting.alice.identity, **later},
    )  # fmt: skip
    yield Scenario(
        "handshake-receive", "4 §2", "the inviter reads it", "handshake_receive",
        {**meeting.receiving(), "body": done.body},
        {"payload": meeting.payload, "peer": meeting.bob.identity, **later},
    )  # fmt: skip


def _bad_handshakes() -> Iterator[Scenario]:
    meeting, other = _Meeting("handshake"), _Meeting("another handshake")
    body = meeting.run().body
    given = meeting.receiving()
    encoded = meeting.invitation.encoded
    to_oneself = handshake(meeting.invitation, meeting.alice, meeting.draws, meeting.payload)
    cases: list[tuple[str, str, Mapping[str, Any], str]] = [
        ("psk", "made with another link's psk", {"psk": link_psk(other.invitation.secret)}, "unreadable"),
        ("expiry", "made for the same invitation with another expiry", {"invitation": _later(encoded)}, "unreadable"),
        ("invitation", "made for another invitation", {"invitation": other.invitation.encoded}, "unreadable"),
        ("prekey-dh", "made for another X25519 prekey", {"prekey_dh": other.invitation.prekey_dh}, "unreadable"),
        ("prekey-kem", "made for another ML-KEM prekey", {"prekey_kem": other.invitation.prekey_kem}, "unreadable"),
        ("inviter", "the invitation names another's identity", {"inviter": other.alice._asdict()}, "unreadable"),
        ("ephemeral", "one bit of the ephemeral key changed", {"body": altered(body, 0)}, "unreadable"),
        ("ciphertext", "one bit of the ML-KEM ciphertext changed", {"body": altered(body, 500)}, "unreadable"),
        ("identity", "one bit of the sealed identity changed", {"body": altered(body, 1_130)}, "unreadable"),
        ("payload", "one bit of the payload changed", {"body": altered(body, 2_500)}, "unreadable"),
        ("tag", "one bit of the last tag changed", {"body": altered(body, -1)}, "unreadable"),
        ("short", "a body one byte short", {"body": body[:-1]}, "size"),
        ("small-order", "an ephemeral key of small order", {"body": bytes(32) + body[32:]}, "bad_key"),
        ("oneself", "a handshake with oneself", {"body": to_oneself.body}, "wrong_recipient"),
        (
            "identity-small-order", "an identity whose X25519 key is of small order",
            {"body": meeting.run(lambda block: block[:32] + bytes(32) + block[64:]).body}, "bad_key",
        ),
        (
            "identity-of-another", "an identity that the joiner does not hold",
            {"body": meeting.run(lambda block: other.bob.identity + block[64:]).body}, "unreadable",
        ),
        (
            "ratchet-small-order", "a ratchet key of small order",
            {"body": meeting.run(lambda block: block[:64] + bytes(32) + block[96:]).body}, "bad_key",
        ),
        (
            "ratchet-kem", "another KEM key than the payload was sealed under",
            {"body": meeting.run(lambda block: altered(block, -1)).body}, "unreadable",
        ),
    ]  # fmt: skip
    for name, title, change, error in cases:
        yield Scenario(
            f"handshake-bad-{name}", "4 §2", title, "handshake_receive", {**given, "body": body, **change}, error=error
        )


def _later(encoded: bytes) -> bytes:
    """The same invitation with an expiry one minute later: it ends in `ce` expiry 4, nil."""
    assert encoded[-6:-5] == b"\xce"
    return encoded[:-2] + bytes((encoded[-2] + 1,)) + encoded[-1:]


def _bad_prekeys() -> Iterator[Scenario]:
    meeting = _Meeting("handshake")
    inviter, given = meeting.alice, meeting.joining()
    dh, kem = x25519_public(meeting.invitation.prekey_dh), mlkem.public_key(meeting.invitation.prekey_kem)
    route = ["wss://relay.example:443", bytes(32), bytes(16), bytes(32), False]
    cases = [
        ("prekey-small-order", "an X25519 prekey of small order", [1, inviter.identity, bytes(32), kem]),
        (
            "prekey-kem-modulus",
            "an ML-KEM prekey with a coefficient of q",
            [1, inviter.identity, dh, b"\x01\x0d" + kem[2:]],
        ),
        ("identity-zero", "an inviter's X25519 key of small order", [1, inviter.identity[:32] + bytes(32), dh, kem]),
    ]
    for name, title, fields in cases:
        invitation = pack([*fields, [route], 29_710_080, None])
        yield Scenario(
            f"handshake-join-bad-{name}", "4 §1", title, "handshake_join", {**given, "invitation": invitation},
            error="bad_key",
        )  # fmt: skip


class _Talk:
    """A conversation as the steps of a vector: what each side seals, loses and opens."""

    def __init__(self, name: str) -> None:
        self.meeting = _Meeting(name)
        done = self.meeting.run()
        self.draw = Draw(f"{name} steps")
        self.sides = {"joiner": done.joiner, "inviter": done.inviter}
        self.due = {"joiner": False, "inviter": True}
        self.bodies: dict[int, bytes] = {}
        self.payloads: dict[int, bytes] = {}
        self.index = {"joiner": 1, "inviter": 0}
        self.indexes: dict[int, int] = {}
        self.steps: list[dict[str, Any]] = []

    def seal(self, by: str) -> int:
        """The step's number, by which `open` names what it sealed."""
        side, number = self.sides[by], len(self.steps)
        step: dict[str, Any] = {"by": by, "do": "seal"}
        if self.due[by]:
            step["turn"] = self._turn(by, side)
        step |= {"salt": self.draw(24), "payload": payload([pack([5, f"{by} {number}", 0])], 1_472)}
        self.bodies[number] = step["body"] = side.seal(step["salt"], step["payload"])
        self.payloads[number] = step["payload"]
        self.indexes[number] = step["index"] = self.index[by]
        self.index[by] += 1
        self.steps.append(step)
        return number

    def _turn(self, by: str, side: Side) -> dict[str, bytes]:
        self.due[by] = False
        turn = {"dh": self.draw(32), "kem": self.draw(64), "coins": self.draw(32)}
        side.turn_to_send(turn["dh"], turn["kem"], mlkem.encapsulate(side.peer_part[32:1_216], turn["coins"]))
        return turn

    def lose(self, by: str, count: int) -> None:
        """Seals `count` that never arrive."""
        for _ in range(count):
            self.sides[by].next_key()
        self.index[by] += count
        self.steps.append({"by": by, "do": "lose", "count": count})

    def open(self, by: str, number: int) -> None:
        """What step `number` sealed."""
        side = self.sides[by]
        before = side.peer_part
        opened = side.open(self.bodies[number])
        assert opened == self.payloads[number]
        self.due[by] = self.due[by] or side.peer_part != before
        self.steps.append({"by": by, "do": "open", "step": number, "payload": opened, "index": self.indexes[number]})

    def scenario(self, name: str, spec: str, title: str) -> Scenario:
        """Every step succeeds."""
        return Scenario(name, spec, title, "ratchet", self._input(self.steps), {"steps": len(self.steps)})

    def refused(self, name: str, title: str, by: str, body: bytes | int, error: str) -> Scenario:
        """The last step fails, and changes nothing: whatever came before still opens after it."""
        last = {"by": by, "do": "open", **({"step": body} if isinstance(body, int) else {"body": body})}
        return Scenario(name, "4 §5", title, "ratchet", self._input([*self.steps, last]), error=error)

    def _input(self, steps: list[dict[str, Any]]) -> dict[str, Any]:
        return {"handshake": {**self.meeting.joining(), **self.meeting.receiving()}, "steps": steps}


def _conversations() -> Iterator[Scenario]:
    talk = _Talk("in order")
    for by, to in (("joiner", "inviter"), ("inviter", "joiner"), ("joiner", "inviter")):
        for _ in range(2):
            talk.open(to, talk.seal(by))
    yield talk.scenario("ratchet-in-order", "4 §4", "two each way and two again: three turns")

    talk = _Talk("out of order")
    first, second, third = (talk.seal("joiner") for _ in range(3))
    for number in (third, first, second):
        talk.open("inviter", number)
    yield talk.scenario("ratchet-out-of-order", "4 §5", "the third comes first: two keys are kept, then used")

    talk = _Talk("late")
    late = talk.seal("joiner")
    talk.open("inviter", talk.seal("joiner"))
    talk.open("joiner", talk.seal("inviter"))
    later = talk.seal("joiner")
    talk.open("inviter", talk.seal("joiner"))
    talk.open("inviter", late)
    talk.open("inviter", later)
    yield talk.scenario("ratchet-late", "4 §5", "an envelope of a chain that was left still opens")

    talk = _Talk("tail lost")
    talk.open("inviter", talk.seal("joiner"))
    tail = talk.seal("joiner")
    talk.open("joiner", talk.seal("inviter"))
    talk.open("inviter", talk.seal("joiner"))
    talk.open("inviter", tail)
    yield talk.scenario(
        "ratchet-tail", "4 §5", "PN names the tail of the chain before: its key is kept, its index stands"
    )

    talk = _Talk("crossing")
    talk.open("joiner", talk.seal("inviter"))
    one, other = talk.seal("joiner"), talk.seal("inviter")
    talk.open("inviter", one)
    talk.open("joiner", other)
    talk.open("inviter", talk.seal("joiner"))
    talk.open("joiner", talk.seal("inviter"))
    yield talk.scenario("ratchet-crossing", "4 §3", "both send at once: the turn waits, nothing is lost")

    talk = _Talk("eight turns late")
    old = talk.seal("joiner")
    talk.open("inviter", talk.seal("joiner"))
    for _ in range(8):
        talk.open("joiner", talk.seal("inviter"))
        talk.open("inviter", talk.seal("joiner"))
    talk.open("inviter", old)
    yield talk.scenario("ratchet-eight-turns-late", "4 §5", "header keys of the eight chains before are kept")

    talk = _Talk("first reply late")
    for _ in range(3):
        talk.seal("joiner")
    talk.open("inviter", 2)
    talk.open("joiner", talk.seal("inviter"))
    yield talk.scenario("ratchet-before-the-reply", "4 §2", "a joiner sends on before it is answered")

    talk = _Talk("farthest jump")
    talk.lose("joiner", 1_024)
    talk.open("inviter", talk.seal("joiner"))
    yield talk.scenario("ratchet-farthest", "4 §5", "1,024 skipped in one step is the most")


def _refusals() -> Iterator[Scenario]:
    talk = _Talk("duplicate")
    number = talk.seal("joiner")
    talk.open("inviter", number)
    yield talk.refused("ratchet-duplicate", "what was opened does not open again", "inviter", number, "duplicate")

    talk = _Talk("duplicate of a skipped one")
    skipped, last = talk.seal("joiner"), talk.seal("joiner")
    talk.open("inviter", last)
    talk.open("inviter", skipped)
    yield talk.refused("ratchet-duplicate-late", "a kept key opens once", "inviter", skipped, "duplicate")

    talk = _Talk("duplicate of an old chain")
    number = talk.seal("joiner")
    talk.open("inviter", number)
    talk.open("joiner", talk.seal("inviter"))
    talk.open("inviter", talk.seal("joiner"))
    yield talk.refused(
        "ratchet-duplicate-old", "what was opened in a chain that was left", "inviter", number, "duplicate"
    )

    talk = _Talk("too far")
    talk.lose("joiner", 1_025)
    yield talk.refused("ratchet-too-far", "1,025 would be skipped", "inviter", talk.seal("joiner"), "too_far")

    talk = _Talk("too far over a turn")
    talk.open("inviter", talk.seal("joiner"))
    talk.lose("joiner", 600)
    talk.open("joiner", talk.seal("inviter"))
    lost = talk.seal("joiner")
    talk.lose("joiner", 424)
    number = talk.seal("joiner")
    assert lost < number
    yield talk.refused(
        "ratchet-too-far-over-a-turn", "600 of the chain before and 425 of the new one", "inviter", number, "too_far"
    )

    talk = _Talk("too old")
    old = talk.seal("joiner")
    talk.open("inviter", talk.seal("joiner"))
    for _ in range(9):
        talk.open("joiner", talk.seal("inviter"))
        talk.open("inviter", talk.seal("joiner"))
    yield talk.refused(
        "ratchet-too-old", "header keys of eight chains are kept, not of the ninth", "inviter", old, "unreadable"
    )

    talk = _Talk("own")
    yield talk.refused("ratchet-own", "one's own envelope, sent back", "joiner", talk.seal("joiner"), "unreadable")


def _forgeries() -> Iterator[Scenario]:
    talk = _Talk("forged")
    body = talk.bodies[talk.seal("joiner")]
    stranger = _Talk("stranger")
    foreign = stranger.bodies[stranger.seal("joiner")]
    second = talk.bodies[talk.seal("joiner")]
    cases = [
        ("salt", "one bit of the salt changed", altered(body, 3), "unreadable"),
        ("header", "one bit of the sealed header changed", altered(body, 100), "unreadable"),
        ("header-tag", "one bit of the header's tag changed", altered(body, 2_351), "unreadable"),
        ("payload", "one bit of the sealed payload changed", altered(body, 2_400), "unreadable"),
        ("payload-tag", "one bit of the payload's tag changed", altered(body, -1), "unreadable"),
        ("spliced", "a header with another envelope's payload", body[:2_352] + second[2_352:], "unreadable"),
        ("random", "a body of another conversation", foreign, "unreadable"),
        ("zeros", "a body of zeros", bytes(3_840), "unreadable"),
        ("short", "a body one byte short", body[:-1], "size"),
    ]
    for name, title, forged, error in cases:
        yield talk.refused(f"ratchet-forged-{name}", title, "inviter", forged, error)

    turn = _Talk("forged turn")
    turn.open("inviter", turn.seal("joiner"))
    turn.open("joiner", turn.seal("inviter"))
    number = turn.seal("joiner")
    yield turn.refused(
        "ratchet-forged-turn", "a turn whose payload was changed is not taken", "inviter",
        altered(turn.bodies[number], -1), "unreadable",
    )  # fmt: skip
