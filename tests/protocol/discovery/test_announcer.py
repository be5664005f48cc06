"""When an address is announced: never two at once, never twice under one name, never when nobody knows it."""

from hypothesis import given
from hypothesis import strategies as st

from protocol.discovery.announcement import parse_txt
from protocol.discovery.announcer import Announcer, Wanted
from protocol.discovery.tags import epoch_of, is_tagged
from protocol.events import Now
from protocol.timing import Timing
from tests.protocol.discovery.place import HERE, Dice, at, secret

TIMING = Timing()


def announced(seed: int = 1) -> tuple[Announcer, float]:
    announcer = Announcer(Dice(seed), TIMING, HERE.address, at(0))
    now = announcer.next_wake
    assert announcer.tick(at(now)) is Wanted.LISTEN
    announcer.announce(40_001, [secret(1)], at(now))
    return announcer, now


@given(st.integers(0, 2**32))
def test_a_day_of_announcements(seed: int) -> None:
    announcer = Announcer(Dice(seed), TIMING, HERE.address, at(0))
    assert announcer.tick(at(0)) is Wanted.NOTHING
    names: set[str] = set()
    nonces: set[bytes] = set()
    now, ended = 0.0, 0.0
    while now < 86_400:
        now = announcer.next_wake
        if announcer.tick(at(now)) is Wanted.LISTEN:
            assert 5 <= now - ended <= 60
            port = 40_000 + len(names)
            said = announcer.announce(port, [secret(1)], at(now))
            assert said.instance not in names
            assert said.nonce not in nonces
            names.add(said.instance)
            nonces.add(said.nonce)
            assert 600 <= announcer.next_wake - now <= 1_200
            read = parse_txt(said.txt)
            for moment in (now, announcer.next_wake):
                assert is_tagged(secret(1), read.nonce, epoch_of(at(moment).wall), said.endpoint, read.tags)
        else:
            assert announcer.published is None
            ended = now
    assert len(names) >= 86_400 / 1_260 - 1


def test_waking_it_early_changes_nothing() -> None:
    announcer, now = announced()
    assert announcer.tick(at(now + 1)) is Wanted.NOTHING
    assert announcer.published is not None


def test_a_clock_that_jumps_forward_or_back_withdraws_it() -> None:
    for jump in (3 * 600, -2 * 600, 86_400, -86_400):
        announcer, now = announced()
        assert announcer.tick(Now(now + 1, at(now).wall + jump)) is Wanted.WITHDRAW
        assert announcer.published is None
        assert 5 <= announcer.next_wake - (now + 1) <= 60


def test_where_no_port_can_be_had_it_waits_for_another_gap() -> None:
    announcer = Announcer(Dice(1), TIMING, HERE.address, at(0))
    now = announcer.next_wake
    assert announcer.tick(at(now)) is Wanted.LISTEN
    announcer.cannot_listen(at(now))
    assert announcer.tick(at(now + 4)) is Wanted.NOTHING
    assert announcer.tick(at(announcer.next_wake)) is Wanted.LISTEN
