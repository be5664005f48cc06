"""Carries out worlds in this process until one breaks: run in the folder of a changed copy of the code.

`python -m simulations.mutants.probe CRYPTO SEEDS` prints a line of JSON, a `Finding`.
"""

import gc
import logging
import signal
import sys

from msgspec import Struct, json

from simulations.script import Shape, draw
from simulations.trial import carry_out

MOST_CPU_SECONDS = 30.0
"""Of one world. It takes less than one; whatever needs so many does not come to rest."""


class Finding(Struct, frozen=True):
    """What the worlds made of a change."""

    seeds: int
    """How many were carried out, the last of which broke where `checker` is not empty."""
    checker: str
    """Which one noticed: of `simulations.checkers`, or `crash`, or `hang`."""
    what: str


class _Hang(BaseException):
    """Raised inside of a world that does not end; no `except Exception` may survive it."""


def _stop(_number: int, _frame: object) -> None:
    raise _Hang


def probe(crypto: str, seeds: int) -> Finding:
    """Worlds of seeds 0 to `seeds` - 1, or to the first that breaks a promise, raises, or does not end."""

    signal.signal(signal.SIGVTALRM, _stop)
    for seed in range(seeds):
        signal.setitimer(signal.ITIMER_VIRTUAL, MOST_CPU_SECONDS)
        try:
            violation = carry_out(draw(seed, Shape(), real_crypto=crypto == "real")).violation
        except _Hang:
            return Finding(seed + 1, "hang", f"seed {seed} did not end in {MOST_CPU_SECONDS:g} s")
        except Exception as error:  # noqa: BLE001 - whatever a changed machine raises is a finding, handed on
            return Finding(seed + 1, "crash", f"{type(error).__name__}: {error}")
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        if violation:
            checker, _, what = violation.partition(": ")
            return Finding(seed + 1, checker, what)
    return Finding(seeds, "", "")


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    gc.freeze()
    print(json.encode(probe(sys.argv[1], int(sys.argv[2]))).decode())
