"""The population model's rules once more, one event after the other, with a heap and no array: slow and plain."""

import heapq
import itertools
import random
from collections import defaultdict
from typing import NamedTuple

from protocol.delivery.items import TICKS
from protocol.wire.frames import FRAME_SIZES
from simulations.population.community import Directions, Letters, span_seconds
from simulations.population.scenario import Policy, Scenario

SLOTS = sorted(size // 4_096 for size in FRAME_SIZES)


class Letter(NamedTuple):
    """What is deposited together; `written` is nil of what leaves at a tick."""

    direction: int
    written: float | None
    envelopes: int


class Outcome(NamedTuple):
    """Sums over all links, keep-alives left out; `delays` of the texts, in no order."""

    frames_up: int
    frames_down: int
    slots_up: int
    slots_down: int
    receipts_alone: int
    delays: list[float]


class Reference:
    """Runs the texts of one community to their end."""

    def __init__(self, scenario: Scenario, texts: Letters, directions: Directions, seed: int) -> None:
        self.scenario = scenario
        self.random = random.Random(seed)
        self.sender = directions.sender_link.tolist()
        self.recipient = directions.recipient_link.tolist()
        self.events: list[tuple[float, int, str, tuple[object, ...]]] = []
        self.numbers = itertools.count()
        self.waiting: dict[tuple[str, int], list[Letter | None]] = defaultdict(list)
        """None: a small command."""
        self.ticks_left: dict[int, int] = {}
        """Of a direction in which a tick is to come."""
        self.frames = {"up": 0, "down": 0}
        self.slots = {"up": 0, "down": 0}
        self.receipts_alone = 0
        self.delays: list[float] = []
        rows = zip(texts.direction.tolist(), texts.time.tolist(), texts.envelopes.tolist(), strict=True)
        for direction, time, envelopes in rows:
            self.at(time, "write", direction, time, envelopes)
        if scenario.receipt_gap_seconds is not None:
            for direction in range(len(self.sender)):
                self.draw(0.0, direction)

    def at(self, time: float, what: str, *arguments: object) -> None:
        heapq.heappush(self.events, (time, next(self.numbers), what, arguments))

    def run(self) -> Outcome:
        while self.events:
            time, _, what, arguments = heapq.heappop(self.events)
            getattr(self, what)(time, *arguments)
        return Outcome(self.frames["up"], self.frames["down"], self.slots["up"], self.slots["down"],
                       self.receipts_alone, self.delays)  # fmt: skip

    def write(self, now: float, direction: int, written: float, envelopes: int) -> None:
        self.talk(now, direction)
        self.queue(now, "up", self.sender[direction], [Letter(direction, written, envelopes)])

    def talk(self, now: float, direction: int) -> None:
        """A text went this way or came the other: three ticks follow; one that was drawn keeps its time."""
        if self.scenario.receipt_gap_seconds is not None:
            return
        if direction not in self.ticks_left:
            self.draw(now, direction)
        self.ticks_left[direction] = TICKS

    def draw(self, now: float, direction: int) -> None:
        mean, gap = self.scenario.receipt_mean_seconds, self.scenario.receipt_gap_seconds
        if gap is not None:
            person = self.sender[direction] // self.scenario.relays
            mean = max(mean, gap * sum(link // self.scenario.relays == person for link in self.sender))
        self.at(now + self.random.expovariate(1.0 / mean), "due", direction)

    def due(self, now: float, direction: int) -> None:
        if self.scenario.receipt_gap_seconds is not None and now > span_seconds(self.scenario):
            return
        self.receipts_alone += 1
        self.queue(now, "up", self.sender[direction], [Letter(direction, None, 1)])
        if self.scenario.receipt_gap_seconds is not None:
            self.draw(now, direction)
            return
        self.ticks_left[direction] -= 1
        if self.ticks_left[direction]:
            self.draw(now, direction)
        else:
            del self.ticks_left[direction]

    def queue(self, now: float, way: str, link: int, commands: list[Letter | None]) -> None:
        idle = not self.waiting[way, link]
        self.waiting[way, link] += commands
        if self.scenario.policy is Policy.DIRECT:
            self.tick(now, way, link)
        elif idle:
            self.at(now + self.pause(way), "tick", way, link)

    def pause(self, way: str) -> float:
        scenario = self.scenario
        if scenario.policy is Policy.BATCHED:
            return self.random.expovariate(1.0 / scenario.tick_seconds)
        rate = scenario.rates.payload if way == "up" else scenario.slot_rate - scenario.rates.loop
        return self.random.expovariate(rate)

    def tick(self, now: float, way: str, link: int) -> None:
        waiting = self.waiting[way, link]
        if self.scenario.policy is Policy.CONSTANT:
            self.take_one(now, way, link, waiting)
            return
        leaving, self.waiting[way, link] = waiting, []
        self.count(way, max(1, sum(letter.envelopes for letter in leaving if letter is not None)))
        for letter in leaving:
            self.leave(now, way, letter)

    def take_one(self, now: float, way: str, link: int, waiting: list[Letter | None]) -> None:
        """One envelope of the oldest letter."""
        letter = waiting.pop(0)
        if letter is not None and letter.envelopes > 1:
            waiting.insert(0, letter._replace(envelopes=letter.envelopes - 1))
        else:
            self.leave(now, way, letter)
        if waiting:
            self.at(now + self.pause(way), "tick", way, link)

    def count(self, way: str, envelopes: int) -> None:
        self.frames[way] += 1
        full, rest = divmod(envelopes, SLOTS[-1])
        self.slots[way] += full * SLOTS[-1] + (min(size for size in SLOTS if size >= rest) if rest else 0)

    def leave(self, now: float, way: str, letter: Letter | None) -> None:
        if letter is not None:
            arrive = "deposited" if way == "up" else "delivered"
            self.at(now + self.scenario.latency_seconds, arrive, *letter)

    def deposited(self, now: float, direction: int, written: float | None, envelopes: int) -> None:
        if self.scenario.policy is not Policy.CONSTANT:
            self.queue(now, "down", self.sender[direction], [None])
        self.queue(now, "down", self.recipient[direction], [Letter(direction, written, envelopes)])

    def delivered(self, now: float, direction: int, written: float | None, _envelopes: int) -> None:
        if self.scenario.policy is not Policy.CONSTANT:
            self.queue(now, "up", self.recipient[direction], [None])
        if written is not None:
            self.delays.append(now - written)
            self.talk(now, direction ^ 1)
