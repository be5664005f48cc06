"""People on machines of their own: a local network, and another way, without multicast, to two relays elsewhere."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from node.cli.stage import PROGRAM, STEP_SECONDS, opened
from protocol.timing import Timing
from tests.journeys.journey import Journey
from tests.node.discovery.namespaces import Wire, wire

RELAYS = ("relay-1", "relay-2")


class Apart(Journey):
    """Each program on a machine of its own."""

    machines: dict[str, str]
    local: Wire

    def program(self, name: str) -> Sequence[str]:
        return ["ip", "netns", "exec", self.machines[name], *PROGRAM]

    def relays(self, how: signal.Signals) -> None:
        for relay in RELAYS:
            os.kill(self.pid(relay), how)


@contextmanager
def set_apart(place: Path, timing: Timing, *words: str) -> Iterator[Apart]:
    """Alice and Bob, whose nodes run with these options."""
    with wire() as local, wire("uplink", "10.98.0") as uplink, opened(Apart(place, timing)) as journey:
        journey.local = local
        journey.machines = {name: local.plug(name) for name in ("alice", "bob")}
        for machine in journey.machines.values():
            uplink.connect(machine, multicast=False)
        journey.machines |= {name: uplink.plug(name) for name in RELAYS}
        for number, relay in enumerate(RELAYS, 3):
            journey.start_relay(relay, "--listen", f"10.98.0.{number}:7443")
        for name in ("alice", "bob"):
            journey.make_person(name)
            journey.start_node(name, *words)
        yield journey


class Visible:
    """A person at `kassiber meet --json`."""

    def __init__(self, journey: Apart, name: str, *words: str) -> None:
        command = [*journey.program(name), "meet", "--json", *words, *journey.profile_words(name)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=journey.environment,
        )  # fmt: skip
        self.lines: list[str] = []
        assert self.process.stdout is not None
        threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True).start()

    def _read(self, stream: IO[str]) -> None:
        for line in iter(stream.readline, ""):
            self.lines.append(line.strip())

    def states(self) -> list[dict[str, Any]]:
        """All so far."""
        return [json.loads(line) for line in [*self.lines] if line.startswith("{")]

    def until(self, condition: Callable[[dict[str, Any]], Any], seconds: float = STEP_SECONDS) -> dict[str, Any]:
        """The first state of which it is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for state in self.states():
                if condition(state):
                    return state
            time.sleep(0.05)
        raise AssertionError(self.lines)

    def says(self, word: str, seconds: float = STEP_SECONDS) -> None:
        """Wait for words on standard error."""
        end = time.monotonic() + seconds
        while not any(word in line for line in self.lines):
            assert time.monotonic() < end, self.lines
            time.sleep(0.05)

    def sees(self, name: str) -> int:
        """The number of somebody."""
        state = self.until(lambda state: any(row["name"] == name for row in state["people"]))
        return next(int(row["person"]) for row in state["people"] if row["name"] == name)

    def types(self, line: str) -> None:
        """And the return key."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def code(self) -> str:
        """Six digits."""
        state = self.until(lambda state: state["call"] and state["call"]["code"])
        return str(state["call"]["code"])

    def ends(self) -> int:
        """Its exit code."""
        return self.process.wait(STEP_SECONDS)

    def interrupt(self) -> int:
        """Ctrl-C; its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.ends()
