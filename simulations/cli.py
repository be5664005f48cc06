"""`kassiber sim`: runs the real nodes and relays in a virtual world."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter, validators

from node.cli.exits import NoInputError, UsageError
from node.cli.terminal import print_table
from protocol.errors import CallerError

app = App(name="sim", help="Simulate the real nodes and relays: find lost messages, measure what is leaked.")
_AT_LEAST_ONE, _NOT_NEGATIVE = validators.Number(gte=1), validators.Number(gte=0)
Processes = Annotated[int, Parameter(help="How many at once (default: one a core).", validator=_NOT_NEGATIVE)]
Crypto = Annotated[Literal["toy", "real"], Parameter(help="toy: same sizes and refusals, many times as fast.")]


@app.command
def hunt(
    seeds: Annotated[int, Parameter(help="How many worlds to carry out.", validator=_AT_LEAST_ONE)] = 1_000,
    /,
    *,
    crypto: Crypto = "toy",
    first: Annotated[
        int | None, Parameter(help="Begin with this seed (default: where the ledger ends).", validator=_NOT_NEGATIVE)
    ] = None,
    processes: Processes = 0,
    ledger: Annotated[Path, Parameter(help="Where to keep what was run.")] = Path("hunts.jsonl"),
) -> int:
    """Carry out worlds full of faults until a promise is broken; go on where the ledger ends."""
    import os
    import sys
    import time

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from simulations.hunt import hunt as carry_out
    from simulations.hunt import read_ledger, totals

    failures: list[tuple[int, str]] = []
    began = time.perf_counter()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, disable=not sys.stdout.isatty()) as bar:
        task = bar.add_task("worlds", total=seeds)
        try:
            for span in carry_out(ledger, crypto, seeds, processes or os.cpu_count() or 1, first):
                bar.advance(task, span.count)
                for seed, broken in span.failures:
                    print(f"seed {seed}: {broken}", flush=True)
                failures += span.failures
        except KeyboardInterrupt:
            print(f"{ledger} has every thousand worlds that were done. To go on: the same again.", file=sys.stderr)
            raise
    seconds = time.perf_counter() - began
    print_table(
        ("COMMIT", "CRYPTO", "SEEDS", "MESSAGES", "LEAST", "FAULTS", "LEAST", "FAILED", "CPU H", "SEEDS/CPU H"),
        (
            (
                total.commit, total.crypto, f"{total.seeds:,}", f"{total.messages:,}", str(total.fewest_messages),
                f"{total.faults:,}", str(total.fewest_faults), str(total.failures), f"{total.cpu_hours:.2f}",
                f"{total.seeds_per_cpu_hour:,.0f}",
            )
            for total in totals(read_ledger(ledger))
        ),
    )  # fmt: skip
    print(f"{seeds / seconds * 3_600:,.0f} worlds an hour.")
    if failures:
        print(f"{len(failures)} broke a promise. To see one: kassiber sim replay {failures[0][0]} --crypto {crypto}")
    return 1 if failures else 0


@app.command
def replay(
    script: Annotated[str, Parameter(help="A seed, or a file that --save wrote.")],
    /,
    *,
    crypto: Crypto = "toy",
    shrink: Annotated[bool, Parameter(help="Leave out every line that can be spared.")] = False,
    save: Annotated[Path | None, Parameter(help="Write the script here.")] = None,
) -> int:
    """Carry out one world again, and say what is done to it and what came of it."""
    from msgspec import DecodeError

    from simulations import shrink as shrinking
    from simulations.script import Shape, decode, draw
    from simulations.trial import carry_out

    if script.isdecimal():
        chosen = draw(int(script), Shape(), real_crypto=crypto == "real")
    elif Path(script).is_file():
        try:
            chosen = decode(Path(script).read_bytes())
        except (DecodeError, ValueError) as error:
            raise CallerError(f"{script} is no script that --save wrote: {error}.") from None
    else:
        raise NoInputError(f"{script!r} is neither a seed (a number) nor a file.")
    if shrink:
        chosen = shrinking.shrink(chosen, lambda left: print(f"{left} lines break it still", flush=True))
    outcome = carry_out(chosen)
    for line in chosen.lines:
        print(line)
    print(
        f"trace {outcome.trace}, {outcome.accepted} messages (those above, and last words in the end), "
        f"healed after {outcome.healed_seconds:g} s"
    )
    print(outcome.violation or "Every promise held.")
    if save is not None:
        try:
            save.write_bytes(chosen.encode())
        except OSError as error:
            raise CallerError(f"{save} cannot be written: {error.strerror}. Choose another file with --save.") from None
    return 1 if outcome.violation else 0


Folder = Annotated[Path, Parameter(help="Where tables and pictures go, in place of those that are there.")]
Dask = Annotated[str | None, Parameter(help='The address of a Dask scheduler, or "local": runs go there.')]
Seeds = Annotated[
    int | None, Parameter(help="How many runs of each (default: as the scenario says).", validator=_AT_LEAST_ONE)
]


@app.command
def run(
    scenario: Annotated[Path, Parameter(help="A scenario file (TOML).")],
    /,
    *,
    out: Folder = Path("results"),
    seeds: Seeds = None,
    processes: Processes = 0,
    dask: Dask = None,
) -> int:
    """Carry out a scenario, and print what it shows each observer: mean and 95 % interval over its seeds."""
    return _study(scenario, (), out, seeds, processes, dask)


@app.command
def sweep(
    scenario: Annotated[Path, Parameter(help="A scenario file (TOML).")],
    /,
    *,
    vary: Annotated[list[str], Parameter(negative="", help="topology.people=10,20,50; several of them are combined.")],
    out: Folder = Path("results"),
    figure: Annotated[str | None, Parameter(help="Draw this figure against what is varied first.")] = None,
    seeds: Seeds = None,
    processes: Processes = 0,
    dask: Dask = None,
) -> int:
    """Carry out a scenario with other values in the place of some of its own."""
    across = vary[0].partition("=")[0].strip()
    if figure is not None:
        _need_numbers(vary[0])
    code = _study(scenario, vary, out, seeds, processes, dask, figure)
    if figure is not None:
        _draw(out, figure, across, out / _file_name(figure), None)
    return code


@app.command
def plot(
    table: Annotated[Path, Parameter(help="The folder of a run or sweep, or its table.")],
    /,
    *,
    figure: Annotated[str, Parameter(help='Which figure, as the table names it: "AUC", say.')],
    across: Annotated[str, Parameter(help="What was varied, or window_seconds.")] = "window_seconds",
    observer: Annotated[str | None, Parameter(help="Of one observer only.")] = None,
    out: Annotated[Path | None, Parameter(help="The picture, without its ending.")] = None,
) -> None:
    """Draw a figure as SVG and PNG."""
    folder = table if table.is_dir() else table.parent
    _draw(table, figure, across, out or folder / _file_name(figure), observer)


def _study(
    scenario: Path, vary: Sequence[str], out: Path, seeds: int | None, processes: int, dask: str | None,
    figure: str | None = None,
) -> int:  # fmt: skip
    """`figure`: that is wanted of it. Raises UsageError before anything runs: none of its measures gives that."""
    import os
    import sys

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    _need_arrays()
    from simulations.results import make_folder, read_table, summarise, write_table
    from simulations.statistics import LEAST_RUNS
    from simulations.sweeping import carry_out_all, plan

    jobs = plan(scenario, vary, seeds)
    if figure is not None:
        _need_figure(figure, {measure for job in jobs for measure in job.study.adversary.measures})
    make_folder(out)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, disable=not sys.stdout.isatty()) as bar:
        task = bar.add_task("runs", total=len(jobs))
        try:
            rows = carry_out_all(jobs, processes or os.cpu_count() or 1, dask, lambda: bar.advance(task))
        except MemoryError:
            raise CallerError(
                f"{scenario} needs more memory than there is. Fewer topology.people or workload.hours need less; so do "
                "fewer runs at once: --processes 1."
            ) from None
    if not rows:
        raise CallerError(f'{scenario}: these measures found nothing to tell. Add "cost" to adversary.measures.')
    parquet, csv = write_table(rows, out)
    summary = summarise(read_table(parquet)).rows(named=True)
    print_table(
        ("CHANGED", "OBSERVER", "WATCHED", "FIGURE", "MEAN", "95 %", "RUNS"),
        (
            (
                row["changes"], row["observer"], f"{row['window_seconds'] / 60:g} min" if row["window_seconds"] else "",
                row["figure"], f"{row['mean']:.4g}",
                "" if row["half_width"] is None else f"± {row['half_width']:.2g}", str(row["runs"]),
            )
            for row in summary
        ),
    )  # fmt: skip
    if any(row["half_width"] is None for row in summary):
        each = len({job.seed for job in jobs})
        more = f"--seeds {LEAST_RUNS if each < LEAST_RUNS else 3 * each}"
        found = "" if each < LEAST_RUNS else f", and some of {each} runs had too little to tell a figure"
        print(f"An interval needs {LEAST_RUNS} runs of the same, each with another seed{found}: {more}.")
    print(f"{len(jobs)} runs are in {parquet} and {csv}.")
    return 0


def _draw(table: Path, figure: str, across: str, out: Path, observer: str | None) -> None:
    _need_arrays()
    from simulations.plotting import plot as draw
    from simulations.results import make_folder, read_table

    make_folder(out.parent)
    svg, png = draw(read_table(table), figure, across, out, observer)
    print(f"Drawn: {svg} and {png}")


def _need_figure(figure: str, measures: set[str]) -> None:
    """Raises UsageError."""
    from simulations.measures import FIGURES

    known = [name for measure, names in FIGURES.items() if measure in measures for name in names]
    if figure not in known:
        raise UsageError(
            f"--figure {figure!r} is none of what adversary.measures give here: {', '.join(map(repr, known))}."
        )


def _need_numbers(varied: str) -> None:
    """Of what a figure is to be drawn against. Raises UsageError."""
    key, equals, values = varied.partition("=")
    for value in values.split(",") if equals else ():
        try:
            float(value)
        except ValueError:
            raise UsageError(
                f"--figure is drawn against what is varied first, {key}, and {value!r} is no number. "
                "Vary a number first, or leave --figure out, and draw afterwards: kassiber sim plot"
            ) from None


def _file_name(figure: str) -> str:
    """Of a picture: letters, digits and hyphens."""
    return "-".join("".join(letter if letter.isalnum() else " " for letter in figure).split()).lower()


def _need_arrays() -> None:
    from importlib.util import find_spec

    missing = [name for name in ("numpy", "scipy", "polars", "matplotlib") if find_spec(name) is None]
    if missing:
        raise CallerError(
            f"Measuring needs {', '.join(missing)}, which this installation is without. "
            "Install Kassiber with its extra, in the folder of its source: pip install -e '.[simulation]'."
        )
