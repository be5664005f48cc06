"""Handshakes and ratchets, with the vector's randomness played back."""

from protocol.keys import DhPrivate, Identity, KemSeed, SigningKey
from protocol.session import handshake, ratchet
from protocol.session.handshake import Prekeys, Session
from protocol.session.identity import IdentityKeys
from protocol.session.invitation import decode_invitation
from protocol.session.ratchet import Ratchet
from tests.vectors.runners.given import Given, PlayedEntropy, PlayedSuite, Result

Kept = dict[tuple[int, int], bytes]


def handshake_join(given: Given) -> Result:
    """The joiner's body, byte for byte."""
    session, body = _join(given)
    return {"body": body, "peer": session.peer, **_later(session)}


def handshake_receive(given: Given) -> Result:
    """The inviter's side."""
    session, payload = _receive(given, given.raw("body"))
    return {"payload": payload, "peer": session.peer, **_later(session)}


def _later(session: Session) -> Result:
    return {
        "transcript": session.ratchet.transcript, "reset": session.reset, "discovery": session.discovery
    }  # fmt: skip


def _person(given: Given) -> IdentityKeys:
    suite = PlayedSuite()
    signing, dh = suite.signing_key(given.raw("signing")), DhPrivate(given.raw("dh"))
    return IdentityKeys(SigningKey(signing), dh, Identity(signing[32:] + suite.dh_public(dh)))


def _join(given: Given) -> tuple[Session, bytes]:
    draws, encoded = given.inner("draws"), given.raw("invitation")
    entropy = PlayedEntropy(draws.raw("ephemeral"), draws.raw("dh"), draws.raw("kem"))
    return handshake.join(
        PlayedSuite(draws.raw("coins")), entropy, _person(given.inner("joiner")), decode_invitation(encoded), encoded,
        given.raw("psk"), given.raw("payload"),
    )  # fmt: skip


def _receive(given: Given, body: bytes) -> tuple[Session, bytes]:
    prekeys = Prekeys(DhPrivate(given.raw("prekey_dh")), KemSeed(given.raw("prekey_kem")))
    return handshake.receive(
        PlayedSuite(), _person(given.inner("inviter")), prekeys, given.raw("invitation"), given.raw("psk"), body
    )


class _Side:
    """One end of a conversation: its ratchet and the keys that it keeps."""

    def __init__(self, state: Ratchet) -> None:
        self.state = state
        self.kept: Kept = {}

    def seal(self, step: Given) -> bytes:
        """The body of a step, whose draws must be all that is drawn."""
        turn = [step.inner("turn").raw(name) for name in ("dh", "kem")] if "turn" in step else []
        entropy = PlayedEntropy(*turn, step.raw("salt"))
        suite = PlayedSuite(*([step.inner("turn").raw("coins")] if turn else []))
        self.state, body = ratchet.seal(suite, entropy, self.state, step.raw("payload"))
        assert not entropy.secrets
        assert not suite.coins
        return body

    def lose(self, count: int) -> None:
        """Seals what never arrives."""
        for _ in range(count):
            self.state, _ = ratchet.seal(PlayedSuite(), PlayedEntropy(bytes(24)), self.state, bytes(1_472))

    def open(self, body: bytes) -> ratchet.Opened:
        """Takes the step, or raises with nothing changed."""
        opened = ratchet.open_body(PlayedSuite(), self.state, body, lambda turn, number: self.kept.get((turn, number)))
        self.state = opened.ratchet
        self.kept.update({(key.turn, key.number): key.key for key in opened.skipped})
        if opened.used is not None:
            del self.kept[opened.used]
        return opened


def conversation(given: Given) -> Result:
    """Every step in order; the last may be the one that is refused."""
    joined, body = _join(given.inner("handshake"))
    received, _ = _receive(given.inner("handshake"), body)
    sides = {"joiner": _Side(joined.ratchet), "inviter": _Side(received.ratchet)}
    bodies: dict[int, bytes] = {}
    for number, step in enumerate(given.inners("steps")):
        side = sides[step.text("by")]
        match step.text("do"):
            case "seal":
                bodies[number] = side.seal(step)
                assert bodies[number] == step.raw("body"), f"step {number} seals something else"
                assert side.state.send_index == step.number("index") + 1, f"step {number} has another index"
            case "lose":
                side.lose(step.number("count"))
            case "open":
                opened = side.open(bodies[step.number("step")] if "step" in step else step.raw("body"))
                assert opened.payload == step.raw("payload"), f"step {number} opens something else"
                assert opened.index == step.number("index"), f"step {number} has another index"
    return {"steps": len(given.values["steps"])}


RUNNERS = {"handshake_join": handshake_join, "handshake_receive": handshake_receive, "ratchet": conversation}
