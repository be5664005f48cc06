"""A shaper, played: commands come to wait, the transport is full at times, frames leave."""

from protocol.limits import FRAME_SLOTS
from protocol.timing import Timing
from protocol.traffic.policies import NAMES, Stream
from protocol.traffic.shaper import fit, make_shaper, room
from protocol.wire.frames import capacity
from tests.vectors.runners.given import Given, Result


def traffic(given: Given) -> Result:
    """The frames up to `until`."""
    (preset,) = (preset for preset, name in NAMES.items() if name == given.text("preset"))
    draws = iter(given.values["draws"])
    shaper = make_shaper(preset, lambda: float(next(draws)), Timing(), 0.0, to_relay=given.text("to") == "relay")
    queued: list[tuple[float, int]] = [(float(time), int(length)) for time, length in given.values["queued"]]
    busy: list[tuple[float, float]] = [(float(start), float(end)) for start, end in given.values["busy"]]
    frames: list[list[object]] = []
    waiting: list[int] = []
    now = 0.0
    while now <= given.values["until"]:
        while queued and queued[0][0] <= now:
            waiting.append(queued.pop(0)[1])
        if busy and busy[0][1] <= now:
            shaper.taken(now)
            del busy[0]
        full = bool(busy) and busy[0][0] <= now
        while not full and (turn := shaper.due(now, bool(waiting))) is not None:
            count = fit(waiting, room(turn.most_slots)) if turn.stream is Stream.PAYLOAD else 0
            packed, waiting = waiting[:count], waiting[count:]
            frames.append([round(now * 1_000), _slots(packed), turn.stream.value, count])
        coming = [time for time, _ in queued[:1]] + [time for one in busy for time in one if time > now]
        now = min([*coming, *(() if full else (shaper.next_wake,))])
    return {"frames": frames}


def _slots(packed: list[int]) -> int:
    header = 1 if len(packed) < 16 else 3
    return next(slots for slots in FRAME_SLOTS if header + sum(packed) <= capacity(slots))


RUNNERS = {"traffic": traffic}
