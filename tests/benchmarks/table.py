"""One line for each figure: what, under which load, how much, and what was promised."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple


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


def render(rows: Iterable[Row]) -> Iterator[str]:
    """Lines of a table in plain text."""
    cells = [("figure", "load", "measured", "promised", "")]
    for row in rows:
        promised = "" if row.most is None else f"≤ {row.most:,g}"
        promised = promised if row.least is None else f"≥ {row.least:,g}"
        verdict = "" if not promised else "kept" if row.kept else "MISSED"
        cells.append((row.name, row.shape, f"{_number(row.value)} {row.unit}", promised, verdict))
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    for line in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"
