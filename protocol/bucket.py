"""A token bucket: how often something may be done."""


class Bucket:
    """Lets `at_once` through at once, and `per_second` after that. `now`: seconds of a clock that goes on."""

    __slots__ = ("_at", "_at_once", "_per_second", "_tokens")

    def __init__(self, now: float, at_once: float, per_second: float) -> None:
        self._at = now
        self._at_once = self._tokens = float(at_once)
        self._per_second = per_second

    def take(self, now: float) -> bool:
        """Whether it may be done now; if so, it counts."""
        gained = max(now - self._at, 0.0) * self._per_second
        self._tokens = min(self._tokens + gained, self._at_once)
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
