"""What is carried out for each preset: how many people, for how long, how often."""

from typing import NamedTuple

from protocol.wire.commands import Preset

TEXTS_PER_DAY = 40.0


class Extent(NamedTuple):
    """Of one run: so many people for so many hours; no people: it is left out."""

    people: int
    hours: float
    texts_per_day: float = TEXTS_PER_DAY
    contacts: int = 4


class Plan(NamedTuple):
    """What is carried out for one preset. `busy`: ten times as many texts, so that many pairs talk."""

    seeds: int
    idle: Extent
    used: Extent
    alone: Extent
    busy: Extent
    weeks: Extent
    nodes: Extent
    """Texts alone, on real nodes: few, and ticks are over before the next text to a contact."""
    month: Extent
    mix: Extent
    """Of those whose envelopes one entry carries."""
    entries: Extent
    """With and without entries, on three relays."""
    busy_seeds: int = 0
    """More of them where a small difference is looked for."""
    counts: bool = True
    """Whether envelopes beside texts are counted: where receipts are as in another preset, so is their number."""


_NOBODY = Extent(0, 0.0)
_WEEKS = Extent(40, 24.0 * 14)
_MIX = Extent(1_000, 6.0)
_NODES = Extent(4, 24.0 * 9, 24.0, 2)
_ENTRIES = Extent(8, 10.0, 600.0, 2)
_QUIET = Plan(
    10,
    Extent(6, 24.0),
    Extent(20, 24.0),
    Extent(20, 24.0, 8.0),
    Extent(20, 6.0, 400.0, 6),
    _WEEKS,
    _NODES,
    Extent(20, 24.0 * 30),
    _MIX,
    _ENTRIES,
)
FULL = {
    Preset.DIRECT: _QUIET,
    Preset.BATCHED: _QUIET,
    Preset.CONSTANT: Plan(
        10, Extent(6, 3.0), Extent(16, 6.0), Extent(16, 6.0, 12.0), Extent(26, 6.0, 200.0, 10), _WEEKS, _NODES,
        Extent(10, 24.0 * 30, contacts=2), _MIX, _NOBODY, busy_seeds=20,
    ),
    Preset.CONSTANT_4: Plan(
        10, Extent(4, 1.0, contacts=2), Extent(8, 4.0), Extent(8, 2.0, 48.0), Extent(24, 1.0, 400.0, 6), _WEEKS,
        _NOBODY, Extent(20, 4.5), _MIX, _NOBODY, counts=False,
    ),
    Preset.CONSTANT_16: Plan(
        10, Extent(4, 0.5, contacts=2), Extent(8, 1.0), Extent(8, 0.5, 96.0), Extent(16, 0.5, 800.0, 6), _WEEKS,
        _NOBODY, Extent(20, 1.2, 400.0), _MIX, _NOBODY, counts=False,
    ),
}  # fmt: skip
"""More slots a second make a run dearer, so fewer people are watched, for less long; seeds are never fewer than ten."""
QUICK = {
    Preset.BATCHED: Plan(
        10, Extent(4, 6.0, contacts=2), Extent(8, 12.0), Extent(8, 6.0, 8.0), Extent(16, 1.0, 400.0, 6), _NOBODY,
        _NOBODY, _NOBODY, _NOBODY, _NOBODY,
    ),
    Preset.CONSTANT: Plan(
        10, Extent(3, 1.0, contacts=2), Extent(4, 1.5, 200.0, 2), Extent(4, 1.5, 48.0, 2), Extent(14, 1.0, 400.0, 4),
        Extent(12, 24.0 * 7, 60.0), _NOBODY, _NOBODY, _NOBODY, _NOBODY, busy_seeds=18,
    ),
}  # fmt: skip
