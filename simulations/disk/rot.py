"""Bits flip in what lies on the disk: in the file, or in its log.

Nobody may be handed wrong data without a word, and nothing but a clear error may end a process. SQLCipher authenticates
every page, so under it an unnoticed change of the file is a failure. A plain file has no checksums: how much of it is
noticed, and what is not, is counted. A log's frames have checksums in both, but what follows a damaged one is taken for
the torn end that a crash leaves: SQLite drops it and says nothing. So the store is in an older state, or, where the log
had been folded into the file already, in a mixture of states (`simulations.disk.cut`). That is counted as well.
"""

import random
from collections.abc import Iterator

from simulations.disk.chance import stream
from simulations.disk.fault import Outcome, Setting
from simulations.disk.found import blank, is_folded, look, use
from simulations.disk.platter import Platter
from simulations.disk.recording import any_habits, record
from simulations.disk.world import PEOPLE, RELAY

FLIPS = 40
USED_EVERY = 5
MESSAGES = 16
OLDER, UNNOTICED = "an older state", "other data, unnoticed"


def rot(setting: Setting) -> Iterator[Outcome]:
    """One store, damaged again and again from the same state. Mailboxes are never plain: a plain one is a relay's."""
    chance = stream(setting.seed, "rot")
    habits = any_habits(setting, chance)
    victim = chance.choice((RELAY, *PEOPLE)) if setting.encrypted else RELAY
    lived = setting.directory / "lived"
    lived.mkdir()
    recording = record(setting, lived, habits, MESSAGES, victim, absent=True)
    position, last = chance.choice(recording.pictures[len(recording.pictures) // 2 :])
    platter = Platter(chance)
    for operation in recording.operations[:position]:
        platter.operate(operation)
    contents = platter.contents()
    own = sorted(name for name, content in contents.items() if content and name.startswith(victim))
    known = {blank(setting, habits, victim), *(found for at, found in recording.pictures if at <= position)}
    folded = is_folded(recording.operations[:position], victim)
    for number in range(FLIPS):
        name = chance.choice(own)
        damaged = {**contents, name: _flipped(contents[name], chance)}
        found, _ = look(setting, habits, victim, damaged)
        yield _judge(setting, name, _seen(found, last, known), folded)
        if number % USED_EVERY == 0:
            words = use(setting, habits, damaged, recording.time_at(position))
            yield Outcome(1, failure=f"a flipped bit in {name} ended a process: {words}" if words else None)


def _judge(setting: Setting, name: str, seen: str, folded: bool) -> Outcome:
    log = name.endswith("-wal")
    where = ("a folded log" if folded else "the log") if log else "the file"
    wrong = (log and not folded) if seen == UNNOTICED else (not log and seen == OLDER)
    if wrong or (seen == UNNOTICED and not log and setting.encrypted):
        return Outcome(1, failure=f"a flipped bit in {where} of {name} changed what is read, unnoticed")
    return Outcome(1, f"{'SQLCipher' if setting.encrypted else 'plain'}, {where}: {seen}")


def _seen(found: bytes | None, last: bytes, known: set[bytes]) -> str:
    if found is None:
        return "said to be damaged"
    if found == last:
        return "no effect"
    return OLDER if found in known else UNNOTICED


def _flipped(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 8))):
        at = chance.randrange(len(changed))
        changed[at] ^= 1 << chance.randrange(8)
    return bytes(changed)
