"""Which hunts count together: those of the same code, whatever their commits."""

import shutil
import subprocess
import sys
from pathlib import Path

from simulations.hunt import Span, totals

ROOT = Path(__file__).resolve().parent.parent.parent


def test_spans_of_the_same_code_are_one_whatever_else_their_commits_changed() -> None:
    spans = [_span("older", "", 0), _span("one", "a", 1_000), _span("other", "b", 2_000), _span("two", "a", 3_000)]
    assert [(total.commit, total.seeds) for total in totals(spans)] == [("older", 10), ("two", 20), ("other", 10)]


def test_the_name_of_the_code_is_of_what_worlds_run_and_of_nothing_else(tmp_path: Path) -> None:
    for package in ("node", "protocol", "simulations"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "results"))
    names = [_code_name(tmp_path)]
    for file in ("node/cli/up.py", "protocol/bucket.py"):
        with (tmp_path / file).open("a") as code:
            code.write("\n# changed\n")
        names.append(_code_name(tmp_path))
    assert names[0] == names[1] != names[2]


def _code_name(place: Path) -> str:
    program = "from simulations.hunt import code_name; print(code_name())"
    return subprocess.run([sys.executable, "-c", program], cwd=place, check=True, capture_output=True, text=True).stdout


def _span(commit: str, code: str, first: int) -> Span:
    return Span(commit, "toy", first, 10, 560, 54, 12, {}, [], 2.0, "", code)
