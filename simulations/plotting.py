"""Pictures for a paper: one figure of a table, its mean and 95 % interval, against what was varied or watched."""

import io
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import polars as pl
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from protocol.errors import CallerError
from simulations.results import summarise

mpl.use("Agg")
_LINE_STYLES = ("-", "--", "-.", ":")
_LEGEND_INCHES = 0.17
"""Of a line; where there are many the picture grows, so that they leave as much of it to the axes as ever."""
_NUMBER = re.compile(r"[-+0-9.eE_]+")
_MARKERS = ("o", "s", "^", "D", "v", "P")
mpl.rcParams.update(
    {
        "font.family": "serif",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "svg.hashsalt": "kassiber",  # the same table gives the same file
        "svg.fonttype": "none",
    }
)


def plot(table: pl.DataFrame, figure: str, across: str, path: Path, observer: str | None = None) -> tuple[Path, Path]:
    """`path` with .svg and .png behind: `figure` against `across`, a line for each observer and each other variation.

    `across`: a key that a sweep varied (`topology.people`), or `window_seconds`. Raises CallerError: no such figure,
    nothing to draw.
    """
    chosen = _choose(summarise(table), figure, observer)
    lines = _lines(chosen, across)
    size, axes = plt.subplots(figsize=(4.5, 3.0 + _LEGEND_INCHES * max(0, len(lines) - 4)), layout="constrained")
    for number, (name, points) in enumerate(lines.items()):
        x, mean, half = zip(*sorted(points), strict=True)
        axes.errorbar(
            x, mean, yerr=half, label=name or None, capsize=2, color="black", markersize=4, linewidth=1,
            linestyle=_LINE_STYLES[number % len(_LINE_STYLES)], marker=_MARKERS[number % len(_MARKERS)],
        )  # fmt: skip
    axes.set_xlabel(across.replace("_", " "))
    axes.set_ylabel(figure)
    if any(lines):
        size.legend(loc="outside upper left", frameon=False)  # whatever the data, it covers none of them
    files = path.with_name(f"{path.name}.svg"), path.with_name(f"{path.name}.png")
    size.savefig(files[1], dpi=200, metadata={"Software": None})
    files[0].write_bytes(as_svg(size))
    return files


def as_svg(picture: Figure) -> bytes:
    """The same picture gives the same bytes. It is closed."""
    file = io.BytesIO()
    picture.savefig(file, format="svg", metadata={"Date": None})
    plt.close(picture)
    return file.getvalue()


def _choose(summary: pl.DataFrame, figure: str, observer: str | None) -> pl.DataFrame:
    chosen = summary.filter(pl.col("figure") == figure)
    if chosen.is_empty():
        known = ", ".join(repr(name) for name in summary["figure"].unique(maintain_order=True))
        raise CallerError(f"There is no figure {figure!r} in this table. There are: {known}.")
    if observer is None:
        return chosen
    seen = chosen.filter(pl.col("observer") == observer)
    if seen.is_empty():
        known = ", ".join(repr(name) for name in chosen["observer"].unique(maintain_order=True))
        raise CallerError(f"Nothing of {figure!r} was seen by {observer!r} in this table. It was seen by: {known}.")
    return seen


def _lines(chosen: pl.DataFrame, across: str) -> dict[str, list[tuple[float, float, float]]]:
    """Points (x, mean, half width) by what tells the lines apart."""
    lines: dict[str, list[tuple[float, float, float]]] = {}
    if across == "window_seconds" and not any(chosen["window_seconds"]):
        raise CallerError(
            f"{chosen['figure'][0]!r} is of the whole time, not of windows. Draw it across what was varied: "
            "--across KEY."
        )
    for row in chosen.iter_rows(named=True):
        changed = dict(part.split("=", 1) for part in row["changes"].split())
        text: Any = row["window_seconds"] if across == "window_seconds" else changed.pop(across, None)
        try:
            x = float(text)
        except (TypeError, ValueError):
            numbers = [key for key, value in changed.items() if _NUMBER.fullmatch(value)]
            varied = ", ".join(["window_seconds"] * bool(row["window_seconds"]) + numbers)
            raise CallerError(f"{across!r} is no number that varies in this table. There are: {varied}.") from None
        rest = [row["observer"], *(f"{key} = {value}" for key, value in changed.items())]
        if across != "window_seconds" and row["window_seconds"]:
            rest.append(f"{row['window_seconds'] / 60:g} min")
        lines.setdefault(", ".join(part for part in rest if part), []).append(
            (x, row["mean"], row["half_width"] or 0.0)
        )
    return lines
