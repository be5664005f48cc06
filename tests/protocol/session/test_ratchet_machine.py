"""The ratchet against loss, reordering, duplicates, replays, forgeries, crashes, and both sides sending at once.

A small model predicts the outcome of every step from turn and number alone. The bounds are made small, so that they are
met all the time.
"""

from typing import NamedTuple
from unittest.mock import patch

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from protocol.errors import Code, PeerError
from protocol.session import ratchet
from protocol.session.handshake import Session
from protocol.session.ratchet import Opened, Ratchet
from tests.protocol.session.people import SUITE, SeededEntropy, meet

JUMP, OLD = 6, 3
JOINER, INVITER = 0, 1
MET = meet()

sides = st.sampled_from([JOINER, INVITER])
commits = st.booleans()
picks = st.integers(0, 2**16)
_decode = msgspec.msgpack.Decoder(Ratchet).decode


class Sealed(NamedTuple):
    """What was sent, and where in its session it stands."""

    turn: int
    number: int
    previous: int
    position: int
    payload: bytes
    body: bytes


class Side:
    """One node: what it has saved, and what the model knows of it."""

    def __init__(self, session: Session, turn: int, received: int, sending_turn: int, sealed: int) -> None:
        self.saved = msgspec.msgpack.encode(session.ratchet)
        self.kept: dict[tuple[int, int], bytes] = {}
        self.opened: set[bytes] = set()
        self.turn, self.received = turn, received
        self.sending_turn = sending_turn
        self.sealed = sealed
        self.sent: list[Sealed] = []

    @property
    def state(self) -> Ratchet:
        """Loaded anew for each step, as a node does."""
        return _decode(self.saved)

    def save(self, state: Ratchet) -> None:
        """Commit."""
        self.saved = msgspec.msgpack.encode(state)

    def save_sealed(self, state: Ratchet, sealed: Sealed) -> None:
        """Commit a step of sending."""
        self.save(state)
        self.sending_turn = sealed.turn
        self.sealed += 1

    def expected(self, sealed: Sealed) -> Code | None:
        """How opening this must end: None where it opens."""
        if sealed.turn > self.turn:
            assert sealed.turn == self.turn + 1, "turns alternate"
            left = sealed.previous - self.received if self.turn else 0
            return Code.TOO_FAR if left + sealed.number > JUMP else None
        if sealed.turn < self.turn - OLD:
            return Code.UNREADABLE
        if sealed.turn == self.turn and sealed.number >= self.received:
            return Code.TOO_FAR if sealed.number - self.received > JUMP else None
        return None if (sealed.turn, sealed.number) in self.kept else Code.DUPLICATE

    def skipped_by(self, sealed: Sealed) -> list[tuple[int, int]]:
        """Whose keys opening this leaves behind: the tail of the chain before, and what this chain jumps over."""
        if (sealed.turn, sealed.number) in self.kept:
            return []
        if sealed.turn == self.turn:
            return [(self.turn, number) for number in range(self.received, sealed.number)]
        tail = range(self.received, sealed.previous) if self.turn else ()
        return [(self.turn, n) for n in tail] + [(sealed.turn, n) for n in range(sealed.number)]


