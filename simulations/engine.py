"""The clock of a virtual world: what is due next happens next, and nobody waits for it.

Everything that crosses a wire is hashed with its time, ends, length and kind. The hash names a run: the same seed gives
the same one in any process, and what the crypto drew makes no difference to it.
"""

import hashlib
import heapq
import struct
from collections.abc import Callable
from itertools import count

_record = struct.Struct(">dHHIB").pack
_FLUSH_RECORDS = 256

Action = Callable[[], None]


class Engine:
    """Virtual seconds from 0. Actions of one moment happen in the order in which they were asked for."""

    def __init__(self) -> None:
        self.time = 0.0
        self.actions = 0
        """Carried out so far."""
        self._heap: list[tuple[float, int, Action]] = []
        self._order = count()
        self._hash = hashlib.blake2b(digest_size=16)
        self._records: list[bytes] = []

    def at(self, time: float, action: Action) -> None:
        """Carry out `action` at this time, or at once where that is past."""
        heapq.heappush(self._heap, (max(time, self.time), next(self._order), action))

    def after(self, seconds: float, action: Action) -> None:
        """Carry out `action` so much later."""
        heapq.heappush(self._heap, (self.time + seconds, next(self._order), action))

    def run(self, until: float, stop: Callable[[], bool] | None = None) -> None:
        """Up to and including this time, or until `stop`, looked at after each action."""
        heap = self._heap
        while heap and heap[0][0] <= until:
            self.time, _, action = heapq.heappop(heap)
            self.actions += 1
            action()
            if stop is not None and stop():
                return
        self.time = max(self.time, until)

    def note(self, source: int, destination: int, length: int, kind: int) -> None:
        """One more thing on a wire, for the trace."""
        self._records.append(_record(self.time, source, destination, length, kind))
        if len(self._records) >= _FLUSH_RECORDS:
            self._flush()

    def trace(self) -> str:
        """32 hexadecimal digits over all that was noted."""
        self._flush()
        return self._hash.hexdigest()

    def _flush(self) -> None:
        self._hash.update(b"".join(self._records))
        self._records.clear()
