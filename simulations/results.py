"""Tidy tables of figures: one row a figure and run, with all that is needed to make it again."""

import tempfile
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import polars as pl
from msgspec import Struct

from protocol.errors import CallerError
from simulations.hunt import commit_name
from simulations.measures import Figure
from simulations.statistics import LEAST_RUNS, student_interval
from simulations.study import Study

_KEYS = ("scenario", "engine", "policy", "changes", "measure", "observer", "window_seconds", "figure")


class Origin(Struct, frozen=True):
    """What every row of one run says of where it comes from."""

    study: Study
    changes: str
    """What a sweep changed in the file: `topology.people=50 workload.hours=2`; empty without."""
    seed: int
    trace: str
    """Hash of all that was on the wires; of the model, empty: it has none."""


def to_rows(origin: Origin, figures: Iterable[Figure]) -> list[dict[str, object]]:
    """One dictionary a figure."""
    study = origin.study
    about = {
        "scenario": study.name,
        "engine": study.run.engine,
        "policy": study.policy.kind,
        "changes": origin.changes,
        "version": _version(),
        "commit": commit_name(),
        "configuration": study.configuration_hash,
        "seed": origin.seed,
        "trace": origin.trace,
    }
    return [about | figure._asdict() for figure in figures]


def make_folder(folder: Path) -> None:
    """For a table or picture, before it is worked for. Raises CallerError: nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CallerError(f"{folder} can hold no files: {error.strerror}. Choose another folder with --out.") from None


def write_table(rows: list[dict[str, object]], folder: Path, name: str = "figures") -> tuple[Path, Path]:
    """`figures.parquet` and `figures.csv` in a folder of `make_folder`'s, in the order of the rows."""
    table = pl.DataFrame(rows, infer_schema_length=None)
    parquet, csv = folder / f"{name}.parquet", folder / f"{name}.csv"
    table.write_parquet(parquet)
    table.write_csv(csv)
    return parquet, csv


def read_table(path: Path) -> pl.DataFrame:
    """A table that `write_table` wrote: a folder, a Parquet or a CSV file. Raises CallerError: it is none."""
    if path.is_dir():
        path = path / "figures.parquet"
    try:
        table = pl.read_csv(path) if path.suffix == ".csv" else pl.read_parquet(path)
        return table.with_columns(pl.col("value").cast(pl.Float64))
    except (OSError, pl.exceptions.PolarsError):
        what = "is no table" if path.exists() else "does not exist"
        raise CallerError(f"{path} {what}. To write one: kassiber sim run SCENARIO --out FOLDER.") from None


def summarise(table: pl.DataFrame) -> pl.DataFrame:
    """Mean and the half width of Student's 95 % interval of each figure over its seeds; nil with fewer than ten.

    Variations are in the order of the table.
    """
    grouped = table.drop_nans("value").group_by(_KEYS, maintain_order=True).agg(pl.col("value"))
    rows = []
    for row in grouped.iter_rows(named=True):
        values = row.pop("value")
        interval = student_interval(values) if len(values) >= LEAST_RUNS else None
        mean = interval.mean if interval else sum(values) / len(values)
        rows.append(row | {"mean": mean, "half_width": interval.half_width if interval else None, "runs": len(values)})
    summary = pl.DataFrame(rows, infer_schema_length=None)
    turns = table.select(pl.col("changes").unique(maintain_order=True)).with_row_index("turn")
    in_order = summary.join(turns, on="changes").sort(
        "turn", "measure", "observer", "window_seconds", "figure", maintain_order=True
    )
    return in_order.drop("turn")


def _version() -> str:
    try:
        return version("kassiber")
    except PackageNotFoundError:
        return "0"