class RatchetMachine(RuleBasedStateMachine):
    """Two nodes and a network that does what it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.bounds = [patch.object(ratchet, "MAX_JUMP", JUMP), patch.object(ratchet, "MAX_OLD_HEADER_KEYS", OLD)]
        for bound in self.bounds:
            bound.start()
        joined, received = MET
        self.sides = [Side(joined, 0, 0, 1, 1), Side(received, 1, 1, 0, 0)]
        self.entropy = SeededEntropy("machine")
        self.count = 0

    def teardown(self) -> None:
        """Whatever happened, what the network still has opens or is refused as predicted."""
        try:
            for to in (JOINER, INVITER):
                for sealed in self.sides[1 - to].sent:
                    self._deliver(to, sealed, commit=True)
        finally:
            for bound in self.bounds:
                bound.stop()

    @initialize()
    def start(self) -> None:
        """The handshake's own envelope has opened; so the joiner's chain stands at 1."""
        assert self.sides[INVITER].state.receive_number == 1

    def _seal(self, by: int) -> tuple[Ratchet, Sealed]:
        side = self.sides[by]
        before = side.state
        self.count += 1
        payload = self.count.to_bytes(4, "big") * 368
        after, body = ratchet.seal(SUITE, self.entropy, before, payload)
        assert after.send_index == side.sealed + 1
        turn = side.sending_turn + before.turn_due
        return after, Sealed(turn, after.send_number - 1, after.previous_number, side.sealed, payload, body)

    def _deliver(self, to: int, sealed: Sealed, commit: bool) -> None:
        side = self.sides[to]
        expected = side.expected(sealed)
        opened = self._open(side, sealed.body, expected)
        if opened is None:
            return
        assert opened.payload == sealed.payload
        assert opened.index == sealed.position
        assert sealed.payload not in side.opened, "opened twice"
        if commit:
            self._commit(side, sealed, opened)

    def _open(self, side: Side, body: bytes, expected: Code | None) -> Opened | None:
        before = side.saved
        state = side.state
        opened, code = None, None
        try:
            opened = ratchet.open_body(SUITE, state, body, lambda turn, number: side.kept.get((turn, number)))
        except PeerError as error:
            code = error.code
        assert code is expected
        assert msgspec.msgpack.encode(state) == before, "the state that was handed in has changed"
        return opened

    def _commit(self, side: Side, sealed: Sealed, opened: Opened) -> None:
        side.save(opened.ratchet)
        side.opened.add(sealed.payload)
        assert [(key.turn, key.number) for key in opened.skipped] == side.skipped_by(sealed)
        side.kept |= {(key.turn, key.number): key.key for key in opened.skipped}
        if (sealed.turn, sealed.number) in side.kept:
            assert opened.used == (sealed.turn, sealed.number)
            del side.kept[opened.used]
        else:
            assert opened.used is None
            side.turn, side.received = sealed.turn, sealed.number + 1

    @rule(by=sides, commit=commits)
    def seal(self, by: int, commit: bool) -> None:
        """A crash before the commit forgets the step; what was not saved was not sent."""
        after, sealed = self._seal(by)
        if commit:
            self.sides[by].save_sealed(after, sealed)
            self.sides[by].sent.append(sealed)

    @rule(by=sides, count=st.integers(1, 2 * JUMP))
    def lose(self, by: int, count: int) -> None:
        """A row of envelopes that never arrive."""
        for _ in range(count):
            after, sealed = self._seal(by)
            self.sides[by].save_sealed(after, sealed)

    @precondition(lambda self: any(side.sent for side in self.sides))
    @rule(pick=picks, commit=commits)
    def deliver(self, pick: int, commit: bool) -> None:
        """Any envelope ever sent: early, late, again, or about to be forgotten by a crash."""
        sent = [(1 - by, sealed) for by in (JOINER, INVITER) for sealed in self.sides[by].sent]
        to, sealed = sent[pick % len(sent)]
        self._deliver(to, sealed, commit)

    @precondition(lambda self: any(side.sent for side in self.sides))
    @rule(to=sides)
    def deliver_newest(self, to: int) -> None:
        """So that turns go on."""
        if self.sides[1 - to].sent:
            self._deliver(to, self.sides[1 - to].sent[-1], commit=True)

    @rule(by=sides, rounds=st.integers(1, OLD))
    def talk(self, by: int, rounds: int) -> None:
        """To and fro: each answer turns the ratchet, and old chains are left behind."""
        for sender in (by, 1 - by) * rounds:
            self.seal(sender, commit=True)
            self._deliver(1 - sender, self.sides[sender].sent[-1], commit=True)

    @precondition(lambda self: any(side.sent for side in self.sides))
    @rule(pick=picks, bit=st.integers(0, 8 * 3_840 - 1))
    def forge(self, pick: int, bit: int) -> None:
        """One bit changed: nothing opens it, whatever could have opened the original."""
        to, sealed = self._pick(pick)
        body = bytearray(sealed.body)
        body[bit // 8] ^= 1 << bit % 8
        with_header = bit // 8 >= 24 + 2_328
        refusal = self.sides[to].expected(sealed) if with_header else None
        self._open(self.sides[to], bytes(body), refusal or Code.UNREADABLE)

    @precondition(lambda self: any(side.sent for side in self.sides))
    @rule(pick=picks)
    def reflect(self, pick: int) -> None:
        """A node's own envelope, sent back to it."""
        to, sealed = self._pick(pick)
        self._open(self.sides[1 - to], sealed.body, Code.UNREADABLE)

    @precondition(lambda self: all(len(side.sent) > 1 for side in self.sides))
    @rule(to=sides, one=picks, other=picks)
    def splice(self, to: int, one: int, other: int) -> None:
        """A header with another envelope's payload."""
        sent = self.sides[1 - to].sent
        head, tail = sent[one % len(sent)], sent[other % len(sent)]
        if head is not tail:
            body = head.body[:2_352] + tail.body[2_352:]
            self._open(self.sides[to], body, self.sides[to].expected(head) or Code.UNREADABLE)

    def _pick(self, pick: int) -> tuple[int, Sealed]:
        sent = [(1 - by, sealed) for by in (JOINER, INVITER) for sealed in self.sides[by].sent]
        return sent[pick % len(sent)]

    @invariant()
    def the_state_is_where_the_model_is(self) -> None:
        """Turn, number and old chains agree, and the two ends are never more than a turn apart."""
        for side, other in zip(self.sides, reversed(self.sides), strict=True):
            state = side.state
            assert (state.turn, state.receive_number if state.turn else 0) == (side.turn, side.received)
            assert len(state.old) == min(max(side.turn - 1, 0), OLD)
            assert other.sending_turn - side.turn in (0, 1)


TestRatchet = RatchetMachine.TestCase
