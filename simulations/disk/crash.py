"""The power fails: what was not synced is lost, torn, in part written, or garbage.

One conversation is recorded; the power then fails at many places of it, each time with another loss, for everybody or
for one alone. `dropped_sync` and `never_synced` are the same on a disk, or with a store, that breaks its word: there
the comparison must find something, or it would find nothing anywhere.
"""

import random
import shutil
from collections.abc import Iterator

from simulations.disk.chance import stream
from simulations.disk.fault import Outcome, Setting
from simulations.disk.platter import Loss, Platter, Sync
from simulations.disk.promises import Broken, Damaged
from simulations.disk.recording import Recording, any_habits, record
from simulations.disk.survey import survey
from simulations.disk.world import PEOPLE, RELAY, Habits

IMAGES = 24
MESSAGES = 24
_LOSSES = (Loss.EVERYTHING, Loss.TAIL, Loss.SCATTERED, Loss.GARBLED)


def crash(setting: Setting) -> Iterator[Outcome]:
    """Whatever was not synced is at the disk's mercy."""
    yield from _images(setting, "FULL", dropped_syncs=0.0)


def dropped_sync(setting: Setting) -> Iterator[Outcome]:
    """Every fourth sync reports success and does nothing."""
    yield from _images(setting, "FULL", dropped_syncs=0.25)


def never_synced(setting: Setting) -> Iterator[Outcome]:
    """The store itself does not sync."""
    yield from _images(setting, "OFF", dropped_syncs=0.0)


def _images(setting: Setting, synchronous: str, dropped_syncs: float) -> Iterator[Outcome]:
    chance = stream(setting.seed, "crash")
    habits = any_habits(setting, chance, synchronous)
    lived = setting.directory / "lived"
    lived.mkdir()
    recording = record(setting, lived, habits, MESSAGES)
    honest = synchronous == "FULL" and not dropped_syncs
    platter, done = Platter(chance, dropped_syncs), 0
    for number, position in enumerate(_positions(recording, chance)):
        for operation in recording.operations[done:position]:
            platter.operate(operation)
        done = position
        yield _one(setting, habits, recording, platter, position, number + 1, chance, honest)


def _positions(recording: Recording, chance: random.Random) -> list[int]:
    """Half of them anywhere, half just before a sync, where most is at stake."""
    length = len(recording.operations)
    syncs = [at for at, operation in enumerate(recording.operations) if isinstance(operation, Sync)]
    anywhere = [chance.randrange(length + 1) for _ in range(IMAGES if not syncs else IMAGES // 2)]
    return sorted(anywhere + [chance.choice(syncs) for _ in range(IMAGES - len(anywhere))])


def _one(
    setting: Setting, habits: Habits, recording: Recording, platter: Platter, position: int, number: int,
    chance: random.Random, honest: bool,
) -> Outcome:  # fmt: skip
    loss = chance.choice(_LOSSES)
    victims = (RELAY, *PEOPLE) if chance.random() < 0.5 else (chance.choice((RELAY, *PEOPLE)),)
    found = setting.directory / f"found {number}"
    found.mkdir()
    platter.image(found, dict.fromkeys(victims, loss))
    facts = recording.facts_before(position)
    try:
        checked = survey(found, setting.seed, habits, facts, number, recording.time_at(position))
    except Broken as broken:
        if not honest:
            noticed = isinstance(broken, Damaged)
            return Outcome(len(facts), "said to be damaged" if noticed else "gone without a word", found=True)
        where = f"operation {position} of {len(recording.operations)}, {', '.join(victims)}: {loss.value}"
        return Outcome(len(facts), loss.value, f"{broken} ({where})")
    finally:
        shutil.rmtree(found)
    return Outcome(checked, loss.value if honest else "nothing was lost")
