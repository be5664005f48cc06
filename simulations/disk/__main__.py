"""`python -m simulations.disk [--runs N] [--seed S] [--kind KIND …] [--write]`: 1 if a promise was not kept.

Runs N seeds of each kind, from S on, and says what came of them; a seed comes again exactly, but for kill-by-clock.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from protocol.errors import CallerError
from simulations.disk.kinds import KINDS, is_kept, run_kind
from simulations.disk.report import render

RESULTS = Path(__file__).parent.parent / "results" / "disk.md"


def main(arguments: Sequence[str]) -> int:
    """Exit code."""
    parser = argparse.ArgumentParser(prog="python -m simulations.disk", description=__doc__)
    parser.add_argument("--runs", type=int, default=20, metavar="N", help="seeds of each kind (20)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="the first one (0)")
    parser.add_argument("--kind", nargs="+", choices=list(KINDS), default=list(KINDS), help="all if not given")
    parser.add_argument("--directory", type=Path, help="where files are put meanwhile (memory, where there is some)")
    parser.add_argument("--write", action="store_true", help=f"keep the report in {RESULTS.parent.name}/{RESULTS.name}")
    chosen = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)  # what goes wrong on purpose need not be told
    tallies = {}
    try:
        for name in chosen.kind:
            print(f"{name} …", end=" ", file=sys.stderr, flush=True)
            tallies[name] = run_kind(KINDS[name], range(chosen.seed, chosen.seed + chosen.runs), chosen.directory)
            print(f"{tallies[name].seconds:.0f} s", file=sys.stderr)
        report = render(tallies, chosen.seed, chosen.runs)
    except CallerError as error:
        print(error, file=sys.stderr)
        return 2
    print(report, end="")
    if chosen.write:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(report, "utf-8")
    return 0 if all(is_kept(KINDS[name], tally) for name, tally in tallies.items()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
