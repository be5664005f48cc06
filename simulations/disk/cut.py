"""The write-ahead log is cut short at any byte: a prefix of the commits survives, never half of one.

What survives must be exactly what some step left, and the longer the log, the later the step. That holds as long as the
log has not been folded into its file. One that has been and is not begun anew yet holds old pages of a newer file: cut
short, which no crash does to what was synced, it makes a mixture. How often that is noticed is counted.
"""

import itertools
import random
from collections.abc import Iterator

from simulations.disk.chance import stream
from simulations.disk.fault import Outcome, Setting
from simulations.disk.found import blank, is_folded, look
from simulations.disk.platter import Platter
from simulations.disk.recording import any_habits, record
from simulations.disk.world import PEOPLE, RELAY

CUTS = 40
MESSAGES = 16
_HEADER_BYTES, _FRAME_HEADER_BYTES, _PAGE_BYTES = 32, 24, 4_096


def cut(setting: Setting) -> Iterator[Outcome]:
    """One file's log, each time cut elsewhere."""
    chance = stream(setting.seed, "cut")
    habits = any_habits(setting, chance)
    victim = chance.choice((RELAY, *PEOPLE))
    lived = setting.directory / "lived"
    lived.mkdir()
    recording = record(setting, lived, habits, MESSAGES, victim)
    position, last = chance.choice(recording.pictures)
    platter = Platter(chance)
    for operation in recording.operations[:position]:
        platter.operate(operation)
    contents = platter.contents()
    name = f"{victim}.db-wal"
    log = contents.get(name, b"")
    steps = [found for at, found in recording.pictures if at <= position]
    known = list(dict.fromkeys([blank(setting, habits, victim), *steps]))
    folded = is_folded(recording.operations[:position], victim)
    reached = -1
    for length in _cuts(log, chance):
        found, words = look(setting, habits, victim, {**contents, name: log[:length]})
        if folded and length < len(log):
            yield Outcome(0, f"a folded log was cut: {_kind_of(found, words, last, known)}")
            continue
        if not words:
            at = known.index(found) if found in known else -1
            words = _judge(at, reached, len(known), whole=length == len(log))
            reached = max(at, reached)
        yield Outcome(1, "the log was cut", f"{words} ({victim}, {length} of {len(log)} bytes)" if words else None)


def _judge(at: int, reached: int, count: int, whole: bool) -> str:
    """What is wrong with finding the step `at` after a shorter log led to `reached`; empty: nothing."""
    if at < 0:
        return "what is there is no step's"
    if at < reached:
        return "a longer log tells less"
    return "the whole log does not tell all" if whole and at != count - 1 else ""


def _kind_of(found: bytes | None, words: str, last: bytes, known: list[bytes]) -> str:
    if words:
        return "said to be damaged"
    return "no effect" if found == last else "an older state" if found in known else "a mixture, unnoticed"


def _cuts(log: bytes, chance: random.Random) -> list[int]:
    """Lengths in ascending order, the whole one among them: around the ends of frames, and anywhere."""
    frame = _FRAME_HEADER_BYTES + _PAGE_BYTES
    ends = list(range(_HEADER_BYTES, len(log) + 1, frame))
    near = [end + by for end, by in itertools.product(ends, (-1, 0, 1)) if 0 <= end + by <= len(log)]
    chosen = chance.sample(near, min(CUTS // 2, len(near)))
    return sorted({*chosen, *(chance.randint(0, len(log)) for _ in range(CUTS - len(chosen))), len(log)})
