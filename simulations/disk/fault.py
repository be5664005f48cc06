"""One kind of fault, and what came of each time that it struck."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct, field

KEY = bytes(range(32))
"""Of encrypted files."""


class Outcome(Struct, frozen=True):
    """Of one fault. `checked`: facts that were compared. `failure`: the promise that was not kept."""

    checked: int
    what: str = ""
    """What was seen, in few words, for the tally."""
    failure: str | None = None
    found: bool = False
    """On a disk that breaks its word: the comparison noticed."""
    struck: bool = True
    """The fault came to pass."""
    also: dict[str, int] = field(default_factory=dict)
    """What else was seen, and how often."""


class Setting(Struct, frozen=True):
    """`directory`: empty, for this seed alone. `encrypted`: SQLCipher, else plain SQLite."""

    seed: int
    directory: Path
    encrypted: bool

    @property
    def key(self) -> bytes | None:
        """For the stores."""
        return KEY if self.encrypted else None


Strike: TypeAlias = Callable[[Setting], Iterable[Outcome]]
"""All faults of one seed; the same each time, unless the kind says otherwise."""


class Tally(Struct):
    """Of many seeds."""

    seeds: int = 0
    faults: int = 0
    checked: int = 0
    found: int = 0
    seconds: float = 0.0
    seen: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[int, str]] = field(default_factory=list)
    """Seed and words."""

    def add(self, seed: int, outcomes: Iterable[Outcome]) -> None:
        """One seed's."""
        self.seeds += 1
        for outcome in outcomes:
            self.faults += outcome.struck
            self.checked += outcome.checked
            self.found += outcome.found
            if outcome.what:
                self.seen[outcome.what] += 1
            self.seen.update(outcome.also)
            if outcome.failure is not None:
                self.failures.append((seed, outcome.failure))
