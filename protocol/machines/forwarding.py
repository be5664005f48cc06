"""What a relay has beside its queues in order to forward, and to be forwarded to (Spec 12): an entry for nodes, and a
destination for the onions that other entries bring. What comes by an entry is allowed by its own signature alone.
"""

from protocol.crypto.proofs import custody_message
from protocol.crypto.suite import Suite
from protocol.entropy import Entropy
from protocol.errors import Code, PeerError
from protocol.forwarding.entry import Entry
from protocol.forwarding.keys import OnionKeys
from protocol.forwarding.onion import Answer, Content, open_onion, seal_reply
from protocol.keys import RelayKey, SigningKey
from protocol.limits import RETENTION_DAYS
from protocol.machines.queue_commands import Commands, Session, Step
from protocol.timing import Timing
from protocol.wire.commands import (
    Accepted,
    Claim,
    Claimed,
    Deposit,
    Describe,
    Forward,
    Onion,
    Reachable,
    Refused,
    Returned,
    Via,
)
from protocol.wire.onions import Cover, OnionClaim, OnionClaimed, OnionDeposit, OnionStored, Unwanted


class Forwarding:
    """Handed to `protocol.machines.relay.Relay`. `signing`: the key that the relay's address pins."""

    def __init__(self, suite: Suite, entropy: Entropy, timing: Timing, signing: SigningKey) -> None:
        self.keys = OnionKeys(suite, entropy, signing)
        self.entry = Entry(suite, entropy, timing, RelayKey(signing[32:]))
        self._suite = suite
        self._signing = signing
        self._relay = RelayKey(signing[32:])

    def carry_out(self, command: Via | Forward | Onion | Describe, step: Step, commands: Commands) -> None:
        """`commands`: what touches this relay's queues."""
        match command:
            case Via():
                step.effects += self.entry.via(step.connection, command, step.now)
            case Forward():
                step.effects += self.entry.forward(step.connection, command, step.now)
            case Onion():
                self._open(command, step, commands)
            case Describe():
                descriptor = self.keys.describe(step.now)
                if descriptor is None:
                    step.refuse(command.request, Code.UNAVAILABLE)
                else:
                    step.reply(Reachable(command.request, descriptor))

    def _open(self, command: Onion, step: Step, commands: Commands) -> None:
        """Whatever is wrong with an onion is no fault of the relay that brought it."""
        pair = self.keys.pair(command.onion[0])
        try:
            if pair is None:
                raise PeerError(Code.UNREADABLE, "an onion of an epoch that is over")
            private, public = pair
            opened = open_onion(self._suite, self._relay, private, command.onion, public)
        except PeerError:
            step.refuse(command.request)
            return
        answer = self._answer(opened.content, command, step, commands)
        step.reply(Returned(command.request, seal_reply(self._suite, opened.reply_key, answer)))

    def _answer(self, content: Content, onion: Onion, step: Step, commands: Commands) -> Answer:
        if isinstance(content, Cover):
            return Unwanted(Code.REFUSED)
        inside = _command(content, onion)
        apart = Step(step.connection, Session(step.session.handshake_hash), step.subscriptions, step.tx, step.now)
        try:
            commands.carry_out(inside, apart)
        except PeerError:
            return Unwanted(Code.REFUSED)
        step.take_over(apart)
        (reply,) = apart.replies()
        match reply:
            case Accepted():
                message = custody_message(reply.minute, RETENTION_DAYS, (reply.digest,))
                return OnionStored(reply.minute, RETENTION_DAYS, self._suite.sign(self._signing, message))
            case Claimed():
                return OnionClaimed(reply.sealed)
            case Refused():
                return Unwanted(reply.code)
        raise AssertionError(f"an answer to {type(inside).__name__} that nobody expects: {reply}")


def _command(content: OnionDeposit | OnionClaim, onion: Onion) -> Deposit | Claim:
    if isinstance(content, OnionDeposit):
        return Deposit(onion.request, content.envelope)
    return Claim(onion.request, content.id, content.sender_key, content.signature)
