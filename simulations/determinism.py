"""`python -m simulations.determinism`: one seed gives one trace, in every process and under every hash seed.

Each world is carried out in a process of its own that does nothing else, once under each of three PYTHONHASHSEEDs: what
depends on the order of a set, on an address or on what ran before shows as another trace hash.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

HASH_SEEDS = ("0", "1", "4242")
Program = Callable[[int], Sequence[str]]


class Traces(NamedTuple):
    """Of one seed, the trace hash under each of `HASH_SEEDS`."""

    seed: int
    traces: tuple[str, ...]

    @property
    def agree(self) -> bool:
        """Whether all are one."""
        return len(set(self.traces)) == 1


def world(seed: int) -> Sequence[str]:
    """The program that carries out a seed's world with the toy suite, and prints its trace hash."""
    return (sys.executable, "-m", "simulations.determinism", "--world", str(seed))


def trace(seed: int, program: Program = world) -> Traces:
    """A seed's traces, each from a fresh process. Raises CalledProcessError where one of them fails."""
    return Traces(seed, tuple(_run(program(seed), hash_seed) for hash_seed in HASH_SEEDS))


def trace_all(seeds: Sequence[int], processes: int, program: Program = world) -> Iterator[Traces]:
    """In the order of the seeds, so many at once."""
    with ThreadPoolExecutor(processes) as pool:
        yield from pool.map(partial(trace, program=program), seeds)


def _run(command: Sequence[str], hash_seed: str) -> str:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run(  # noqa: S603 - our own words
        command, env=environment, stdout=subprocess.PIPE, check=True, text=True
    )
    return done.stdout.strip()


def main(arguments: Sequence[str], program: Program = world) -> int:
    """The exit status: 1 where a seed has more than one trace."""
    if arguments[:1] == ["--world"]:
        return _carry_out(int(arguments[1]))
    import argparse  # noqa: PLC0415 - not in each of thousands of processes
    import hashlib  # noqa: PLC0415
    import time  # noqa: PLC0415

    parser = argparse.ArgumentParser(prog="python -m simulations.determinism", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, help="how many; default 1,000")
    parser.add_argument("--first", type=int, default=0, help="begin with this seed; default 0")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="at once; default: one a core")
    chosen = parser.parse_args(arguments)
    began, different, together = time.perf_counter(), 0, hashlib.blake2b(digest_size=16)
    for found in trace_all(range(chosen.first, chosen.first + chosen.seeds), chosen.processes, program):
        together.update("".join(found.traces).encode())
        if not found.agree:
            different += 1
            named = ", ".join(map(" ".join, zip(HASH_SEEDS, found.traces, strict=True)))
            print(f"seed {found.seed}: different traces under PYTHONHASHSEED {named}", flush=True)
    print(
        f"{chosen.seeds:,} seeds from {chosen.first:,}, each in a fresh process under PYTHONHASHSEED "
        f"{', '.join(HASH_SEEDS)}: {different or 'none'} with different traces; all traces together "
        f"{together.hexdigest()}; {time.perf_counter() - began:.0f} s."
    )
    return 1 if different else 0


def _carry_out(seed: int) -> int:
    import logging  # noqa: PLC0415

    from simulations.script import Shape, draw  # noqa: PLC0415
    from simulations.trial import carry_out  # noqa: PLC0415

    logging.disable(logging.WARNING)  # full disks are what is asked for
    print(carry_out(draw(seed, Shape())).trace)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
