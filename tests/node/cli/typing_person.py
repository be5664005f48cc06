"""Somebody at a terminal: a command on a pseudo-terminal of its own, answered prompt by prompt."""

import os
import pty
import select
import signal
import time
from pathlib import Path

from tests.node.cli.program import KASSIBER, environment


def type_into(
    directory: Path, arguments: list[str], *answers: str, more: dict[str, str] | None = None, seconds: float = 60.0
) -> tuple[int, str]:
    """Runs a command; each answer is typed once the output ends in a prompt (`: `). Exit code and what was shown."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(directory)
        os.execve(KASSIBER[0], [*KASSIBER, *arguments], environment(directory) | (more or {}))
    shown, waiting, end = b"", list(answers), time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    piece = os.read(terminal, 4_096)
                except OSError:  # Linux: the other side has ended
                    piece = b""
                if not piece:
                    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), shown.decode()
                shown += piece
            elif shown.endswith(b": ") and waiting:
                os.write(terminal, waiting.pop(0).encode() + b"\n")
                shown += b"\n"
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        raise AssertionError(f"still running after {seconds} s: {shown!r}")
    finally:
        os.close(terminal)
