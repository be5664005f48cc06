"""What the repository holds: the files that git tracks, and the parsed modules of our packages."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("node", "protocol", "simulations")


@cache
def tracked() -> tuple[str, ...]:
    """Paths relative to the root, as git names them; skips where this is no checkout."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return tuple(name for name in listed.stdout.split("\0") if name and (ROOT / name).exists())


def texts() -> Iterator[tuple[str, str]]:
    """Path and text of each tracked file that is text."""
    for name in tracked():
        try:
            yield name, (ROOT / name).read_text("utf-8")
        except UnicodeDecodeError:
            continue


def modules(*packages: str) -> Iterator[tuple[str, ast.Module]]:
    """Path and syntax tree of each tracked Python file of these top-level folders."""
    for name, text in texts():
        if name.endswith(".py") and name.split("/")[0] in packages:
            yield name, ast.parse(text, name)
