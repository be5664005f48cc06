"""How many new announcements are looked at on one interface (Spec 9 §4, §6)."""

from protocol.limits import MAX_NEW_SIGHTINGS_PER_SECOND


class Bucket:
    """Lets so many through at once, and so many a second."""

    __slots__ = ("_at", "_tokens")

    def __init__(self, now: float) -> None:
        self._at = now
        self._tokens = float(MAX_NEW_SIGHTINGS_PER_SECOND)

    def take(self, now: float) -> bool:
        gained = max(now - self._at, 0.0) * MAX_NEW_SIGHTINGS_PER_SECOND
        self._tokens = min(self._tokens + gained, float(MAX_NEW_SIGHTINGS_PER_SECOND))
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
