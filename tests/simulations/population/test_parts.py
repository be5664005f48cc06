"""The parts of the population model, each against a loop that does the same thing plainly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.delivery.items import TICKS
from simulations.population.frames import KeepAlives, Moments, envelopes_to_slots
from simulations.population.receipts import leave_at_ticks
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


def played_ticks(rows: list[tuple[int, float, float]], mean: float, rng: np.random.Generator) -> list[int]:
    """One event after the other: how many ticks each direction has. (direction, written, delivered) of each text."""
    events = [(written, way) for way, written, _ in rows] + [(delivered, way ^ 1) for way, _, delivered in rows]
    counts = [0] * 6
    for way in range(6):
        due, left = np.inf, 0
        for time, _ in [*sorted(event for event in events if event[1] == way), (np.inf, way)]:
            while due < time:
                counts[way] += 1
                left -= 1
                due = due + rng.exponential(mean) if left else np.inf
            if not left:
                due = time + rng.exponential(mean)
            left = TICKS
    return counts


@given(
    st.lists(st.tuples(st.integers(0, 5), st.floats(0, 40), st.floats(0.01, 9)), min_size=1, max_size=40),
    st.integers(0, 2**32),
)
def test_three_ticks_at_most_follow_a_text_at_either_end(rows: list[tuple[int, float, float]], seed: int) -> None:
    direction, written, delay = (np.array(column) for column in zip(*rows, strict=True))
    leaving = leave_at_ticks(direction, written, written + delay, 3.0, np.random.default_rng(seed))
    for way in range(6):
        events = np.sort(np.concatenate((written[direction == way], (written + delay)[direction == way ^ 1])))
        times = leaving.time[leaving.direction == way]
        if len(events) == 0:
            assert len(times) == 0
            continue
        after = np.bincount(np.searchsorted(events, times, side="right"), minlength=len(events) + 1)
        assert after[0] == 0
        assert after.max() <= TICKS
        assert after[-1] == TICKS


def test_ticks_drawn_anew_after_each_text_are_as_many_as_ticks_that_are_kept() -> None:
    rng = np.random.default_rng(5)
    rows = [(int(rng.integers(0, 6)), float(time), float(time + 0.5)) for time in np.sort(rng.random(30)) * 60.0]
    direction, written, delivered = (np.array(column) for column in zip(*rows, strict=True))
    runs = 1_500
    kept = np.array([played_ticks(rows, 3.0, rng) for _ in range(runs)])
    anew = np.array([
        np.bincount(leave_at_ticks(direction, written, delivered, 3.0, rng).direction, minlength=6)
        for _ in range(runs)
    ])  # fmt: skip
    error = np.sqrt((kept.var(axis=0) + anew.var(axis=0)) / runs)
    assert (np.abs(kept.mean(axis=0) - anew.mean(axis=0)) < 4.0 * error).all()
    assert kept.var(axis=0) == pytest.approx(anew.var(axis=0), rel=0.25)


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
