"""What this node's links to relays sent in the last hour: frames with something in them, and cover.

In memory, and of all links together: nothing here says with whom anybody talks.
"""

from collections import deque

from msgspec import Struct

BUCKET_SECONDS = 60.0
BUCKETS = 60


class Sent(Struct, frozen=True):
    """Of at most an hour. Bytes are those of frames, without the headers of WebSocket, TCP and IP."""

    seconds: float
    """For how long was counted: less than an hour where the node has not run so long."""
    real_frames: int
    """With commands: texts, receipts, acknowledgements, what a link needs to begin, envelopes with nothing in them."""
    real_bytes: int
    cover_frames: int
    """Without any."""
    cover_bytes: int


class TrafficMeter:
    """Minute by minute; `now` in seconds of a clock that does not go back."""

    def __init__(self, now: float) -> None:
        self._began = now
        self._buckets: deque[list[int]] = deque([[0, 0, 0, 0]], BUCKETS)
        self._bucket_began = now

    def note(self, size: int, real: bool, now: float) -> None:
        """A frame of so many bytes was taken by the transport."""
        self._turn(now)
        counts, place = self._buckets[-1], 0 if real else 2
        counts[place] += 1
        counts[place + 1] += size

    def last_hour(self, now: float) -> Sent:
        """The last 59 to 60 minutes, or as many as there were."""
        self._turn(now)
        seconds = min(now - self._began, (len(self._buckets) - 1) * BUCKET_SECONDS + now - self._bucket_began)
        return Sent(seconds, *map(sum, zip(*self._buckets, strict=True)))

    def _turn(self, now: float) -> None:
        minutes = int((now - self._bucket_began) / BUCKET_SECONDS)
        self._bucket_began += minutes * BUCKET_SECONDS
        self._buckets.extend([0, 0, 0, 0] for _ in range(min(minutes, BUCKETS)))
