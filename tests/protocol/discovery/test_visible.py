"""Two strangers under one short code, and who stands between them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.discovery.visible import Answer, Attempts, Called, Caller, Opening, commitment_of, short_code
from protocol.errors import Code, PeerError
from protocol.timing import Timing
from protocol.wire.codec import encode
from tests.protocol.discovery.place import Dice
from tests.protocol.session.people import invite

ALICE, BOB, MALLORY = (invite(name).encoded for name in ("alice", "bob", "mallory"))


@given(st.integers(0, 2**32))
def test_both_get_the_others_invitation_under_one_code(seed: int) -> None:
    caller, called = Caller(Dice(seed), ALICE), Called(Dice(seed + 1), BOB)
    answer = called.answer(caller.call())
    opening, at_caller = caller.read(answer)
    at_called = called.read(opening)
    assert at_caller.code == at_called.code
    assert len(at_caller.code) == 6
    assert at_caller.code.isdecimal()
    assert (encode(at_caller.invitation), encode(at_called.invitation)) == (BOB, ALICE)


@given(st.integers(0, 2**32))
def test_whoever_stands_between_them_shows_each_another_code(seed: int) -> None:
    """But once in a million."""
    caller, called = Caller(Dice(seed), ALICE), Called(Dice(seed + 1), BOB)
    to_alice, to_bob = Called(Dice(seed + 2), MALLORY), Caller(Dice(seed + 3), MALLORY)
    opening, at_alice = caller.read(to_alice.answer(caller.call()))
    forged, _ = to_bob.read(called.answer(to_bob.call()))
    at_bob = called.read(forged)
    to_alice.read(opening)
    assert at_alice.code != at_bob.code


def test_a_commitment_binds_nonce_and_invitation() -> None:
    caller, called = Caller(Dice(1), ALICE), Called(Dice(2), BOB)
    called.answer(caller.call())
    for opening in (Opening(Dice(1).secret(32), MALLORY), Opening(bytes(32), ALICE)):
        with pytest.raises(PeerError) as refused:
            called.read(encode(opening))
        assert refused.value.code is Code.MALFORMED


def test_codes_are_spread_evenly() -> None:
    """10,000 codes in ten classes: about 1,000 each, standard deviation 30."""
    counts, dice = [0] * 10, Dice(3)
    answer = Answer(dice.secret(32), BOB)
    for _ in range(10_000):
        opening = Opening(dice.secret(32), ALICE)
        counts[int(short_code(commitment_of(opening.nonce, ALICE), answer, opening)[0])] += 1
    assert min(counts) > 850
    assert max(counts) < 1_150


def test_an_attempt_a_minute() -> None:
    attempts = Attempts(Timing())
    assert [attempts.begin(now) for now in (0.0, 1.0, 59.9, 60.0, 61.0, 120.0)] == [
        True, False, False, True, False, True,
    ]  # fmt: skip
