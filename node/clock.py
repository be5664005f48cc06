"""Service time: seconds that never go back and survive restarts (`protocol.events.Now`).

It stands still while the program is off, and a system clock that jumps a year does not move it: so nothing expires
early, and what a stopped relay keeps it keeps for as long again.
"""

from collections.abc import Callable

from protocol.events import Now


class ServiceClock:
    """Counts on from `offset`, the service seconds last saved."""

    def __init__(self, offset: float, monotonic: Callable[[], float], wall: Callable[[], float]) -> None:
        self._base = offset - monotonic()
        self._monotonic = monotonic
        self._wall = wall

    def now(self) -> Now:
        """Both clocks."""
        return Now(self.service(), self._wall())

    def service(self) -> float:
        """Seconds."""
        return self._base + self._monotonic()
