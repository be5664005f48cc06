"""When frames leave and what is in them (Spec 10 §3, §4), computed from whole lists rather than step by step."""

from collections.abc import Iterator, Sequence
from math import log

Frame = list[object]
"""[milliseconds, slots, stream, commands]"""

CONSTANT = {"constant": 1, "constant-4": 4, "constant-16": 16}
_TO_RELAY = {"payload": 0.068, "loop": 0.006, "drop": 0.003}


def slots(lengths: Sequence[int]) -> int:
    """Of the smallest frame that holds commands of these bytes."""
    header = 1 if len(lengths) < 16 else 3
    return next(k for k in (1, 2, 4, 8) if header + sum(lengths) <= 4_096 * k - 18)


def take(waiting: Sequence[int], most: int) -> list[int]:
    """The first ones that fit a frame of at most `most` slots, three bytes kept for the array's header."""
    return max((list(waiting[:n]) for n in range(min(len(waiting), 256) + 1)
                if sum(waiting[:n]) <= 4_096 * most - 21), key=len)  # fmt: skip


def constant(
    preset: str, to_relay: bool, draws: Iterator[float], until: float, arrivals: Sequence[tuple[float, int]],
    busy: Sequence[tuple[float, float]],
) -> list[Frame]:  # fmt: skip
    """`busy`: from when to when the transport is full."""
    rates = {name: rate * CONSTANT[preset] for name, rate in _TO_RELAY.items()}
    if not to_relay:
        rates = {"payload": sum(rates.values()), "loop": 0.0, "drop": 0.0}
    total, ticks, time = sum(rates.values()), [], 0.0
    while (time := time - log(1.0 - next(draws)) / total) <= until:
        lot = next(draws) * total
        stream = "payload" if lot < rates["payload"] else "loop" if lot < total - rates["drop"] else "drop"
        ticks.append((time, stream))
    frames: list[Frame] = []
    left = 0
    for time, stream in ticks:
        if any(start < time <= end for start, end in busy):
            continue
        come = [length for when, length in arrivals if when <= time]
        packed = take(come[left:], 1) if stream == "payload" else []
        left += len(packed)
        frames.append([round(time * 1_000), 1, stream, len(packed)])
    return frames


def batched(
    draws: Iterator[float], until: float, arrivals: Sequence[tuple[float, int]], mean: float = 5.0
) -> list[Frame]:
    """With a mean of 0: *direct*."""
    interval = 300.0 * (0.8 + 0.4 * next(draws))
    frames: list[Frame] = []
    left, sent = 0, 0.0
    while True:
        waits = left < len(arrivals)
        begins = max(arrivals[left][0], sent) if waits else until + 1.0
        while sent + interval < begins and sent + interval <= until:
            sent += interval
            interval = 300.0 * (0.8 + 0.4 * next(draws))
            frames.append([round(sent * 1_000), 1, "payload", 0])
        if not waits:
            return frames
        time = begins - mean * log(1.0 - next(draws)) if mean else begins
        if time > until:
            return frames
        packed = take([length for when, length in arrivals[left:] if when <= time], 8)
        left += len(packed)
        sent = time
        frames.append([round(time * 1_000), slots(packed), "payload", len(packed)])
