"""Puts mutants into copies of the code, one each, and has each copy probed in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import json

from simulations.mutants.mutant import Crypto, Mutant, copy_code
from simulations.mutants.probe import Finding

AS_IT_IS_TOY = "the code as it is, toy crypto"
AS_IT_IS_REAL = "the code as it is, real crypto"
REAL_IS_DEARER = 10
"""Worlds of toy crypto for one of real."""


def probe_copy(mutant: Mutant | None, seeds: int, crypto: Crypto = "toy") -> Finding:
    """What `seeds` worlds make of a mutant, or of the code as it is. Raises CallerError where it no longer fits."""
    with TemporaryDirectory(prefix="kassiber-mutant-") as folder:
        copy_code(Path(folder), mutant)
        chosen = mutant.crypto if mutant is not None else crypto
        done = subprocess.run(  # noqa: S603 - our own words
            [sys.executable, "-m", "simulations.mutants.probe", chosen, str(seeds)],
            cwd=folder, env=os.environ | {"PYTHONPATH": folder}, capture_output=True, text=True,
        )  # fmt: skip
    try:
        return json.decode(done.stdout, type=Finding)
    except ValueError:
        return Finding(1, "crash", (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1])


def run(mutants: Iterable[Mutant], seeds: int, processes: int, *, as_it_is: bool) -> Iterator[tuple[str, Finding]]:
    """By name, each as it is done; with the code as it is (`as_it_is`) under both kinds of crypto."""
    with ThreadPoolExecutor(processes) as pool:
        waiting: dict[Future[Finding], str] = {}
        if as_it_is:
            waiting[pool.submit(probe_copy, None, seeds, "toy")] = AS_IT_IS_TOY
            waiting[pool.submit(probe_copy, None, max(1, seeds // REAL_IS_DEARER), "real")] = AS_IT_IS_REAL
        waiting |= {pool.submit(probe_copy, mutant, seeds): mutant.name for mutant in mutants}
        for future in as_completed(waiting):
            yield waiting[future], future.result()
