"""How letters travel under each policy, and the frames that they become.

A letter waits at its sender's link, is deposited, waits at its recipient's link to the same relay, and is delivered.
The relay answers a deposit with `stored`, a node a delivery with `ack`; both wait like everything else.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from protocol.traffic.shaper import ConstantShaper
from simulations.arrays import Floats, Integers
from simulations.population.community import Directions, Letters
from simulations.population.frames import (
    Frames,
    LinkTotals,
    envelopes_to_slots,
    keep_alives,
    moments,
)
from simulations.population.scenario import Policy, Scenario
from simulations.population.ticks import Ticks, serve

_ENVELOPE_BITS = 10
_DRAWS_AT_ONCE = 65_536


class Journey(NamedTuple):
    """Of each letter: when it left its sender, left the relay and came, and the numbers of the ticks at which it left,
    where the policy has any."""

    left: Floats
    pushed: Floats
    came: Floats
    left_tick: Integers
    pushed_tick: Integers


class Links:
    """All links of a community, both ways, with whatever decides when they send."""

    def __init__(self, scenario: Scenario, links: int, span: float, rng: np.random.Generator) -> None:
        self.scenario = scenario
        self.links = links
        self.span = span
        self.rng = rng
        self.silences = keep_alives(scenario.keep_alive_seconds, span)
        self.moments = moments(links, span, self.silences)
        if scenario.policy is Policy.BATCHED:
            rates = (1.0 / scenario.tick_seconds, 1.0 / scenario.tick_seconds)
        else:
            # Of a constant link's way down, loops take their share; a letter that meets a queue in equilibrium waits
            # as if the rest were all there is.
            rates = (scenario.rates.payload, scenario.slot_rate - scenario.rates.loop)
        if scenario.policy is not Policy.DIRECT:
            self.up, self.down = (Ticks(links, span, rate, rng) for rate in rates)

    def carry(self, letters: Letters, directions: Directions) -> Journey:
        """What shares a link in the constant policy must be carried at once: it queues."""
        step = self.scenario.step_seconds
        if self.scenario.policy is Policy.DIRECT:
            none = np.empty(0, dtype=np.int64)
            left = letters.time + step
            pushed = left + self._hop(left) + step
            return Journey(left, pushed, pushed + self._hop(left) + step, none, none)
        sender = directions.sender_link.take(letters.direction)
        recipient = directions.recipient_link.take(letters.direction)
        left_tick = self._leave(self.up, sender, letters.time, letters.envelopes)
        left = self.up.when(sender, left_tick)
        pushed_tick = self._leave(self.down, recipient, left + self._hop(left), letters.envelopes)
        pushed = self.down.when(recipient, pushed_tick)
        return Journey(left, pushed, pushed + self._hop(left), left_tick, pushed_tick)

    def _hop(self, letters: Floats) -> Floats | float:
        """From one host to the next, of each letter or of all of them."""
        latency, jitter = self.scenario.latency_seconds, self.scenario.jitter
        return latency * (1.0 + jitter * self.rng.random(len(letters))) if jitter else latency

    def frames(self, letters: Letters, directions: Directions, journey: Journey) -> tuple[Frames, Frames]:
        """Up and down, without keep-alives; of the constant policy none, as its frames do not depend on letters."""
        sender = directions.sender_link.take(letters.direction)
        recipient = directions.recipient_link.take(letters.direction)
        relayed, delivered = journey.left + self.scenario.latency_seconds, journey.came
        if self.scenario.policy is Policy.DIRECT:
            slots = np.concatenate((envelopes_to_slots(letters.envelopes), np.ones(len(sender), dtype=np.int64)))
            return (
                Frames(np.concatenate((sender, recipient)), np.concatenate((journey.left, delivered)), slots),
                Frames(np.concatenate((recipient, sender)), np.concatenate((journey.pushed, journey.pushed)), slots),
            )
        if self.scenario.policy is Policy.CONSTANT:
            nothing = np.empty(0, dtype=np.int64)
            return (Frames(nothing, np.empty(0), nothing),) * 2
        acknowledged = self.up.after(recipient, delivered)
        answered = self.down.after(sender, relayed)
        return (
            _merge(self.up, sender, journey.left_tick, letters.envelopes, recipient, acknowledged),
            _merge(self.down, recipient, journey.pushed_tick, letters.envelopes, sender, answered),
        )

    def totals(
        self, carried: Sequence[tuple[Letters, Journey]], directions: Directions
    ) -> tuple[LinkTotals, LinkTotals]:
        """Frames and slots of each link, up and down, keep-alives among them."""
        policy = self.scenario.policy
        if policy is Policy.CONSTANT:
            return self._constant_totals(), self._constant_totals()
        if policy is Policy.BATCHED:
            letters, journey = (type(parts[0])(*map(np.concatenate, zip(*parts, strict=True)))
                                for parts in zip(*carried, strict=True))  # fmt: skip
            up, down = self.frames(letters, directions, journey)
            return self._count(up), self._count(down)
        return self._direct_totals(carried, directions)

    def constant_times(self, links: Integers, rng: np.random.Generator) -> Frames:
        """The one-slot frames of one direction of some constant links, as the real shapers draw them."""
        uniform = _draws(rng)
        times: list[float] = []
        number: list[int] = []
        for _ in range(len(links)):
            shaper, before = ConstantShaper(uniform, self.scenario.rates, 0.0), len(times)
            while (now := shaper.next_wake) < self.span:
                shaper.due(now, False)
                times.append(now)
            number.append(len(times) - before)
        return Frames(np.repeat(links, number), np.array(times), np.ones(len(times), dtype=np.int64))

    def _leave(self, ticks: Ticks, link: Integers, time: Floats, slots: Integers) -> Integers:
        if self.scenario.policy is Policy.BATCHED:
            return ticks.after(link, time)
        return serve(ticks, link, time, slots)

    def _count(self, frames: Frames) -> LinkTotals:
        sends, idle = self.moments.count(self.moments.of_link(frames.link) + self.moments.within_link(frames.time))
        large = np.flatnonzero(frames.slots > 1)
        return _with_large(sends, idle, frames.link[large], frames.slots[large])

    def _direct_totals(
        self, carried: Sequence[tuple[Letters, Journey]], directions: Directions
    ) -> tuple[LinkTotals, LinkTotals]:
        """Both ways at once: each frame has an answer a moment later, so both have the same silences."""
        count = sum(len(letters.direction) for letters, _ in carried)
        numbers = np.empty(2 * count, dtype=np.uint32)
        sender, recipient = (self.moments.of_link(link) for link in (directions.sender_link, directions.recipient_link))
        long, filled = [], 0
        for letters, journey in carried:
            moment = self.moments.within_link(journey.pushed)
            for link in (sender, recipient):
                np.add(link.take(letters.direction), moment, out=numbers[filled : filled + len(moment)])
                filled += len(moment)
            several = np.flatnonzero(letters.envelopes > 1)
            long.append((letters.direction[several], letters.envelopes[several]))
        sends, idle = self.moments.count(numbers)
        direction, envelopes = (np.concatenate(columns) for columns in zip(*long, strict=True))
        slots = envelopes_to_slots(envelopes)
        return (
            _with_large(sends, idle, directions.sender_link[direction], slots),
            _with_large(sends, idle, directions.recipient_link[direction], slots),
        )

    def _constant_totals(self) -> LinkTotals:
        number = self.rng.poisson(self.scenario.slot_rate * self.span, self.links).astype(np.float64)
        return LinkTotals(number, number, np.zeros(self.links))


def _draws(rng: np.random.Generator) -> Callable[[], float]:
    """Uniform in [0, 1), one at a time."""
    return chain.from_iterable(iter(lambda: rng.random(_DRAWS_AT_ONCE).tolist(), None)).__next__


def _with_large(sends: Floats, idle: Floats, link: Integers, slots: Integers) -> LinkTotals:
    """`sends` of each link, of which those named have more than the one slot that each has."""
    extra = np.bincount(link, slots - 1.0, minlength=len(sends))
    return LinkTotals(sends + idle, sends + idle + extra, idle)


def _merge(
    ticks: Ticks, link: Integers, tick: Integers, envelopes: Integers, small_link: Integers, small_tick: Integers
) -> Frames:
    """What leaves a link at the same tick is one frame (past eight slots, counted as one of all its slots).

    `envelopes` leave with one tick, small commands with another.
    """
    tick_bits = int(8 * ticks.count).bit_length()
    carried = (((link << tick_bits) + tick) << _ENVELOPE_BITS) + np.minimum(envelopes, (1 << _ENVELOPE_BITS) - 1)
    keys = np.concatenate((carried, ((small_link << tick_bits) + small_tick) << _ENVELOPE_BITS))
    keys.sort()
    places = keys >> _ENVELOPE_BITS
    starts = np.flatnonzero(np.concatenate(([True], places[1:] != places[:-1]))) if len(keys) else keys
    together = np.add.reduceat(keys & ((1 << _ENVELOPE_BITS) - 1), starts) if len(keys) else keys
    places = places[starts]
    links = places >> tick_bits
    return Frames(links, ticks.when(links, places & ((1 << tick_bits) - 1)), envelopes_to_slots(together))
