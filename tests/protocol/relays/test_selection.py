"""Relays from several lists: merged the same whatever their order, chosen from different operators or not at all."""

from collections import Counter
from itertools import permutations

import pytest

from protocol.errors import CallerError
from protocol.keys import Minute, PublisherKey, RelayKey
from protocol.relays.relay_list import ListedRelay, RelayList
from protocol.relays.selection import KnownRelay, choose, merge
from simulations.entropy import SeededEntropy


def key(number: int) -> RelayKey:
    return RelayKey(number.to_bytes(32, "big"))


def listing(publisher: int, issued: int, *rows: tuple[int, str, str]) -> RelayList:
    """Rows of relay, host name, operator."""
    relays = [ListedRelay(f"ws://{name}.example:1", key(number), operator) for number, name, operator in rows]
    return RelayList(PublisherKey(key(publisher)), 1, Minute(issued), Minute(issued + 9), relays)


def known(*operators: str) -> list[KnownRelay]:
    return [KnownRelay(f"ws://r{at}.example:1", key(at), frozenset({name})) for at, name in enumerate(operators)]


def test_lists_merge_to_the_same_in_any_order() -> None:
    lists = [
        listing(1, 5, (1, "old", "a"), (2, "two", "b"), (3, "three", "c")),
        listing(2, 9, (1, "new", "a"), (3, "drei", "c"), (4, "four", "d")),
        listing(3, 9, (3, "trois", "c")),
    ]
    merged = merge(lists)
    assert all(merge(order) == merged for order in permutations(lists))
    assert [(relay.host, relay.key) for relay in merged] == [
        ("ws://new.example:1", key(1)), ("ws://two.example:1", key(2)),
        ("ws://trois.example:1", key(3)), ("ws://four.example:1", key(4)),
    ]  # fmt: skip
    assert [relay.operators for relay in merged] == [frozenset(name) for name in "abcd"]


def test_a_chain_of_lists_ties_operators_together() -> None:
    first = listing(1, 1, (1, "one", "a"), (2, "two", "b"), (3, "three", "c"), (4, "four", "z"))
    second = listing(2, 1, (1, "one", "b"), (3, "three", "b"))
    for lists in ([first, second], [second, first]):
        *tied, alone = merge(lists)
        assert {relay.operators for relay in tied} == {frozenset("abc")}
        assert alone.operators == frozenset("z")


def test_no_lists_name_no_relays() -> None:
    assert merge([]) == []


def test_those_that_are_chosen_have_different_operators_each_time() -> None:
    relays = known("a", "a", "a", "b", "b", "c")
    for seed in range(200):
        chosen = choose(SeededEntropy(f"{seed}"), relays, 3)
        assert sorted(min(relay.operators) for relay in chosen) == ["a", "b", "c"]


def test_an_operator_with_eight_relays_is_chosen_no_more_often_than_one_with_one() -> None:
    relays = known(*["big"] * 8, "small", "other")
    drawn = Counter(
        min(relay.operators) for seed in range(3_000) for relay in choose(SeededEntropy(f"{seed}"), relays, 2)
    )
    assert all(abs(count - 2_000) < 130 for count in drawn.values())  # five standard deviations
    relays_drawn = {relay.key for seed in range(300) for relay in choose(SeededEntropy(f"{seed}"), relays, 2)}
    assert len(relays_drawn) == 10


def test_whoever_is_in_use_takes_its_operator_out_of_the_choice() -> None:
    relays = known("a", "a", "b", "c")
    for seed in range(50):
        chosen = choose(SeededEntropy(f"{seed}"), relays, 2, in_use=[key(0)])
        assert {relay.key for relay in chosen} == {key(2), key(3)}


@pytest.mark.parametrize("relays", [[], known("a", "a", "a")])
def test_one_operator_is_never_made_do_with(relays: list[KnownRelay]) -> None:
    with pytest.raises(CallerError, match=f"2 relays of different operators are wanted.*{min(len(relays), 1)} more"):
        choose(SeededEntropy("0"), relays, 2)


def test_a_list_that_ties_all_operators_together_leaves_no_choice_rather_than_a_false_one() -> None:
    honest = listing(1, 1, (1, "one", "a"), (2, "two", "b"))
    hostile = listing(2, 2, (1, "one", "mine"), (2, "two", "mine"))
    assert len(choose(SeededEntropy("0"), merge([honest]), 2)) == 2
    with pytest.raises(CallerError):
        choose(SeededEntropy("0"), merge([honest, hostile]), 2)
