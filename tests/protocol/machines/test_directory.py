"""A relay's directory: the first owner keeps a name, nothing old comes back, and nobody harvests names quickly."""

import pytest

from protocol.errors import Code
from protocol.keys import Identity, InvitationSecret, Minute, RelayKey, Request
from protocol.limits import LOOKUPS_AT_ONCE, MAX_LOOKUPS_PER_SESSION, MAX_PUBLISHES_PER_SESSION
from protocol.relays.card import Card, sign_card
from protocol.session.invitation import format_link
from protocol.wire.addresses import Host
from protocol.wire.commands import Command, Done, Kept, Lookup, Publish, Refused
from simulations.store import DictRelayStore
from tests.protocol.machines.relay_bench import DAY, RELAY_KEY, START, SUITE, Bench, seeded

NOW = Minute(int(START // 60))
LINK = format_link(((Host("ws", "relay.example", 1), RELAY_KEY),), InvitationSecret(bytes(32)))


@pytest.fixture
def bench() -> Bench:
    made = Bench(DictRelayStore())
    made.directory = True
    made.start(made.core.store)
    return made


def card(
    owner: str = "alice", name: str = "alice", serial: int = 1, days: float = 10, links: int = 1,
    relay: RelayKey = RELAY_KEY, minute: int = NOW,
) -> bytes:  # fmt: skip
    key = SUITE.signing_key(seeded("owner", owner))
    expires = Minute(minute + int(days * 1_440))
    return sign_card(SUITE, key, Card(name, relay, Identity(key[32:] + bytes(32)), serial, expires, [LINK] * links))


def publish(bench: Bench, encoded: bytes) -> Command:
    connection = bench.connect()
    (reply,) = bench.send(connection, Publish(Request(1), encoded))
    bench.close(connection)
    return reply


def look_up(bench: Bench, name: str = "alice") -> Command:
    connection = bench.connect()
    (reply,) = bench.send(connection, Lookup(Request(2), name))
    bench.close(connection)
    return reply


KEPT, REFUSED, NOBODY = Done(Request(1)), Refused(Request(1), Code.REFUSED), Refused(Request(2), Code.REFUSED)


def test_a_card_is_found_by_its_name_and_by_nothing_else(bench: Bench) -> None:
    assert look_up(bench) == NOBODY
    assert publish(bench, card()) == KEPT
    assert look_up(bench) == Kept(Request(2), card())
    assert [look_up(bench, name) for name in ("alic", "alice.", "Alice", "al%", "*")] == [NOBODY] * 5


def test_a_name_is_its_first_owners_until_its_time_is_over(bench: Bench) -> None:
    publish(bench, card())
    assert publish(bench, card("mallory", serial=9)) == REFUSED
    assert publish(bench, card("mallory", "mallory")) == KEPT
    bench.pass_time(10 * DAY)
    assert look_up(bench) == NOBODY
    assert publish(bench, card("mallory", minute=NOW + 10 * 1_440)) == KEPT


def test_only_a_later_card_takes_the_place_of_one(bench: Bench) -> None:
    first, second = card(serial=5), card(serial=6, links=2)
    assert [publish(bench, one) for one in (first, first, second, first)] == [KEPT, KEPT, KEPT, REFUSED]
    assert publish(bench, card(serial=6, links=3)) == REFUSED
    assert look_up(bench) == Kept(Request(2), second)


def test_a_card_that_was_withdrawn_does_not_come_back(bench: Bench) -> None:
    """Not before it would have been over anyway, though whoever read it sends it again; nor does its name."""
    old = card(serial=5, days=20)
    publish(bench, old)
    assert publish(bench, card(serial=6, days=1, links=0)) == KEPT
    assert look_up(bench) == NOBODY
    bench.pass_time(2 * DAY)
    assert publish(bench, old) == REFUSED
    assert publish(bench, card("mallory", minute=NOW + 2 * 1_440)) == REFUSED
    assert publish(bench, card(serial=7, minute=NOW + 2 * 1_440)) == KEPT, "its owner may come back"
    bench.pass_time(60 * DAY)
    with bench.core.store.read() as tx:
        assert tx.cards.count() == 0


@pytest.mark.parametrize(
    "bad",
    [b"card", card(relay=RelayKey(bytes(32))), card(days=31), card(days=0), card()[:-1] + b"\0", card()[:-1]],
    ids=["rubbish", "another relay's", "too long", "over", "signature", "cut"],
)
def test_what_is_no_card_of_this_relay_is_refused(bench: Bench, bad: bytes) -> None:
    assert publish(bench, bad) == REFUSED
    with bench.core.store.read() as tx:
        assert tx.cards.count() == 0


def test_who_tries_names_is_stopped_the_same_for_known_and_unknown_ones(bench: Bench) -> None:
    publish(bench, card())
    session = bench.connect()
    for number in range(MAX_LOOKUPS_PER_SESSION):
        bench.send(session, Lookup(Request(number), f"name-{number}"))
    bench.send(session, Lookup(Request(9), "alice"))
    assert bench.disconnected[session] is Code.LIMIT
    while not isinstance(reply := look_up(bench, "another"), Refused) or reply.code is Code.REFUSED:
        assert bench.service == 0.0
    busy = Refused(Request(2), Code.UNAVAILABLE)
    assert [look_up(bench, name) for name in ("alice", "another")] == [busy, busy]
    bench.pass_time(1.0)
    assert [look_up(bench), look_up(bench)] == [Kept(Request(2), card()), busy]
    bench.pass_time(10 * LOOKUPS_AT_ONCE)
    found = [isinstance(look_up(bench), Kept) for _ in range(LOOKUPS_AT_ONCE + 5)]
    assert found == [True] * LOOKUPS_AT_ONCE + [False] * 5


def test_looking_up_costs_no_signature_check_known_or_not(bench: Bench) -> None:
    publish(bench, card())
    before = bench.suite.verified
    look_up(bench)
    look_up(bench, "another")
    assert bench.suite.verified == before


def test_too_many_cards_in_one_session_end_it(bench: Bench) -> None:
    session = bench.connect()
    for serial in range(1, MAX_PUBLISHES_PER_SESSION + 1):
        assert bench.send(session, Publish(Request(1), card(serial=serial))) == [KEPT]
    bench.send(session, Publish(Request(1), card(serial=99)))
    assert bench.disconnected[session] is Code.LIMIT
    assert look_up(bench) == Kept(Request(2), card(serial=MAX_PUBLISHES_PER_SESSION))


def test_a_relay_that_keeps_no_cards_refuses_both() -> None:
    bench = Bench(DictRelayStore())
    assert [publish(bench, card()), look_up(bench)] == [REFUSED, NOBODY]


def test_a_full_disk_takes_no_card_and_gives_those_that_it_has(bench: Bench) -> None:
    publish(bench, card())
    with bench.core.store.transaction() as tx:
        tx.room = False
    assert publish(bench, card(name="bob")) == Refused(Request(1), Code.UNAVAILABLE)
    assert look_up(bench) == Kept(Request(2), card())


def test_cards_are_there_after_a_crash(bench: Bench) -> None:
    publish(bench, card())
    bench.start(bench.core.store)
    assert look_up(bench) == Kept(Request(2), card())
