"""One line for each figure: what, under which load, how much, and what was promised."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

_TIMES = frozenset({"µs CPU", "ms", "s"})


class Row(NamedTuple):
    """A measured figure; `most` or `least` is what was promised, both nil where nothing was."""

    name: str
    shape: str
    value: float
    unit: str
    most: float | None = None
    least: float | None = None

    @property
    def kept(self) -> bool:
        """Whether the promise holds."""
        return (self.most is None or self.value <= self.most) and (self.least is None or self.value >= self.least)


def render(rows: Iterable[Row], factor: float) -> Iterator[str]:
    """Lines of a table in plain text. `factor`: see `tests.benchmarks.reference`."""
    cells = [("figure", "load", "measured", "promised", "", "at reference speed")]
    for row in rows:
        promised = "" if row.most is None else f"≤ {row.most:,g}"
        promised = promised if row.least is None else f"≥ {row.least:,g}"
        verdict = "" if not promised else "kept" if row.kept else "MISSED"
        scaled = _scaled(row, factor) if promised else None
        at_reference = "" if scaled is None else f"{_number(scaled)} {row.unit}"
        cells.append((row.name, row.shape, f"{_number(row.value)} {row.unit}", promised, verdict, at_reference))
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    for line in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _scaled(row: Row, factor: float) -> float | None:
    """What a machine of the reference's speed would measure; None for what its speed does not change."""
    if row.unit in _TIMES:
        return row.value / factor
    return row.value * factor if row.unit == "/s" else None


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"
