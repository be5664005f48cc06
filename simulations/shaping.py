"""How long texts take under each preset, and what idle links cost: the real shapers, one a direction of each link.

A text's envelopes wait at its sender's link to one relay, then at its recipient's link to that relay. Beside them go
the envelopes of receipt ticks (Spec 10 §6) and, on *constant* links, loops, which come back over the other relay.
Latency is nothing beside the ticks, and left out.

`python -m simulations.shaping` prints the table of Spec 10 §2.
"""

import argparse
import random
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from protocol.delivery.items import TICKS
from protocol.limits import ENVELOPE_BYTES
from protocol.traffic.policies import NAMES, RECEIPT_MEAN_SECONDS, Stream
from protocol.traffic.shaper import fit, make_shaper, room
from protocol.wire.commands import Preset
from simulations.adversaries.size import envelopes, frame_slots
from simulations.arrays import Floats, Integers
from simulations.engine import Engine
from simulations.workload import DAY_SECONDS, LIVELY, Rhythm, bursty, contact_graph

DEPOSIT_BYTES = ENVELOPE_BYTES + 10
DELIVERY_BYTES = ENVELOPE_BYTES + 19
WIRE_BYTES = 4_300
"""Of a frame of one slot, with its headers: 4,096, WebSocket 8, three TCP segments and two acknowledgements."""
KEEP_ALIVE_SECONDS = 300.0
_RELAYS = 2
_LULL = Rhythm(texts_per_user_day=2.0, texts_per_conversation=1.0)


class Envelope(NamedTuple):
    """On its way; `text` is its row of the workload, −1: a receipt tick's or a loop."""

    sender: int
    recipient: int
    text: int


class Direction:
    """One direction of one link: its shaper, and what waits for it."""

    def __init__(
        self, engine: Engine, preset: Preset, uniform: Callable[[], float], length: int, to_relay: bool,
        arrive: Callable[[Envelope], None], loop: Callable[[], None],
    ) -> None:  # fmt: skip
        self._engine = engine
        self._shaper = make_shaper(preset, uniform, KEEP_ALIVE_SECONDS, 0.0, to_relay=to_relay)
        self._length = length
        self._arrive = arrive
        self._loop = loop
        self._waiting: deque[Envelope] = deque()
        self._alarm = -1.0
        self.slots = 0
        self.look()

    def queue(self, envelope: Envelope) -> None:
        """Behind what waits."""
        self._waiting.append(envelope)
        self.look()

    def look(self) -> None:
        """Send what is due, and be asked again."""
        while (turn := self._shaper.due(self._engine.time, bool(self._waiting))) is not None:
            count = 0
            if turn.stream is Stream.PAYLOAD:
                count = fit([self._length] * min(len(self._waiting), turn.most_slots), room(turn.most_slots))
            elif turn.stream is Stream.LOOP:
                self._loop()
            self.slots += int(frame_slots(np.array([max(1, count)]))[0])
            for _ in range(count):
                self._arrive(self._waiting.popleft())
        if self._shaper.next_wake != self._alarm:
            self._alarm = self._shaper.next_wake
            self._engine.at(self._alarm, self.look)


class Outcome(NamedTuple):
    """Of one day."""

    delays: Floats
    """Seconds from queued to delivered, of each text that arrived."""
    slots: Integers
    """Of each link, both directions."""


