"""What an observer writes down while a world runs: plain columns, without NumPy, cheap to append to.

`simulations.observation` makes arrays of them.
"""

from array import array
from enum import IntEnum

NO_QUEUE = -1
"""On a wire no queue is seen. Lower numbers are queues that no contact writes to: those of loops."""
NO_LINK = -1
"""Between two relays: nobody's link."""


class Sight(IntEnum):
    """What was seen. A wire shows frames alone; the relay that opens them sees commands."""

    FRAME = 0
    DEPOSIT = 1
    STORED = 2
    DELIVERY = 3
    ACK = 4
    OTHER = 5
    """Proofs, subscriptions, refusals, queues made or dropped."""


class Recorder:
    """Columns of equal length, in the order of appending. Times are seconds of the world's clock."""

    __slots__ = ("destination", "kind", "length", "link", "queue", "source", "time", "toward_relay")

    def __init__(self) -> None:
        self.time = array("d")
        self.link = array("i")
        self.source = array("i")
        self.destination = array("i")
        self.length = array("i")
        self.toward_relay = array("b")
        self.kind = array("b")
        self.queue = array("i")

    def frame(self, time: float, link: int, source: int, destination: int, length: int, toward_relay: bool) -> None:
        """One message of the transport on a wire: `length` bytes from host to host, as the network shows them."""
        self._append(time, link, source, destination, length, toward_relay, Sight.FRAME, NO_QUEUE)

    def command(
        self, time: float, link: int, source: int, destination: int, length: int, toward_relay: bool,
        kind: Sight, queue: int,
    ) -> None:  # fmt: skip
        """One command that a relay took from a frame or put into one. `queue` numbers queues over all relays: the
        relay alone knows that its two ids are one queue."""
        self._append(time, link, source, destination, length, toward_relay, kind, queue)

    def __len__(self) -> int:
        return len(self.time)

    def _append(
        self, time: float, link: int, source: int, destination: int, length: int, toward_relay: bool,
        kind: int, queue: int,
    ) -> None:  # fmt: skip
        self.time.append(time)
        self.link.append(link)
        self.source.append(source)
        self.destination.append(destination)
        self.length.append(length)
        self.toward_relay.append(toward_relay)
        self.kind.append(kind)
        self.queue.append(queue)
