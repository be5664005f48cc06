"""`python -m simulations.determinism`: each seed in a process of its own under three PYTHONHASHSEEDs, and its traces.

An interpreter is started for each hash seed and loads the code; every seed is then carried out by a process that is
forked from it for this seed alone.
"""

import argparse
import logging
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

HASH_SEEDS = ("0", "1", "4242")


def trace_of(seed: int) -> str:
    """Of the world of a seed, carried out in this process."""
    from simulations.script import Shape, draw  # noqa: PLC0415 - the process that compares needs none of it
    from simulations.trial import carry_out  # noqa: PLC0415

    logging.disable(logging.WARNING)  # full disks are what is asked for
    outcome = carry_out(draw(seed, Shape()))
    return f"{outcome.trace} {outcome.violation}"


def traces(seeds: Sequence[int], hash_seed: str, processes: int) -> Iterator[tuple[int, str]]:
    """(seed, trace and what was broken) of each, in their order."""
    command = [sys.executable, "-m", "simulations.determinism", "--processes", str(processes)]
    command += ["--traces", f"{seeds[0]}:{seeds[-1] + 1}"]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as running:  # noqa: S603 - itself
        assert running.stdout is not None
        for line in running.stdout:
            seed, _, trace = line.rstrip("\n").partition(" ")
            yield int(seed), trace
    if running.returncode:
        raise RuntimeError(f"the traces under PYTHONHASHSEED={hash_seed} ended with code {running.returncode}")


def differences(seeds: Sequence[int], processes: int) -> list[str]:
    """A sentence for each seed that did not give one trace; empty where all did."""
    found: list[str] = []
    columns = [dict(traces(seeds, hash_seed, processes)) for hash_seed in HASH_SEEDS]
    for seed in seeds:
        of_seed = [column.get(seed) for column in columns]
        if None in of_seed or len(set(of_seed)) > 1:
            found.append(f"seed {seed}: {', '.join(map(str, of_seed))}")
    return found


def _print_traces(first: int, end: int, processes: int) -> None:
    import simulations.trial  # noqa: F401, PLC0415 - loaded once, before the first fork

    with multiprocessing.get_context("fork").Pool(processes, maxtasksperchild=1) as pool:
        seeds = range(first, end)
        for seed, trace in zip(seeds, pool.imap(trace_of, seeds, chunksize=1), strict=True):
            print(seed, trace, flush=True)


def main() -> int:
    """1 where a seed gave two traces."""
    parser = argparse.ArgumentParser(prog="python -m simulations.determinism", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="begin with this seed")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="how many at once")
    parser.add_argument("--traces", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.traces:
        first, end = map(int, chosen.traces.split(":"))
        _print_traces(first, end, chosen.processes)
        return 0
    began = time.perf_counter()
    seeds = range(chosen.first, chosen.first + chosen.seeds)
    found = differences(seeds, chosen.processes)
    for one in found:
        print(one)
    print(
        f"{chosen.seeds:,} seeds from {chosen.first}, each in {len(HASH_SEEDS)} processes of its own under"
        f" PYTHONHASHSEED {', '.join(HASH_SEEDS)}: {len(found)} gave two traces. {time.perf_counter() - began:.0f} s."
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
