"""What was seen, by whom: one table for simulated worlds, for the population model and for captures of real traffic.

| column | type | |
| --- | --- | --- |
| `time` | float64 | seconds, ascending |
| `link` | int32 | which connection; a new connection of the same two hosts has a new number; −1 between two relays |
| `source`, `destination` | int32 | hosts, as network addresses tell them apart |
| `length` | int32 | bytes: of the transport's message on a wire, of the command at a relay |
| `toward_relay` | bool | from whoever dialled to the relay, or back |
| `kind` | int8 | `Sight`: FRAME on a wire; DEPOSIT, STORED, DELIVERY, ACK, OTHER inside a relay |
| `queue` | int32 | at a relay, which queue; −1 on a wire |

An observer is a choice of rows. No row says who wrote or why: ground truth is kept elsewhere, for scoring alone.
"""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from simulations.arrays import Flags, Floats, Integers, Kinds, Numbers
from simulations.recording import Recorder, Sight


class Observations(NamedTuple):
    """Columns of equal length, in the order of time."""

    time: Floats
    link: Numbers
    source: Numbers
    destination: Numbers
    length: Numbers
    toward_relay: Flags
    kind: Kinds
    queue: Numbers

    @property
    def rows(self) -> int:
        """How much was seen."""
        return len(self.time)

    def select(self, chosen: Flags | Integers) -> "Observations":
        """Rows by flag, or by index."""
        return self._cut(chosen)

    def between(self, start: float, stop: float) -> "Observations":
        """Rows with start ≤ time < stop; shares memory."""
        first, last = np.searchsorted(self.time, [start, stop])
        return self._cut(slice(int(first), int(last)))

    def global_observer(self) -> "Observations":
        """Every wire, and no relay's inside."""
        return self.select(self.kind == Sight.FRAME)

    def local_observer(self, host: int) -> "Observations":
        """The wires of one host: its provider's view."""
        return self.select((self.kind == Sight.FRAME) & ((self.source == host) | (self.destination == host)))

    def relays(self, hosts: Collection[int]) -> "Observations":
        """What relays that share their notes see: their own wires, and the commands inside."""
        chosen = np.fromiter(hosts, dtype=np.int32)
        there = np.where(self.toward_relay, self.destination, self.source)
        return self.select(np.isin(there, chosen))

    def times(self, toward_relay: bool, kind: Sight = Sight.FRAME) -> "Observations":
        """Rows of one kind and direction."""
        return self.select((self.kind == kind) & (self.toward_relay == toward_relay))

    def _cut(self, rows: Flags | Integers | slice) -> "Observations":
        return Observations(
            self.time[rows], self.link[rows], self.source[rows], self.destination[rows], self.length[rows],
            self.toward_relay[rows], self.kind[rows], self.queue[rows],
        )  # fmt: skip

    def save(self, path: Path) -> None:
        """As one compressed file of columns."""
        np.savez_compressed(path, **self._asdict())


def from_recorder(recorder: Recorder) -> Observations:
    """A copy of what was recorded, sorted by time; what happened at one time keeps its order."""
    return in_order(
        Observations(
            np.frombuffer(recorder.time, dtype=np.float64),
            np.frombuffer(recorder.link, dtype=np.int32),
            np.frombuffer(recorder.source, dtype=np.int32),
            np.frombuffer(recorder.destination, dtype=np.int32),
            np.frombuffer(recorder.length, dtype=np.int32),
            np.frombuffer(recorder.toward_relay, dtype=np.int8).astype(np.bool_),
            np.frombuffer(recorder.kind, dtype=np.int8),
            np.frombuffer(recorder.queue, dtype=np.int32),
        )
    )


def in_order(seen: Observations) -> Observations:
    """Rows by time, stable."""
    return seen.select(np.argsort(seen.time, kind="stable"))


def join(parts: Iterable[Observations]) -> Observations:
    """Several observers' rows as one, by time."""
    return in_order(Observations(*(np.concatenate(columns) for columns in zip(*parts, strict=True))))


def load(path: Path) -> Observations:
    """What `save` wrote."""
    with np.load(path) as columns:
        return Observations(*(columns[name] for name in Observations._fields))
