"""The program as people run it: a process of its own, with a profile of its own and no terminal."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
KASSIBER = [sys.executable, "-c", "from node.cli import main; main()"]


def environment(directory: Path) -> dict[str, str]:
    """Everything that a profile in this directory and its node need."""
    (directory / "run").mkdir(exist_ok=True)
    kept = {name: os.environ[name] for name in os.environ.keys() - {"CREDENTIALS_DIRECTORY", "PYTHONUNBUFFERED"}}
    return kept | {
        "KASSIBER_PROFILE": str(directory / "profile"),
        "XDG_RUNTIME_DIR": str(directory / "run"),
        "PYTHONPATH": str(ROOT),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        "COLUMNS": "100",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }


def kassiber(
    directory: Path, *arguments: str | bytes, stdin: bytes = b"", more: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Runs one command to its end; a new session, so that there is no terminal to ask on."""
    return subprocess.run(
        [*KASSIBER, *arguments],
        input=stdin,
        capture_output=True,
        cwd=directory,
        env=environment(directory) | (more or {}),
        timeout=60,
        start_new_session=True,
        check=False,
    )


@contextmanager
def running(directory: Path, command: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that says that it is ready by a first line; ended at the end of the block."""
    started = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=directory,
        env=environment(directory),
        start_new_session=True,
    )
    with started:
        try:
            assert started.stdout is not None
            assert started.stdout.readline(), started.stderr.read() if started.stderr else b""
            yield started
        finally:
            started.kill()
