"""The parts of the population model, each against a loop that does the same thing plainly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulations.population.frames import KeepAlives, Moments, envelopes_to_slots
from simulations.population.receipts import leave_alone
from simulations.population.ticks import Ticks, by_link_and_time, serve

SPAN = 1_000.0


def some_ticks(rate: float = 0.2, links: int = 5) -> Ticks:
    return Ticks(links, SPAN, rate, np.random.default_rng(3))


def test_a_tick_is_the_first_after_its_time_and_the_same_for_all_who_wait() -> None:
    ticks = some_ticks()
    times = np.sort(np.random.default_rng(1).random(2_000)) * SPAN
    for link in range(5):
        links = np.full(len(times), link)
        numbers = ticks.after(links, times)
        assert (ticks.when(links, numbers) > times).all()
        assert (ticks.when(links, numbers - 1)[numbers > 0] <= times[numbers > 0]).all()
        assert (np.diff(numbers) >= 0).all()


def test_waiting_for_a_tick_takes_an_exponential_time() -> None:
    rng = np.random.default_rng(2)
    ticks = Ticks(2_000, 86_400.0, 0.2, rng)
    link, time = rng.integers(0, 2_000, 200_000), rng.random(200_000) * 86_400.0
    waited = ticks.when(link, ticks.after(link, time)) - time
    assert waited.mean() == pytest.approx(5.0, rel=0.05)
    assert np.percentile(waited, 99) == pytest.approx(5.0 * np.log(100.0), rel=0.1)


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 900), st.integers(1, 3)), min_size=1, max_size=40))
def test_a_queue_serves_one_slot_a_tick_first_come_first(rows: list[tuple[int, float, int]]) -> None:
    ticks = some_ticks()
    link, time, slots = (np.array(column) for column in zip(*rows, strict=True))
    served = serve(ticks, link, time.astype(np.float64), slots)
    order = by_link_and_time(link, time.astype(np.float64), 2.0 * SPAN)
    free: dict[int, int] = {}
    for index in order.tolist():
        first = int(ticks.after(link[[index]], time[[index]].astype(np.float64))[0])
        last = max(first, free.get(int(link[index]), -1) + 1) + int(slots[index]) - 1
        free[int(link[index])] = last
        assert served[index] == last


def play_receipts(rows: list[tuple[int, float, float]], due: list[float]) -> list[tuple[int, float]]:
    """One event after the other: (direction, written, delivered) of each text, and when its receipt is due."""
    events = [(written, 1, direction, 0.0) for direction, written, _ in rows]
    events += [(delivered, 0, direction ^ 1, at) for (direction, _, delivered), at in zip(rows, due, strict=True)]
    owed: dict[int, float] = {}
    left = []
    for time, is_text, direction, at in sorted(events):
        if direction in owed and owed[direction] <= time:
            left.append((direction, owed.pop(direction)))
        if is_text:
            owed.pop(direction, None)
        else:
            owed[direction] = min(at, owed.get(direction, np.inf))
    return sorted(left + list(owed.items()))


@given(
    st.lists(st.tuples(st.integers(0, 5), st.floats(0, 40), st.floats(0.01, 9)), min_size=1, max_size=40),
    st.booleans(),
    st.integers(0, 2**32),
)
def test_receipts_ride_join_or_leave_alone_as_when_played(
    drawn: list[tuple[int, float, float]], ordered: bool, seed: int
) -> None:
    """In order within a pair, or not, as overlapping conversations are."""
    rows = [(way, written, written + delay) for way, written, delay in drawn]
    rows.sort(key=lambda row: (row[0] // 2, row[1]) if ordered else (row[0] // 2,))
    direction, written, delivered = (np.array(column) for column in zip(*rows, strict=True))
    exponentials = np.random.default_rng(seed).standard_exponential(len(rows))
    leaving = leave_alone(
        direction, written.astype(np.float64), delivered.astype(np.float64), SPAN, 3.0, np.random.default_rng(seed)
    )
    ours = sorted(zip(leaving.direction.tolist(), leaving.time.tolist(), strict=True))
    played = play_receipts(rows, (delivered + 3.0 * exponentials).tolist())
    assert [way for way, _ in ours] == [way for way, _ in played]
    assert [time for _, time in ours] == pytest.approx([time for _, time in played])


def test_keep_alives_are_as_many_as_when_drawn() -> None:
    table = KeepAlives(300.0, 90_000.0)
    rng = np.random.default_rng(1)
    for silence in (100.0, 239.0, 300.0, 500.0, 1_000.0, 86_400.0):
        drawn = np.mean([len(table.draw(0.0, silence, rng)) for _ in range(500)])
        assert table.within(np.array([silence]))[0] == pytest.approx(drawn, abs=0.08)


def test_moments_count_sends_and_the_keep_alives_of_the_silences_between() -> None:
    table = KeepAlives(300.0, 4_000.0)
    moments = Moments(3, 4_000.0, table)
    link, time = np.array([2, 0, 0, 2]), np.array([100.0, 3_000.0, 1_000.0, 3_900.0])
    sends, idle = moments.count(moments.of_link(link) + moments.within_link(time))
    assert sends.tolist() == [2.0, 0.0, 2.0]
    expected = table.within(np.array([2_000.0, 4_000.0, 3_800.0]))
    assert idle.tolist() == pytest.approx([2.0 * expected[0], expected[1], expected[2]], abs=0.05)


def test_time_past_the_end_is_time_at_the_start() -> None:
    moments = Moments(2, 4_000.0, KeepAlives(300.0, 4_000.0))
    late, early = np.array([4_100.0, 3_999.0]), np.array([100.0, 3_999.0])
    assert moments.within_link(late).tolist() == moments.within_link(early).tolist()
    assert late.tolist() == [4_100.0, 3_999.0]


def test_small_commands_fill_a_slot_and_ride_beside_envelopes() -> None:
    assert envelopes_to_slots(np.array([0, 1, 2, 3, 9])).tolist() == [1, 1, 2, 4, 9]
