"""`python -m tests.benchmarks [SECTION …] [--full]` prints a table for each section; 1 if a promise is missed."""

import argparse
import importlib
import os
import platform
import sys
from collections.abc import Sequence

from tests.benchmarks.reference import factor
from tests.benchmarks.table import Row, render

SECTIONS = ("reference", "envelope", "relay", "policies", "mailbox", "conversation", "simulations")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; all if none")
    parser.add_argument("--full", action="store_true", help="also what takes minutes and gigabytes")
    parser.add_argument("--only", default="", help="rows whose name holds this")
    chosen = parser.parse_args(arguments)
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores,", end=" ")
    print(f"load before {os.getloadavg()[0]:.1f}, {factor():.2f} × as slow as the reference")
    missed = False
    for name in chosen.sections or SECTIONS:
        section = importlib.import_module(f"tests.benchmarks.{name}")
        rows: list[Row] = section.measure(full=chosen.full, only=chosen.only)
        print(f"\n{str(section.__doc__).splitlines()[0]}\n")
        print("\n".join(render(rows, factor())), flush=True)
        missed = missed or not all(row.kept for row in rows)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
