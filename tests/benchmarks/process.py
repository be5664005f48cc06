"""A relay as a process of its own, pinned to core 0, and what the kernel says of it.

`python -m tests.benchmarks.process DIRECTORY` is that process: it prints its address, then how long it took from the
end of its imports until it served.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from protocol.wire.addresses import parse_address

RELAY_CORE, CLIENT_CORE = 0, 1
_TICKS = os.sysconf("SC_CLK_TCK")


class RelayProcess:
    """A running relay."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.process", str(directory)], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        host, self.key = parse_address(self._process.stdout.readline())
        self.port = host.port
        self.start_seconds = float(self._process.stdout.readline())

    def cpu_seconds(self) -> float:
        """Of all its threads, user and system, since it began; in steps of 10 ms."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident_kib(self) -> int:
        """Memory in use."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")

    def disk_bytes(self) -> int:
        """Of the database and its log."""
        return sum(file.stat().st_size for file in self.directory.glob("relay.db*") if "ballast" not in file.name)

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        if self._process.wait(timeout=30) != 0:
            raise AssertionError(f"the relay ended with {self._process.returncode}")


@contextlib.contextmanager
def running_relay(directory: Path) -> Iterator[RelayProcess]:
    relay = RelayProcess(directory)
    try:
        yield relay
    finally:
        relay.stop()


def pin(core: int) -> None:
    """This process to one core, where the system can."""
    if hasattr(os, "sched_setaffinity") and core in os.sched_getaffinity(0):
        os.sched_setaffinity(0, {core})


def main() -> None:
    pin(RELAY_CORE)
    from node.relay import ServedRelay, run_relay

    begun = time.perf_counter()

    def started(served: ServedRelay) -> None:
        print(served.address)
        print(time.perf_counter() - begun, flush=True)

    run_relay(Path(sys.argv[1]), ["127.0.0.1:0"], None, started)


if __name__ == "__main__":
    main()