class _World:
    """People, each with a link to either of two relays."""

    def __init__(self, preset: Preset, people: int, rhythm: Rhythm, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.engine = Engine()
        self._random = random.Random(seed)
        self._receipt_seconds = RECEIPT_MEAN_SECONDS[preset]
        self.texts = bursty(contact_graph(people, 10, rng), people, rng, rhythm)
        parts = envelopes(self.texts.length.astype(np.int64))
        self._missing = parts.tolist()
        self.delivered = np.full(len(parts), np.nan)
        self._ticks: dict[tuple[int, int], int] = {}
        uniform = self._random.random
        links = range(_RELAYS * people)
        self.down = [
            Direction(self.engine, preset, uniform, DELIVERY_BYTES, False, self._deliver, _nothing) for _ in links
        ]
        self.up = [
            Direction(self.engine, preset, uniform, DEPOSIT_BYTES, True, self._relay, partial(self._come_back, link))
            for link in links
        ]
        senders, recipients = self.texts.sender.tolist(), self.texts.recipient.tolist()
        for row, time in enumerate(self.texts.time.tolist()):
            self.engine.at(time, partial(self._write, senders[row], recipients[row], row))

    def _write(self, sender: int, recipient: int, row: int) -> None:
        for _ in range(self._missing[row]):
            self.up[self._link(sender, sender, recipient)].queue(Envelope(sender, recipient, row))
        self._talk(sender, recipient)

    def _relay(self, envelope: Envelope) -> None:
        sender, recipient, _ = envelope
        self.down[self._link(recipient, sender, recipient)].queue(envelope)

    def _come_back(self, link: int) -> None:
        self.down[link ^ 1].queue(Envelope(-1, -1, -1))

    def _deliver(self, envelope: Envelope) -> None:
        row = envelope.text
        if row < 0:
            return
        self._missing[row] -= 1
        if self._missing[row] == 0:
            self.delivered[row] = self.engine.time
            self._talk(envelope.recipient, envelope.sender)

    def _talk(self, sender: int, recipient: int) -> None:
        """Something happened in a conversation: its ticks run on this side, for three more."""
        if (sender, recipient) not in self._ticks:
            self._await_tick(sender, recipient)
        self._ticks[sender, recipient] = TICKS

    def _await_tick(self, sender: int, recipient: int) -> None:
        wait = self._random.expovariate(1.0 / self._receipt_seconds)
        self.engine.after(wait, partial(self._tick, sender, recipient))

    def _tick(self, sender: int, recipient: int) -> None:
        self.up[self._link(sender, sender, recipient)].queue(Envelope(sender, recipient, -1))
        self._ticks[sender, recipient] -= 1
        if self._ticks[sender, recipient]:
            self._await_tick(sender, recipient)
        else:
            del self._ticks[sender, recipient]

    @staticmethod
    def _link(person: int, sender: int, recipient: int) -> int:
        """To the relay of this direction of the pair: the other direction has the other one."""
        low, high = min(sender, recipient), max(sender, recipient)
        return _RELAYS * person + (low + high + (sender == low)) % _RELAYS


def _nothing() -> None:
    """A relay sends no loops."""


def carry_out(preset: Preset, people: int, seed: int, rhythm: Rhythm = LIVELY) -> Outcome:
    """A day of these people, all of whom follow one preset."""
    world = _World(preset, people, rhythm, seed)
    world.engine.run(DAY_SECONDS)
    slots = [up.slots + down.slots for up, down in zip(world.up, world.down, strict=True)]
    delays = world.delivered - world.texts.time
    return Outcome(delays[~np.isnan(delays)], np.array(slots))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Delays and cost of each preset, by the real shapers.")
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--preset", choices=list(NAMES.values()), action="append")
    given = parser.parse_args()
    print("| preset | texts | p50 s | p99 s | alone: p50 s | p99 s | MB a day and link |")
    for preset, name in NAMES.items():
        if given.preset and name not in given.preset:
            continue
        lively, lull = (
            [carry_out(preset, given.people, seed, rhythm) for seed in range(given.seeds)] for rhythm in (LIVELY, _LULL)
        )
        delays, alone = (np.concatenate([one.delays for one in runs]) for runs in (lively, lull))
        cost = np.concatenate([one.slots for one in lively]).mean() * WIRE_BYTES / 1e6
        figures = [*np.quantile(delays, (0.5, 0.99)), *np.quantile(alone, (0.5, 0.99)), cost]
        print("|", name, "|", len(delays), "|", " | ".join(f"{figure:.1f}" for figure in figures), "|", flush=True)


if __name__ == "__main__":
    main()
