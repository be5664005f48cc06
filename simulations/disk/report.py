"""What was run and what came of it, as Markdown that reads as well on a terminal."""

import platform
from collections.abc import Iterator, Mapping, Sequence

from node.api.status import installed_version
from simulations.disk.fault import Tally
from simulations.disk.kinds import KINDS, is_kept
from simulations.disk.library import Flavour, library

HEAD = ("kind", "seeds", "faults", "facts compared", "found", "failures", "seconds")
_MOST_FAILURES = 10
_FLAVOURS: tuple[Flavour, ...] = ("sqlite3", "sqlcipher3")


def render(tallies: Mapping[str, Tally], first: int, seeds: int) -> str:
    """The whole report; ends with a newline."""
    versions = ", ".join(f"SQLite {library(flavour).version} in {flavour}" for flavour in _FLAVOURS)
    lines = [
        "# What lies below the store",
        "",
        f"Written by `python -m simulations.disk --runs {seeds} --seed {first}`. Kassiber {installed_version()},",
        f"{platform.python_implementation()} {platform.python_version()}, {versions}, {platform.system()}.",
        "",
        *_table(tallies),
        "",
        "*Faults* are disks, logs, files or processes that were damaged, cut, refused or killed. *Facts compared* were",
        "said to somebody before and held against the files after. *Found*: on a disk that breaks its word, how often",
        "the comparison noticed, so that it is known to look. Odd seeds are encrypted, even ones plain.",
    ]
    for name, tally in tallies.items():
        lines += ["", f"## {name}: {KINDS[name].what}", "", *_details(name, tally)]
    return "\n".join(lines) + "\n"


def _table(tallies: Mapping[str, Tally]) -> Iterator[str]:
    rows = [HEAD, *(_row(name, tally) for name, tally in tallies.items())]
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEAD))]
    yield _line(rows[0], widths)
    yield "| " + " | ".join("-" * (width - (at > 0)) + ":" * (at > 0) for at, width in enumerate(widths)) + " |"
    for row in rows[1:]:
        yield _line(row, widths)


def _row(name: str, tally: Tally) -> Sequence[str]:
    found = f"{tally.found:,}" if KINDS[name].breaks_word else ""
    numbers = (tally.seeds, tally.faults, tally.checked)
    return (name, *(f"{number:,}" for number in numbers), found, f"{len(tally.failures):,}", f"{tally.seconds:,.0f}")


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
    return "| " + " | ".join(cells) + " |"


def _details(name: str, tally: Tally) -> Iterator[str]:
    for what, count in sorted(tally.seen.items()):
        yield f"- {what}: {count:,}"
    for seed, words in tally.failures[:_MOST_FAILURES]:
        yield f"- **FAILED**: {words}. Again: `python -m simulations.disk --kind {name} --runs 1 --seed {seed}`"
    if len(tally.failures) > _MOST_FAILURES:
        yield f"- and {len(tally.failures) - _MOST_FAILURES} failures more"
    if not tally.failures and not is_kept(KINDS[name], tally):
        yield "- **FAILED**: nothing was found on a disk that breaks its word"
