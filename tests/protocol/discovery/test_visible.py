"""Two strangers under one short code, and who stands between them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.crypto.suite import RealSuite
from protocol.discovery.people import VisibleAnnouncement, encode_visible_txt
from protocol.discovery.visible import Attempts, Called, Caller, commitment_of, short_code
from protocol.errors import Code, PeerError
from protocol.timing import Timing
from tests.protocol.discovery.place import Dice

SUITE = RealSuite()
BOBS = encode_visible_txt(VisibleAnnouncement(bytes(16), "Bob"))


def shake_hands(caller: Caller, called: Called) -> bytes:
    """The commitment that follows."""
    return caller.call(called.welcome(caller.hello()))


def pair(seed: int) -> tuple[Caller, Called]:
    return Caller(SUITE, Dice(seed), BOBS, "Alice"), Called(SUITE, Dice(seed + 1), BOBS)


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_both_see_one_code_and_the_invitation_comes_over(seed: int) -> None:
    caller, called = pair(seed)
    assert called.read_call(shake_hands(caller, called)) == "Alice"
    called.read_opening(caller.open(called.answer()))
    assert caller.code == called.code
    assert caller.code is not None
    assert len(caller.code) == 6
    assert caller.code.isdecimal()
    called.read_agreement(caller.agree())
    assert caller.read_invitation(called.invite(b"an invitation")) == b"an invitation"
    called.read_joined(caller.joined())


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.booleans())
def test_whoever_stands_between_them_shows_each_another_code(seed: int, first: bool) -> None:
    """But once in a million; whichever of the two they are done with first, and whatever they pass on."""
    caller, called = pair(seed)
    to_alice, to_bob = Called(SUITE, Dice(seed + 2), BOBS), Caller(SUITE, Dice(seed + 3), BOBS, "Alice")
    to_alice.read_call(shake_hands(caller, to_alice))
    if first:
        to_alice.read_opening(caller.open(to_alice.answer()))
    called.read_call(shake_hands(to_bob, called))
    called.read_opening(to_bob.open(called.answer()))
    if not first:
        to_alice.read_opening(caller.open(to_alice.answer()))
    assert (caller.code, called.code) == (to_alice.code, to_bob.code)
    assert caller.code != called.code


def test_one_nonce_in_both_sessions_gives_two_codes_all_the_same() -> None:
    """Who stands between may copy whatever it likes: the sessions differ."""
    caller, called = pair(1)
    to_alice, to_bob = Called(SUITE, Dice(2), BOBS), Caller(SUITE, Dice(1), BOBS, "Alice")
    to_alice.read_call(shake_hands(caller, to_alice))
    called.read_call(shake_hands(to_bob, called))
    answer, forged = called.answer(), to_alice.answer()
    called.read_opening(to_bob.open(answer))
    caller.open(forged)
    assert caller.code != called.code


def test_what_is_passed_from_one_session_to_the_other_is_not_read() -> None:
    caller, called = pair(1)
    to_alice, to_bob = Called(SUITE, Dice(3), BOBS), Caller(SUITE, Dice(4), BOBS, "Alice")
    commitment = shake_hands(caller, to_alice)
    shake_hands(to_bob, called)
    with pytest.raises(PeerError) as refused:
        called.read_call(commitment)
    assert refused.value.code is Code.NOISE


def test_a_call_to_another_announcement_is_not_taken() -> None:
    """Under another name, or of another time."""
    called = Called(SUITE, Dice(2), BOBS)
    for other in (VisibleAnnouncement(bytes(16), "Rob"), VisibleAnnouncement(b"\1" * 16, "Bob")):
        with pytest.raises(PeerError) as refused:
            called.welcome(Caller(SUITE, Dice(1), encode_visible_txt(other), "Alice").hello())
        assert refused.value.code is Code.NOISE
        called = Called(SUITE, Dice(2), BOBS)


def test_a_name_that_is_too_long_is_refused_in_bytes() -> None:
    caller, called = Caller(SUITE, Dice(1), BOBS, "ä" * 33), Called(SUITE, Dice(2), BOBS)
    with pytest.raises(PeerError) as refused:
        called.read_call(shake_hands(caller, called))
    assert refused.value.code is Code.MALFORMED


def test_codes_are_spread_evenly() -> None:
    """10,000 codes in ten classes: about 1,000 each, standard deviation 30."""
    counts, dice = [0] * 10, Dice(3)
    answered = dice.secret(32)
    for _ in range(10_000):
        nonce = dice.secret(32)
        counts[int(short_code(bytes(32), commitment_of(nonce), answered, nonce)[0])] += 1
    assert min(counts) > 850
    assert max(counts) < 1_150


def test_an_attempt_a_minute() -> None:
    attempts = Attempts(Timing())
    assert [attempts.begin(now) for now in (0.0, 1.0, 59.9, 60.0, 61.0, 120.0)] == [
        True, False, False, True, False, True,
    ]  # fmt: skip
    assert [attempts.wait_seconds(now) for now in (120.0, 170.0, 180.0, 999.0)] == [60.0, 10.0, 0.0, 0.0]
