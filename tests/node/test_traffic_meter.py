"""What is counted of an hour, minute by minute."""

from node.traffic_meter import Sent, TrafficMeter


def test_frames_and_cover_are_counted_apart() -> None:
    meter = TrafficMeter(100.0)
    meter.note(4_096, True, 101.0)
    meter.note(8_192, True, 130.0)
    meter.note(4_096, False, 200.0)
    assert meter.last_hour(220.0) == Sent(120.0, 2, 12_288, 1, 4_096)


def test_what_is_older_than_an_hour_is_forgotten() -> None:
    meter = TrafficMeter(0.0)
    meter.note(4_096, True, 30.0)
    meter.note(4_096, False, 90.0)
    assert meter.last_hour(3_599.0).real_frames == 1
    found = meter.last_hour(3_601.0)
    assert (found.real_frames, found.cover_frames) == (0, 1)
    assert 3_540.0 <= found.seconds <= 3_600.0


def test_after_a_long_silence_nothing_is_left_and_counting_goes_on() -> None:
    meter = TrafficMeter(0.0)
    meter.note(4_096, True, 1.0)
    assert meter.last_hour(1e7).real_frames == 0
    meter.note(4_096, False, 1e7 + 1.0)
    assert meter.last_hour(1e7 + 2.0).cover_frames == 1
