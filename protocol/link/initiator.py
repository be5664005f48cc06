"""The end that dialled: it pins the other's key and verifies custody before handing it up (Spec 7 §2, Spec 8 §4)."""

from protocol.crypto.noise import Initiator
from protocol.crypto.proofs import custody_message
from protocol.crypto.suite import Suite
from protocol.entropy import Entropy
from protocol.envelope.envelope import parse_envelope
from protocol.errors import Code, PeerError
from protocol.keys import DhPrivate, Digest, KemSeed, RelayKey, Request
from protocol.limits import MAX_UNANSWERED_DEPOSITS
from protocol.link import offers
from protocol.link.link import Link
from protocol.timing import Timing
from protocol.traffic.shaper import fit, make_shaper
from protocol.wire.codec import Decoder, encode
from protocol.wire.commands import Accepted, Command, Custody, Deposit, OnWireToNode, Preset, Refused, Shape, Stored
from protocol.wire.frames import decode_frame

_decoder: Decoder[list[OnWireToNode]] = Decoder(list[OnWireToNode])


class InitiatorLink(Link[bytes]):
    """A node's end of a connection to a relay whose 32-byte Ed25519 key it knows.

    With `psk`, the 32 bytes of Spec 9 §5, the session rests on that secret, and on the key only custody does.
    """

    __slots__ = ("_deposits", "_handshake", "_preset", "_relay", "_suite")

    def __init__(
        self,
        suite: Suite,
        entropy: Entropy,
        timing: Timing,
        relay: RelayKey,
        now: float,
        preset: Preset = Preset.DIRECT,
        psk: bytes | None = None,
    ) -> None:
        """Both directions follow the preset. Raises PeerError BAD_KEY: `relay` is no Ed25519 key."""
        shaper = make_shaper(preset, entropy.uniform, timing, now, to_relay=True)
        super().__init__(entropy, timing, shaper, now)
        self._preset = preset
        self._suite = suite
        self._relay = relay
        self._deposits: dict[Request, Digest] = {}
        ephemeral = DhPrivate(entropy.secret(32))
        static = suite.relay_dh_public(relay)
        seed = KemSeed(entropy.secret(64))
        self._handshake = Initiator(suite, static if psk is None else None, ephemeral, seed, psk=psk)
        self._handshake_message = self._handshake.write(offers.offer())

    def _shake_hands(self, message: bytes) -> None:
        payload, session = self._handshake.read(message)
        offers.check_choice(payload)
        self._session = session
        del self._handshake  # and with it the ephemeral keys
        if self._preset is not Preset.DIRECT:
            self.queue(Shape(self._preset))

    def _prepare(self, command: Command) -> tuple[bytes, int]:
        if type(command) is Deposit:
            if len(self._deposits) >= MAX_UNANSWERED_DEPOSITS:
                raise PeerError(Code.LIMIT, "too many deposits are unanswered")
            self._deposits[command.request] = parse_envelope(command.envelope).digest
        encoded = encode(command)
        return encoded, len(encoded)

    def _pack(self, room: int) -> list[bytes]:
        count = fit(map(len, self._waiting), room)
        packed = self._waiting[:count]
        del self._waiting[:count]
        self.queued_bytes -= sum(map(len, packed))
        return packed

    def _unpack(self, plaintext: bytes) -> list[Command]:
        """`stored` and `custody` become `Accepted` once the signature is verified. Raises PeerError CUSTODY."""
        commands: list[Command] = []
        stored: list[tuple[Request, Digest]] = []
        for command in decode_frame(plaintext, _decoder):
            if isinstance(command, Stored):
                digest = self._deposits.pop(command.request, None)
                if digest is None:
                    raise PeerError(Code.CUSTODY, "stored what was not deposited")
                stored.append((command.request, digest))
            elif isinstance(command, Custody):
                self._verify(command, stored)
                commands += [Accepted(request, digest, command.minute) for request, digest in stored]
                stored.clear()
            else:
                if isinstance(command, Refused):
                    self._deposits.pop(command.request, None)
                commands.append(command)
        if stored:
            raise PeerError(Code.CUSTODY, "stored without custody")
        return commands

    def _verify(self, custody: Custody, stored: list[tuple[Request, Digest]]) -> None:
        signed = custody_message(custody.minute, custody.retention_days, (digest for _, digest in stored))
        if not stored or not self._suite.verify(self._relay, signed, custody.signature):
            raise PeerError(Code.CUSTODY, "custody of something else, or not by this relay")
