"""The pool: what goes in comes out once, at some tick, in a batch of a fixed size, as well mixed as is claimed."""

from collections import Counter
from itertools import count

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from protocol.forwarding.pool import LEAST_LEFT, Pool
from simulations.entropy import CounterEntropy


def test_nothing_leaves_an_idle_pool_and_dummies_alone_start_no_batch() -> None:
    pool: Pool[int] = Pool(CounterEntropy("idle"))
    dummies = count(-1, -1)
    assert pool.tick(lambda: next(dummies)) == []
    pool.put(1)
    while pool.real:
        pool.tick(lambda: next(dummies))
    assert pool.tick(lambda: next(dummies)) == []


@given(st.lists(st.integers(0, 90), max_size=30), st.integers(0, 2**32))
def test_everything_leaves_once_in_batches_of_eight_or_twice_as_many_and_sixteen_stay(
    arrivals: list[int], seed: int
) -> None:
    pool: Pool[int] = Pool(CounterEntropy(str(seed)))
    numbers, dummies = count(1), count(-1, -1)
    put: list[int] = []
    left: list[int] = []
    for many in arrivals:
        for _ in range(many):
            put.append(next(numbers))
            pool.put(put[-1])
        real = pool.real
        batch = pool.tick(lambda: next(dummies))
        assert (len(batch) in {8, 16, 32, 64}) == bool(real)
        left += batch
    for _ in range(2_000):
        if not pool.real:
            break
        left += pool.tick(lambda: next(dummies))
    assert sorted(number for number in left if number > 0) == put
    assert len(set(left)) == len(left)


def test_what_is_not_wanted_any_more_is_taken_out() -> None:
    pool: Pool[int] = Pool(CounterEntropy("discard"))
    for number in range(6):
        pool.put(number)
    assert pool.discard(lambda number: number % 2 == 0) == [0, 2, 4]
    assert pool.real == 3


def test_a_steady_pool_hides_who_is_who_as_well_as_the_closed_form_says() -> None:
    """Eight arrive at each tick: (1 + n/N)·log2(N + n) − (n/N)·log2 n, N = 8 leaving and n = 16 staying: 5.75 bits."""
    pool: Pool[int] = Pool(CounterEntropy("steady"))
    ages: Counter[int] = Counter()
    ticks = 20_000
    for tick in range(ticks):
        for _ in range(8):
            pool.put(tick)
        ages.update(tick - came for came in pool.tick(lambda: -1_000_000) if came >= 0)
    shares = np.array([ages[age] for age in range(max(ages) + 1)], dtype=float)
    shares /= shares.sum()
    seen = shares[shares > 0]
    entropy = float(-(seen * np.log2(seen / 8)).sum())  # eight came in each tick, all alike
    closed = (1 + LEAST_LEFT / 8) * np.log2(8 + LEAST_LEFT) - LEAST_LEFT / 8 * np.log2(LEAST_LEFT)
    assert abs(entropy - closed) < 0.1
