"""Puts mutants into copies of the code, one each, and has each copy probed in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from msgspec import json

from simulations.mutants.ledger import Ledger
from simulations.mutants.mutant import Crypto, Mutant, copy_code
from simulations.mutants.probe import Finding

AS_IT_IS_TOY = "the code as it is, toy crypto"
AS_IT_IS_REAL = "the code as it is, real crypto"
REAL_IS_DEARER = 10
"""Worlds of toy crypto for one of real."""


def probe_copy(mutant: Mutant | None, seeds: int, crypto: Crypto) -> Finding:
    """What `seeds` worlds make of a mutant, or of the code as it is. Raises CallerError where it no longer fits."""
    with TemporaryDirectory(prefix="kassiber-mutant-") as folder:
        copy_code(Path(folder), mutant)
        done = subprocess.run(  # noqa: S603 - our own words
            [sys.executable, "-m", "simulations.mutants.probe", crypto, str(seeds)],
            cwd=folder, env=os.environ | {"PYTHONPATH": folder}, capture_output=True, text=True,
        )  # fmt: skip
    try:
        return json.decode(done.stdout, type=Finding)
    except ValueError:
        return Finding(1, "crash", (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1])


class Task(NamedTuple):
    """One copy to be probed."""

    name: str
    mutant: Mutant | None
    seeds: int
    crypto: Crypto


def tasks(mutants: Iterable[Mutant], seeds: int, *, as_it_is: bool) -> list[Task]:
    """The code as it is (`as_it_is`) under both kinds of crypto, which takes longest; then the mutants."""
    found = [Task(mutant.name, mutant, seeds, mutant.crypto) for mutant in mutants]
    if as_it_is:
        found[:0] = [
            Task(AS_IT_IS_TOY, None, seeds, "toy"),
            Task(AS_IT_IS_REAL, None, max(1, seeds // REAL_IS_DEARER), "real"),
        ]
    return found


def run(todo: Iterable[Task], processes: int, ledger: Ledger) -> Iterator[tuple[str, Finding]]:
    """By name: what the ledger has, then the others, each as it is done."""
    with ThreadPoolExecutor(processes) as pool:
        waiting: dict[Future[Finding], Task] = {}
        for task in todo:
            known = ledger.find(task.name, task.mutant, task.seeds)
            if known is not None:
                yield task.name, known
            else:
                waiting[pool.submit(probe_copy, task.mutant, task.seeds, task.crypto)] = task
        for future in as_completed(waiting):
            task, finding = waiting[future], future.result()
            ledger.add(task.name, task.mutant, task.seeds, finding)
            yield task.name, finding
