"""What a run of all mutants came to, as a page of Markdown."""

from collections.abc import Sequence
from typing import NamedTuple

from simulations.mutants.mutant import Mutant
from simulations.mutants.probe import Finding


class Result(NamedTuple):
    """A mutant and what the worlds made of it."""

    mutant: Mutant
    finding: Finding


def describe(finding: Finding) -> str:
    """For a line of a terminal."""
    if not finding.checker:
        return f"nothing noticed in {finding.seeds:,} worlds"
    return f"noticed after {finding.seeds:,} by {finding.checker}: {finding.what}"


def render(commit: str, seeds: int, as_it_is: dict[str, Finding], results: Sequence[Result]) -> str:
    """The whole page."""
    caught = [result for result in results if result.finding.checker]
    soon = sorted(result.finding.seeds for result in caught)
    lines = [
        "# Sensitivity: changes of the real code that the worlds must notice",
        "",
        f"Written by `python -m simulations.mutants --seeds {seeds}` at commit `{commit}`. Each row is one change of",
        "the code, put into a copy of it; the copy's worlds are carried out from seed 0 until one of them breaks a",
        "promise, raises, or does not end. What lies below the store (lost fsyncs, torn writes, cut logs,",
        "flipped bits) is not mutated here: it is tried on real files, under `simulations/disk`.",
        "",
        f"**{len(caught)} of {len(results)} noticed ({len(caught) / len(results):.1%})**"
        + (f"; half of them within {soon[len(soon) // 2]} worlds, the last after {soon[-1]}." if soon else "."),
        "",
        *(f"* {one}: {describe(finding)}" for one, finding in as_it_is.items()),
        "",
        "| mutant | in | promise | worlds | noticed by |",
        "| --- | --- | --- | --- | --- |",
        *(_row(result) for result in results),
        "",
    ]
    survivors = [result.mutant for result in results if not result.finding.checker]
    if survivors:
        lines += ["## Not noticed", ""]
        lines += [f"* `{mutant.name}`: {mutant.survives or 'not explained yet.'}" for mutant in survivors]
        lines += [""]
    return "\n".join(lines)


def _row(result: Result) -> str:
    mutant, finding = result
    noticed = finding.checker or "**nobody**"
    return f"| {mutant.name} | {mutant.subject} | {mutant.promise} | {finding.seeds:,} | {noticed} |"
