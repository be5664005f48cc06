"""Fuzzes one target in this process, which ends with it: `python -m tests.fuzz.one TARGET SECONDS FOLDER`.

libFuzzer under atheris watches which branches an input takes in our packages, and in those that parse HTTP and
WebSocket. A finding is printed with its traceback and left in FOLDER as `found-…`; the corpus that it learnt stays in
FOLDER/corpus for the next run.
"""

import hashlib
import logging
import sys
import time
from pathlib import Path
from random import Random

import structlog

INSTRUMENTED = ["protocol", "node", "h11", "wsproto", "trio_websocket"]


def guided(name: str, seconds: int, folder: Path) -> None:
    """Never returns: libFuzzer ends the process, with 0 where nothing was found."""
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED, enable_loader_override=False):
        from tests.fuzz.targets import TARGETS, attempt
    target = TARGETS[name]
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    # One input may take 10 s and let the process grow to 2 GiB; more is a finding too.
    options = [f"-max_total_time={seconds}", f"-max_len={target.longest}", f"-artifact_prefix={folder}/found-"]
    options += ["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=0"]

    def run(data: bytes) -> None:
        attempt(target, data)

    atheris.Setup([sys.argv[0], *options, str(corpus)], run)
    atheris.Fuzz()


def unguided(name: str, seconds: int, folder: Path) -> None:
    """Random mutation of the seeds. Raises the first finding."""
    from tests.fuzz.mutation import mutants
    from tests.fuzz.targets import TARGETS, attempt

    target, deadline, runs = TARGETS[name], time.monotonic() + seconds, 0
    for data in mutants(target.seeds, target.longest, Random(name)):
        try:
            attempt(target, data)
        except BaseException:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"found-{hashlib.sha256(data).hexdigest()[:16]}").write_bytes(data)
            raise
        runs += 1
        if time.monotonic() > deadline:
            break
    print(f"stat::number_of_executed_units: {runs}", file=sys.stderr)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    (guided if sys.argv[4] == "guided" else unguided)(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
