"""A study carried out by whole nodes over loopback, with a tap in each cable: the same columns as of a simulated run.

Everybody becomes contacts once, on links that are *direct*; each run begins with a copy of what the disks then held, as
`simulations.steady` does it.
"""

import shutil
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import trio
from msgspec.structs import replace

from node.relay import DATABASE_FILE
from node.transport.contract import Use
from node.transport.dialer import dial
from protocol.keys import Group, RelayKey
from protocol.limits import SLOT_BYTES
from protocol.mailbox import ChangeKind
from protocol.operations import SendText
from protocol.timing import Timing
from protocol.traffic.policies import TRAVEL_SECONDS, timing_of
from simulations.captures.tap import Tap
from simulations.faithful.loopback import PersonHouse, RelayHouse, Town, hurried
from simulations.measures import Seen
from simulations.observation import from_recorder
from simulations.population.observing import Watched
from simulations.recording import Recorder
from simulations.script import Say, Script
from simulations.steady import draw_workload, first_relay, make_lines, number_directions, settled_after, truth_of
from simulations.study import Study
from simulations.world import text_of

_REST_SECONDS = 60.0
"""Virtual: after the last handshake, until the disks are copied."""


class Stage(NamedTuple):
    """Disks with which runs begin."""

    place: Path
    ports: tuple[int, ...]
    """Where relays are, for each other: those of one's own are in every mailbox."""
    pairs: tuple[tuple[int, int], ...]
    numbers: dict[tuple[int, int], int]
    """(person, other person): under which number the first has the second as a contact."""


class Captured(NamedTuple):
    """What the taps saw, and the truth beside it."""

    run: Seen
    deposits: int
    """Envelopes that relays took while it ran, by their own books."""
    step_seconds: float
    """Virtual: the median from a wish to the answer that it is durable."""
    wire_bytes: float
    """Of TCP, a slot: WebSocket's headers included, those of TCP and IP not."""


def pace(study: Study, speed: float) -> Timing:
    """The node's own durations for the study's preset, so much shorter.

    What a machine is given to answer in is left: it is no faster than it is, and nothing that a wire shows hangs on it.
    """
    own = timing_of(study.policy.preset, Timing(receipt_mean_seconds=study.policy.receipt_mean_seconds))
    return replace(
        hurried(own, speed), handshake_seconds=own.handshake_seconds, write_seconds=own.write_seconds,
        dial_seconds=own.dial_seconds, reply_seconds=own.reply_seconds,
    )  # fmt: skip


async def build(study: Study, workload_seed: int, place: Path, speed: float) -> Stage:
    """Everybody, and whom they know."""
    contacts, _ = draw_workload(study, workload_seed)
    pairs = tuple(zip(contacts.first.tolist(), contacts.second.tolist(), strict=True))
    script = Script(workload_seed, study.topology.people, study.topology.relays, pairs, ())
    town = Town(script, place, pace(study, speed))
    async with trio.open_nursery() as nursery:
        for house in (*town.relays, *town.people):
            await nursery.start(house.live)
        await town.settle()
        await trio.sleep(_REST_SECONDS / speed)
        nursery.cancel_scope.cancel()
    ports = tuple(_port(relay) for relay in town.relays)
    return Stage(place, ports, pairs, town.numbers)


async def carry_out(
    study: Study, workload_seed: int, stage: Stage, place: Path, speed: float, settle_seconds: float
) -> Captured:
    """One run, in `place`. All times that come out are virtual: `speed` of their seconds pass in a real one."""
    shutil.copytree(stage.place, place)
    timing, span = pace(study, speed), study.workload.hours * 3_600.0
    _, texts = draw_workload(study, workload_seed)
    async with trio.open_nursery() as nursery:
        town = _TappedTown(study, stage, place, timing)
        await town.start(nursery)
        await trio.sleep(settled_after(TRAVEL_SECONDS[study.policy.preset]) / speed)
        start, before = trio.current_time(), town.deposits()
        town.record(start, speed)
        lines = make_lines(texts, 0.0)
        for line in lines:
            nursery.start_soon(town.say, line, start + line.at / speed)
        await trio.sleep_until(start + (span + settle_seconds) / speed)
        deposits = town.deposits() - before
        nursery.cancel_scope.cancel()
    shown = {text: (at - start) * speed for text, at in town.shown.items()}
    relays = study.topology.relays
    truth, delays = truth_of(lines, number_directions(stage.pairs), town.first_relays(), shown, 0.0, relays)
    seen = from_recorder(town.recorder)
    run = Seen(Watched(seen, truth, study.topology.people, relays), texts.length.astype(np.int64), delays, span)
    step = float(np.median(town.steps)) * speed if town.steps else 0.0
    return Captured(run, deposits, step, town.wire_bytes())


