"""Processes that carry out runs: one a core, and none left behind."""

import multiprocessing
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager


@contextmanager
def workers(processes: int) -> Iterator[ProcessPoolExecutor]:
    """A pool. What goes wrong in the block, Ctrl-C among it, ends the runs under way at once, and those that wait."""
    before = {child.pid for child in multiprocessing.active_children()}
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _leave_interrupts_alone)
    try:
        yield pool
    except BaseException:
        for child in multiprocessing.active_children():
            if child.pid not in before:
                child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts_alone() -> None:
    """A terminal sends them to all its processes; the one that waits for the others ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
