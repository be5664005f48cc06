"""`python -m simulations.mutants`: is each of the changes noticed, and after how many worlds?"""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from simulations.hunt import commit_name
from simulations.mutants.catalogue import CATALOGUE
from simulations.mutants.ledger import Ledger
from simulations.mutants.mutant import ROOT
from simulations.mutants.probe import Finding
from simulations.mutants.report import Result, describe, render
from simulations.mutants.run import AS_IT_IS_REAL, AS_IT_IS_TOY, run, tasks

app = App(name="python -m simulations.mutants", help="Break the code on purpose, and see whether the worlds notice.")


@app.default
def main(
    *,
    name: Annotated[list[str] | None, Parameter(help="Only these mutants.", negative="")] = None,
    seeds: Annotated[int, Parameter(help="Worlds until a mutant counts as not noticed.")] = 1_000,
    processes: Annotated[int, Parameter(help="How many at once (default: one a core).")] = 0,
    ledger: Annotated[Path | None, Parameter(help="Keep findings here, and go on where they end.")] = None,
    results: Annotated[Path, Parameter(help="Where a run of all is written down.")] = ROOT
    / "simulations/results/mutants.md",
) -> int:
    """Probe every mutant and the code as it is, or only what is named."""
    commit = commit_name()
    chosen = [mutant for mutant in CATALOGUE if name is None or mutant.name in name]
    found: dict[str, Finding] = {}
    todo = tasks(chosen, seeds, as_it_is=name is None)
    for one, finding in run(todo, processes or os.cpu_count() or 1, Ledger(ledger)):
        found[one] = finding
        print(f"{one}: {describe(finding)}", flush=True)
    caught = sum(bool(found[mutant.name].checker) for mutant in chosen)
    as_it_is = {one: found[one] for one in (AS_IT_IS_TOY, AS_IT_IS_REAL) if one in found}
    print(f"{caught} of {len(chosen)} noticed.")
    if name is None:
        text = render(commit, seeds, as_it_is, [Result(mutant, found[mutant.name]) for mutant in CATALOGUE])
        results.write_text(text, "utf-8")
    return 0 if caught == len(chosen) and not any(finding.checker for finding in as_it_is.values()) else 1


if __name__ == "__main__":
    app()
