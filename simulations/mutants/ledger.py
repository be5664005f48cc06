"""What was found out already: a run that was stopped goes on where it was, as long as the code is the same.

A line of JSON for each finding. What it depends on is hashed: all code that a world runs, and the mutant.
"""

import hashlib
from pathlib import Path

from msgspec import Struct, json

from simulations.mutants.mutant import PACKAGES, ROOT, Mutant
from simulations.mutants.probe import Finding


class Kept(Struct, frozen=True):
    """A finding, and of what: 32 hexadecimal digits over code and mutant."""

    of: str
    name: str
    most_seeds: int
    finding: Finding


def code_digest(root: Path = ROOT) -> bytes:
    """16 bytes over every module that a copy has; of the mutants' own, only what probes."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(path for package in PACKAGES for path in (root / package).rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if not name.startswith("simulations/mutants/") or name.endswith("/probe.py"):
            digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.digest()


class Ledger:
    """A file of findings; without one, nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._code = code_digest()
        lines = path.read_bytes().splitlines() if path is not None and path.exists() else []
        self._kept = {(kept.of, kept.most_seeds): kept.finding for kept in (json.decode(x, type=Kept) for x in lines)}

    def find(self, name: str, mutant: Mutant | None, most_seeds: int) -> Finding | None:
        """What was found with as many seeds."""
        return self._kept.get((self._digest(name, mutant), most_seeds))

    def add(self, name: str, mutant: Mutant | None, most_seeds: int, finding: Finding) -> None:
        """At once in the file."""
        if self._path is not None:
            with self._path.open("ab") as file:
                file.write(json.encode(Kept(self._digest(name, mutant), name, most_seeds, finding)) + b"\n")

    def _digest(self, name: str, mutant: Mutant | None) -> str:
        what = name if mutant is None else f"{mutant.file}\0{mutant.old}\0{mutant.new}\0{mutant.crypto}"
        return hashlib.blake2b(self._code + what.encode(), digest_size=16).hexdigest()
