"""Many runs of a study and its variations: on the cores of this machine, or on a Dask cluster.

A run is a pure function of study and seed, so it does not matter where it is done, or in which order.
"""

import itertools
import re
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import as_completed
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from protocol.errors import CallerError
from simulations.study import Study, read_study
from simulations.workers import workers

_COMMA = re.compile(r",(?![^\[]*\])")
"""Between values; not inside of a list."""


class Job(NamedTuple):
    """One run."""

    study: Study
    changes: str
    seed: int


def plan(path: Path, vary: Sequence[str] = (), seeds: int | None = None) -> list[Job]:
    """Every combination of `vary` (`topology.people=10,20,50`), with every seed. Raises CallerError.

    A list is a value too: `adversary.measures=["cost"],["cost","size"]`.
    """
    axes: list[list[tuple[str, str]]] = []
    for text in vary:
        key, equals, values = text.partition("=")
        written = [value.strip() for value in _COMMA.split(values)]
        if any(value.count("[") != value.count("]") for value in written):
            raise CallerError(
                f"{text!r}: brackets that do not close, or lists in lists. Lists are values like others: "
                'adversary.measures=["cost"],["cost","size"]'
            )
        if not equals or not values:
            raise CallerError(f"{text!r} says nothing to vary: it should look like topology.people=10,20,50")
        axes.append([(key.strip(), value) for value in written])
        if any(len(value.split()) != 1 for _, value in axes[-1]):
            raise CallerError(f"{text!r}: a value that is varied is one word or number, without spaces.")
        if len(set(axes[-1])) < len(axes[-1]):
            raise CallerError(f"{text!r} has a value twice: the same runs would count twice. For more runs: --seeds N")
    keys = [axis[0][0] for axis in axes]
    if doubled := next((key for key in keys if keys.count(key) > 1), None):
        raise CallerError(f"{doubled} is varied twice. Write all of its values at once: {doubled}=10,20,50")
    jobs: list[Job] = []
    for chosen in itertools.product(*axes):
        study = read_study(path, dict(chosen))
        changes = " ".join(f"{key}={value}" for key, value in chosen)
        count = study.run.seeds if seeds is None else seeds
        jobs += [Job(study, changes, study.run.first_seed + number) for number in range(count)]
    return jobs


def carry_out(job: Job) -> list[dict[str, object]]:
    """The rows of one run, in whatever process this is called."""
    from simulations.measures import measure  # noqa: PLC0415 - a process that only plans needs no arrays
    from simulations.results import Origin, to_rows  # noqa: PLC0415

    if job.study.run.engine == "machines":
        from simulations import steady  # noqa: PLC0415

        run, trace = steady.carry_out(job.study, job.seed)
    else:
        from simulations import modelled  # noqa: PLC0415

        run, trace = modelled.carry_out(job.study, job.seed), ""
    return to_rows(Origin(job.study, job.changes, job.seed, trace), measure(job.study, run, job.seed))


def carry_out_all(
    jobs: Sequence[Job], processes: int, dask: str | None = None,
    done: Callable[[], object] = lambda: None,
) -> list[dict[str, object]]:  # fmt: skip
    """The rows of all runs, in the order of the jobs. `dask`: the address of a scheduler, or "local" for one here."""
    results: dict[int, list[dict[str, object]]] = {}
    with closing(_on_dask(jobs, dask) if dask is not None else _on_pool(jobs, processes)) as finished:
        for number, rows in finished:
            results[number] = rows
            done()
    return [row for number in range(len(jobs)) for row in results[number]]


Finished: TypeAlias = Generator[tuple[int, list[dict[str, object]]], None, None]
"""Numbers of jobs, and their rows, as they end."""


def _on_pool(jobs: Sequence[Job], processes: int) -> Finished:
    if processes == 1 or len(jobs) == 1:
        yield from ((number, carry_out(job)) for number, job in enumerate(jobs))
        return
    with workers(processes) as pool:
        numbers = {pool.submit(carry_out, job): number for number, job in enumerate(jobs)}
        for future in as_completed(numbers):
            yield numbers[future], future.result()


def _on_dask(jobs: Sequence[Job], address: str) -> Finished:
    distributed: Any = import_module("distributed")  # untyped, and only wanted here
    local = distributed.LocalCluster(threads_per_worker=1, dashboard_address=":0") if address == "local" else None
    try:
        scheduler = distributed.Client(address if local is None else local)
    except (OSError, ValueError) as error:
        raise CallerError(f'--dask {address}: no scheduler answers there ({error}). Name one, or "local".') from None
    with scheduler as client:
        numbers = {client.submit(carry_out, job, pure=False): number for number, job in enumerate(jobs)}
        for future in distributed.as_completed(list(numbers)):
            yield numbers[future], future.result()
    if local is not None:
        local.close()
