"""Looks for a seed that breaks a promise: worlds by the hundred thousand, on all cores, resumed where it was stopped.

What was run is kept in a ledger, a line of JSON for each span of seeds; the same seed is never counted twice for the
same code. `totals` adds it up.
"""

import gc
import hashlib
import logging
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path

from msgspec import DecodeError, Struct, json

from protocol.errors import CallerError
from simulations.script import Shape, draw
from simulations.trial import carry_out
from simulations.workers import workers

SPAN_SEEDS = 1_000
"""How many seeds a process carries out before it reports."""


class Span(Struct, frozen=True):
    """A line of the ledger: seeds `first` to `first + count - 1`, all carried out by one commit's code."""

    commit: str
    crypto: str
    first: int
    count: int
    messages: int
    """Accepted; each was shown exactly once where nothing failed."""
    fewest_messages: int
    """In one world."""
    fewest_faults: int
    """That struck one world."""
    faults: dict[str, int]
    """How often each kind struck."""
    failures: list[tuple[int, str]]
    """Seeds that broke a promise, and which."""
    cpu_seconds: float
    trace: str
    """Hash over the traces of all its seeds."""
    code: str = ""
    """`code_name()` of what ran. Empty in lines that are older than it: then the commit says which code it was."""

    @property
    def ran(self) -> str:
        """What tells its code from others."""
        return self.code or self.commit


def carry_out_span(commit: str, code: str, crypto: str, first: int, count: int, shape: Shape | None = None) -> Span:
    """In this process."""
    logging.disable(logging.WARNING)  # full disks are what is asked for
    gc.collect()  # what the span before left would be kept for good
    gc.freeze()
    began = time.process_time()
    faults: Counter[str] = Counter()
    failures: list[tuple[int, str]] = []
    messages = 0
    fewest_messages = fewest_faults = 2**31
    traces = hashlib.blake2b(digest_size=16)
    for seed in range(first, first + count):
        try:
            outcome = carry_out(draw(seed, shape or Shape(), real_crypto=crypto == "real"))
        except Exception as error:  # noqa: BLE001 - the other seeds of the span go on
            failures.append((seed, f"{type(error).__name__}: {error}"))
            continue
        faults.update(outcome.fired)
        messages += outcome.accepted
        fewest_messages = min(fewest_messages, outcome.accepted)
        fewest_faults = min(fewest_faults, sum(outcome.fired.values()))
        traces.update(outcome.trace.encode())
        if outcome.violation:
            failures.append((seed, outcome.violation))
    return Span(
        commit, crypto, first, count, messages, fewest_messages, fewest_faults, dict(sorted(faults.items())), failures,
        time.process_time() - began, traces.hexdigest(), code,
    )  # fmt: skip


def hunt(ledger: Path, crypto: str, count: int, processes: int, first: int | None = None) -> Iterator[Span]:
    """Carry out `count` seeds that no code has seen, or from `first`, where this one has not; each span when done.

    Stopped in the middle, it loses at most the spans under way.
    """
    commit, code = commit_name(), code_name()
    spans = [span for span in read_ledger(ledger) if span.crypto == crypto]
    seen = {span.first for span in spans if span.ran == code}
    start = first if first is not None else max((span.first + span.count for span in spans), default=0)
    try:
        ledger.open("ab").close()
    except OSError as error:
        raise CallerError(
            f"{ledger} can hold no ledger: {error.strerror}. Choose another file with --ledger."
        ) from None
    spans_left = [at for at in range(start, start + count, SPAN_SEEDS) if at not in seen]
    with workers(processes) as pool, ledger.open("ab") as file:
        waiting = iter(spans_left)
        running: set[Future[Span]] = set()
        while True:
            while len(running) <= processes and (at := next(waiting, None)) is not None:
                size = min(SPAN_SEEDS, start + count - at)
                running.add(pool.submit(carry_out_span, commit, code, crypto, at, size))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                span = future.result()
                file.write(json.encode(span) + b"\n")
                file.flush()
                yield span


def read_ledger(ledger: Path) -> list[Span]:
    """Every line; nothing where there is no file. Raises CallerError: a line is none of a ledger's."""
    if not ledger.exists():
        return []
    spans: list[Span] = []
    for number, line in enumerate(ledger.read_bytes().splitlines(), 1):
        try:
            spans.append(json.decode(line, type=Span))
        except DecodeError as error:
            raise CallerError(
                f"{ledger}, line {number}, says nothing of a hunt ({error}). Remove it, and hunt on."
            ) from None
    return spans


class Total(Struct, frozen=True):
    """What the ledger says of one code and crypto."""

    commit: str
    """The last one that had this code."""
    crypto: str
    seeds: int
    messages: int
    fewest_messages: int
    fewest_faults: int
    faults: int
    failures: int
    cpu_hours: float
    seeds_per_cpu_hour: float


def totals(spans: Iterable[Span]) -> list[Total]:
    """In the order in which their codes come in the ledger."""
    groups: dict[tuple[str, str], list[Span]] = {}
    for span in spans:
        groups.setdefault((span.ran, span.crypto), []).append(span)
    return [_total(group) for group in groups.values()]


def _total(spans: list[Span]) -> Total:
    seeds, cpu = sum(span.count for span in spans), sum(span.cpu_seconds for span in spans)
    return Total(
        spans[-1].commit, spans[-1].crypto, seeds, sum(span.messages for span in spans),
        min(span.fewest_messages for span in spans), min(span.fewest_faults for span in spans),
        sum(sum(span.faults.values()) for span in spans), sum(len(span.failures) for span in spans),
        cpu / 3_600, seeds / cpu * 3_600,
    )  # fmt: skip


def commit_name() -> str:
    """Of the code that runs: 12 hexadecimal digits, `+` behind where files differ from it; elsewhere `unknown`."""
    here = Path(__file__).parent
    try:
        name = _git(here, "rev-parse", "--short=12", "HEAD")
        code = ("../node", "../protocol", ".", ":(exclude)results", ":(exclude)scenarios")
        changed = _git(here, "status", "--porcelain", "--", *code)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name + "+" * bool(changed)


def code_name() -> str:
    """Of all the code that a world runs: 16 hexadecimal digits, the same for commits between which none of it changed.

    A hash over the files of this project that carrying out a seed imports, in a process of its own.
    """
    root = Path(__file__).resolve().parent.parent
    listing = "import sys, simulations.trial\nfor m in sys.modules.values(): print(getattr(m, '__file__', None) or '')"
    told = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", listing], cwd=root, check=True, capture_output=True, text=True
    )
    packages = [root / name for name in ("node", "protocol", "simulations")]
    code = hashlib.sha256()
    for file in sorted(Path(line).resolve() for line in told.stdout.splitlines() if line):
        if any(package in file.parents for package in packages):
            code.update(f"{file.relative_to(root)}\n".encode() + file.read_bytes())
    return code.hexdigest()[:16]


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(  # noqa: S603 - our own words
        ["git", *arguments],  # noqa: S607
        cwd=folder, check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
