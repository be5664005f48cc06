"""`python -m simulations.mutants`: is each of the changes noticed, and after how many worlds?"""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from simulations.hunt import commit_name
from simulations.mutants.catalogue import CATALOGUE
from simulations.mutants.mutant import ROOT
from simulations.mutants.probe import Finding
from simulations.mutants.report import Result, describe, render
from simulations.mutants.run import probe_copy, run

app = App(name="python -m simulations.mutants", help="Break the code on purpose, and see whether the worlds notice.")


@app.default
def main(
    *,
    name: Annotated[list[str] | None, Parameter(help="Only these mutants.", negative="")] = None,
    seeds: Annotated[int, Parameter(help="Worlds until a mutant counts as not noticed.")] = 1_000,
    processes: Annotated[int, Parameter(help="How many at once (default: one a core).")] = 0,
    results: Annotated[Path, Parameter(help="Where a run of all is written down.")] = ROOT
    / "simulations/results/mutants.md",
) -> int:
    """Probe every mutant, or those that are named; the code as it is comes first in a run of all."""
    commit = commit_name()
    chosen = [mutant for mutant in CATALOGUE if name is None or mutant.name in name]
    as_it_is: dict[str, Finding] = {}
    if name is None:
        as_it_is = {"toy": probe_copy(None, seeds, "toy"), "real": probe_copy(None, max(1, seeds // 10), "real")}
        for crypto, finding in as_it_is.items():
            print(f"the code as it is, {crypto} crypto: {describe(finding)}", flush=True)
    found: dict[str, Finding] = {}
    for mutant, finding in run(chosen, seeds, processes or os.cpu_count() or 1):
        found[mutant.name] = finding
        print(f"{mutant.name}: {describe(finding)}", flush=True)
    caught = sum(bool(finding.checker) for finding in found.values())
    print(f"{caught} of {len(chosen)} noticed.")
    if name is None:
        text = render(commit, seeds, as_it_is, [Result(mutant, found[mutant.name]) for mutant in CATALOGUE])
        results.write_text(text, "utf-8")
    return 0 if caught == len(chosen) and not any(finding.checker for finding in as_it_is.values()) else 1


if __name__ == "__main__":
    app()
