"""One change of the real code, and a copy of the code that has it."""

import shutil
from pathlib import Path
from typing import Literal

from msgspec import Struct

from protocol.errors import CallerError

PACKAGES = ("protocol", "node", "simulations")
ROOT = Path(__file__).parents[2]
"""Where the packages lie that are copied."""

Crypto = Literal["toy", "real"]


class Mutant(Struct, frozen=True):
    """`old`, which occurs once in `file`, becomes `new`; so code that has moved on is noticed, not missed."""

    name: str
    file: str
    """Below the root, with slashes."""
    promise: str
    """What it breaks, as a sentence."""
    old: str
    new: str
    crypto: Crypto = "toy"
    survives: str = ""
    """Why no world notices it, where none does."""

    @property
    def subject(self) -> str:
        """The module that it changes, shortly: `delivery/outbox`."""
        return self.file.partition("/")[2].removesuffix(".py")


def changed_text(mutant: Mutant, root: Path = ROOT) -> str:
    """The file as the mutant has it. Raises CallerError where the mutant no longer fits the code."""
    text = (root / mutant.file).read_text("utf-8")
    found = text.count(mutant.old)
    if found != 1:
        raise CallerError(f"{mutant.name}: its text occurs {found} times in {mutant.file}, not once.")
    return text.replace(mutant.old, mutant.new)


def copy_code(target: Path, mutant: Mutant | None) -> None:
    """Put the packages into `target`, an empty folder; with the mutant, where one is given. Raises CallerError."""
    changed = changed_text(mutant) if mutant is not None else ""
    for package in PACKAGES:
        left_out = shutil.ignore_patterns("__pycache__", "web", "results")
        shutil.copytree(ROOT / package, target / package, ignore=left_out)
    if mutant is not None:
        (target / mutant.file).write_text(changed, "utf-8")
