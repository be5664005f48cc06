"""Fuzzes every decoder: `python -m tests.fuzz [--seconds N] [target…]`.

N seconds in all, shared by the targets; an hour finds what a minute does not. Exit code 1 where something was found.
"""

import argparse
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

from tests.fuzz.targets import TARGETS

FOLDER = Path(".fuzz")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzzes every decoder.")
    parser.add_argument("--seconds", type=int, default=60, help="in all, shared by the targets (60)")
    parser.add_argument("--unguided", action="store_true", help="without coverage to guide it: starts at once")
    parser.add_argument("targets", nargs="*", metavar="target", help=f"of: {', '.join(TARGETS)} (all)")
    arguments = parser.parse_args()
    names = arguments.targets or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    mode = "guided" if importlib.util.find_spec("atheris") and not arguments.unguided else "unguided"
    if mode == "unguided" and not arguments.unguided:
        print("No atheris for this Python on this platform: random mutation, without coverage to guide it.")
    shares = {name: TARGETS[name].share for name in names}
    unit = arguments.seconds / sum(shares.values())
    return 1 if [name for name in names if not fuzz(name, max(1, round(unit * shares[name])), mode)] else 0


def fuzz(name: str, seconds: int, mode: str) -> bool:
    """Whether the target stood `seconds` of it; prints a line, and what was found."""
    command = [sys.executable, "-m", "tests.fuzz.one", name, str(seconds), str(FOLDER / name), mode]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )
    runs = re.search(r"number_of_executed_units: *(\d+)", done.stderr)
    print(f"{name:24}{int(runs[1]) if runs else 0:>12,} inputs in {seconds} s", "" if done.returncode == 0 else "FOUND")
    if done.returncode != 0:
        said = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("INFO: Instrumenting")]
        print("\n".join(said)[-8_000:])
        print(f"The input is in {FOLDER / name}; once mended, keep it in tests/fuzz/found/{name}-….bin.")
    sys.stdout.flush()
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