def _port(relay: RelayHouse) -> int:
    return int(relay.address[0].rpartition(":")[2])


class _TappedTown:
    """Everybody, and the taps in all cables."""

    def __init__(self, study: Study, stage: Stage, place: Path, timing: Timing) -> None:
        people, relays = study.topology.people, study.topology.relays
        self.recorder = Recorder()
        self.shown: dict[str, float] = {}
        """When each text was first shown to whom it is for, in trio's time."""
        self.steps: list[float] = []
        """How long each wish took to be durable, in trio's time."""
        self._stage = stage
        self._count = relays
        self._clock: tuple[float, float] | None = None
        self._of_key: dict[RelayKey, int] = {}
        self._taps: dict[tuple[int, int], Tap] = {}
        self._relays = [
            RelayHouse(place / f"relay{number}", timing, stage.ports[number]) for number in range(relays)
        ]  # fmt: skip
        self._places = [place / f"relay{number}" / DATABASE_FILE for number in range(relays)]
        self._people = [
            PersonHouse(
                number, place / f"{number}.db", timing, study.policy.preset, partial(self._connect, number)
            )
            for number in range(people)
        ]  # fmt: skip

    async def start(self, nursery: trio.Nursery) -> None:
        """Returns once all are up."""
        for number, relay in enumerate(self._relays):
            await nursery.start(relay.live)
            self._of_key[relay.address[1]] = number
            for person in range(len(self._people)):
                tap = self._taps[person, number] = Tap(_port(relay), partial(self._saw, person, number))
                await nursery.start(tap.run)
        for house in self._people:
            await nursery.start(house.live)
            nursery.start_soon(self._follow, house)

    def record(self, start: float, speed: float) -> None:
        """From now on, in seconds since `start`, so many of which pass in one."""
        self._clock = start, speed

    async def say(self, line: Say, at: float) -> None:
        """At its time."""
        await trio.sleep_until(at)
        number = self._stage.numbers[line.sender, line.recipient]
        begun = trio.current_time()
        await self._people[line.sender].ask(SendText(number, text_of(line)))
        self.steps.append(trio.current_time() - begun)

    def deposits(self) -> int:
        """Digests that the relays keep: one of each envelope that they ever took."""
        total = 0
        for path in self._places:
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
                total += connection.execute("SELECT count(*) FROM digests").fetchone()[0]
        return total

    def first_relays(self) -> dict[tuple[int, int], int]:
        """By (sender, recipient)."""
        found = {}
        for (sender, recipient), number in self._stage.numbers.items():
            with self._people[sender].mailbox() as store, store.read() as tx:
                found[sender, recipient] = self._of_key[first_relay(tx, number)]
        return found

    def wire_bytes(self) -> float:
        """Of TCP, a slot, over everything that went by since the taps are there."""
        directions = [messages for tap in self._taps.values() for messages in tap.directions]
        slots = sum(messages.within for messages in directions) / SLOT_BYTES
        return SLOT_BYTES + sum(messages.beside for messages in directions) / max(1.0, slots)

    def _saw(self, person: int, relay: int, length: int, toward_relay: bool) -> None:
        if self._clock is not None:
            start, speed = self._clock
            ends = (person, len(self._people) + relay)
            source, destination = ends if toward_relay else ends[::-1]
            at = (trio.current_time() - start) * speed
            self.recorder.frame(at, person * self._count + relay, source, destination, length, toward_relay)

    async def _connect(self, person: int, relay: RelayKey, _host: str, use: Use, _group: Group) -> None:
        await dial(f"ws://127.0.0.1:{self._taps[person, self._of_key[relay]].port}", use)

    async def _follow(self, person: PersonHouse) -> None:
        assert person.running is not None
        changes, number = person.running.changes, 0
        with person.mailbox() as store:
            while True:
                await changes.after(number)
                at = trio.current_time()
                with store.read() as tx:
                    while (change := tx.changes.get(number + 1)) is not None:
                        number += 1
                        message = tx.messages.get(change.row) if change.kind is ChangeKind.MESSAGE else None
                        if message is not None and not message.mine:
                            self.shown.setdefault(message.text, at)
