"""The end that was dialled: it holds the pinned key, and signs custody for what it packs (Spec 7 §2, Spec 8 §4)."""

from protocol.crypto.noise import Responder
from protocol.crypto.proofs import custody_message
from protocol.crypto.suite import Suite
from protocol.entropy import Entropy
from protocol.envelope.envelope import parse_envelope
from protocol.errors import Code, PeerError
from protocol.keys import DhPrivate, Digest, Minute, SendId, SigningKey
from protocol.limits import MAX_COMMANDS_PER_FRAME, RETENTION_DAYS
from protocol.link import offers
from protocol.link.link import Link
from protocol.timing import Timing
from protocol.traffic.shaper import Shaper, make_shaper
from protocol.wire.codec import Decoder, encode
from protocol.wire.commands import (
    Accepted,
    Claim,
    Command,
    Custody,
    Deposit,
    OnWireToRelay,
    Preset,
    Prove,
    Role,
    Shape,
    Stored,
)
from protocol.wire.frames import decode_frame

STORED_BYTES = 7
"""At most: array 1, kind 1, request 5."""
CUSTODY_BYTES = 76
"""At most: array 1, kind 1, minute 5, retention 3, signature 66."""
_ACCEPTED_BYTES = 128
"""What one waiting `Accepted` is counted as: about what it takes of memory."""

_decoder: Decoder[list[OnWireToRelay]] = Decoder(list[OnWireToRelay])


class ResponderLink(Link[bytes | Accepted]):
    """A relay's end of a connection to whoever dialled. `key` is the relay's one 64-byte signing key.

    With `psk`, the 32 bytes of Spec 9 §5, only who has that secret gets a session. With `reaches`, a session may claim,
    prove and deposit into these queues, and nothing else.
    """

    __slots__ = ("_key", "_psk", "_reaches", "_retention_days", "_shaped", "_suite")

    def __init__(
        self,
        suite: Suite,
        entropy: Entropy,
        timing: Timing,
        key: SigningKey,
        now: float,
        retention_days: int = RETENTION_DAYS,
        psk: bytes | None = None,
        reaches: frozenset[SendId] | None = None,
    ) -> None:
        super().__init__(entropy, timing, self._shape(Preset.DIRECT, entropy, timing, now), now)
        self._shaped = False
        self._suite = suite
        self._key = key
        self._retention_days = retention_days
        self._psk = psk
        self._reaches = reaches

    def _shake_hands(self, message: bytes) -> None:
        static = self._suite.relay_dh_private(self._key) if self._psk is None else None
        handshake = Responder(self._suite, static, DhPrivate(self._entropy.secret(32)), psk=self._psk)
        choice = offers.choose(handshake.read(message))
        self._handshake_message, self._session = handshake.write(choice)

    def _prepare(self, command: Command) -> tuple[bytes | Accepted, int]:
        if type(command) is Accepted:
            return command, _ACCEPTED_BYTES
        encoded = encode(command)
        return encoded, len(encoded)

    def _pack(self, room: int) -> list[bytes]:
        """Each run of `stored` of one minute ends in one `custody`, whose room is reserved when the run begins."""
        packed: list[bytes] = []
        count = taken = 0
        run: list[Digest] = []
        minute = Minute(0)
        for waiting in self._waiting:
            if type(waiting) is bytes:
                if len(waiting) > room or count + 1 > MAX_COMMANDS_PER_FRAME:
                    break
                room -= len(waiting)
                count += 1
                self.queued_bytes -= len(waiting)
                packed.append(waiting)
            else:
                assert type(waiting) is Accepted
                begins = not run or waiting.minute != minute
                length = STORED_BYTES + CUSTODY_BYTES * begins
                if length > room or count + 1 + begins > MAX_COMMANDS_PER_FRAME:
                    break
                if begins and run:
                    packed.append(self._custody(minute, run))
                    run = []
                minute = waiting.minute
                room -= length
                count += 1 + begins
                self.queued_bytes -= _ACCEPTED_BYTES
                run.append(waiting.digest)
                packed.append(encode(Stored(waiting.request)))
            taken += 1
        del self._waiting[:taken]
        if run:
            packed.append(self._custody(minute, run))
        return packed

    def _custody(self, minute: Minute, digests: list[Digest]) -> bytes:
        signature = self._suite.sign(self._key, custody_message(minute, self._retention_days, digests))
        return encode(Custody(minute, self._retention_days, signature))

    def _unpack(self, plaintext: bytes) -> list[Command]:
        """`shape` is carried out here, from the next frame on. Raises PeerError LIMIT where it comes again."""
        commands: list[Command] = []
        for command in decode_frame(plaintext, _decoder):
            if type(command) is Shape:
                if self._shaped:
                    raise PeerError(Code.LIMIT, "shaped twice")
                self._shaped = True
                self._shaper = self._shape(command.preset, self._entropy, self._timing, self._heard)
            elif self._reaches is not None and _queue_of(command) not in self._reaches:
                raise PeerError(Code.MALFORMED, "a command that is not of this session's queues")
            else:
                commands.append(command)
        return commands

    @staticmethod
    def _shape(preset: Preset, entropy: Entropy, timing: Timing, now: float) -> Shaper:
        return make_shaper(preset, entropy.uniform, timing, now, to_relay=False)


def _queue_of(command: Command) -> bytes | None:
    """The send id of what a sender may do; None for what only a recipient does."""
    if isinstance(command, Deposit):
        return parse_envelope(command.envelope).send_id
    if isinstance(command, Claim) or (isinstance(command, Prove) and command.role is Role.SENDER):
        return command.id
    return None
