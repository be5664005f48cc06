"""Conversation: from one node's local API to the event at the other's, over a relay; each message durable at all three

Three processes and this one, on the same two cores; both people are online. Policy *direct*.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from node.cli.stage import NAMES, PROGRAM, Stage, staged
from tests.benchmarks import envelope, floors
from tests.benchmarks.reference import measured, microseconds
from tests.benchmarks.table import Row

PER_SECOND = 50
MESSAGES = 1_000


class _Arrivals(threading.Thread):
    """Reads the other node's stream of changes, noting when each text comes."""

    def __init__(self, stage: Stage, name: str) -> None:
        super().__init__(daemon=True)
        self.times: dict[str, float] = {}
        after = stage.ask(name, "GET", "/v1/status")["last_change"]
        self._stream = stage.client(name).changes(after)

    def run(self) -> None:
        for line in self._stream:
            now = time.perf_counter()
            if line and (change := json.loads(line))["kind"] == "message":
                self.times[change["text"]] = now
                if len(self.times) == MESSAGES:
                    return


def _converse(stage: Stage) -> list[float]:
    """Milliseconds of each message."""
    arrivals = _Arrivals(stage, "bob")
    arrivals.start()
    client = stage.client("alice")
    sent: dict[str, float] = {}
    begun = time.perf_counter()
    for number in range(MESSAGES):
        time.sleep(max(0.0, begun + number / PER_SECOND - time.perf_counter()))
        text = f"message {number}"
        sent[text] = time.perf_counter()
        client.request("POST", "/v1/messages", {"contact": 1, "text": text})
    arrivals.join(timeout=30)
    return [(arrivals.times[text] - at) * 1e3 for text, at in sent.items()]


def _seconds(*words: str, environment: Mapping[str, str]) -> float:
    begun = time.perf_counter()
    subprocess.run(
        [*PROGRAM, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        check=True,
        timeout=20,
    )
    return time.perf_counter() - begun


def _commands(stage: Stage) -> list[Row]:
    """What a person at the command line waits for; both as processes of their own, each the median of ten."""
    environment = stage.environment
    words = ("send", *stage.profile_words("alice"), NAMES["bob"], "a text")
    bare = [_bare_seconds(environment) for _ in range(10)]
    helped = [_seconds("--help", environment=environment) for _ in range(10)]
    sent = [_seconds(*words, environment=environment) for _ in range(10)]
    return [
        Row("floor: start Python, import nothing", "a process", statistics.median(bare) * 1e3, "ms"),
        Row("kassiber --help", "a process", statistics.median(helped) * 1e3, "ms", most=200),
        Row("kassiber send, until relayed", "through a running node", statistics.median(sent) * 1e3, "ms", most=500),
    ]


def _bare_seconds(environment: Mapping[str, str]) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", ""], env=environment, check=True, timeout=20)
    return time.perf_counter() - begun


def _floor() -> float:
    """Milliseconds of what cannot be left out: three commits, one after the other, a sealed envelope, four frames."""
    commits = 2 * statistics.median(floors.mailbox_commit_milliseconds())
    commits += statistics.median(floors.relay_commit_milliseconds())
    bare = measured()
    frames = 4 * 2 * bare["ChaCha20-Poly1305, 4 KiB"]
    sealing = microseconds(envelope.bare_one_way())
    return commits + (frames + sealing) / 1e3


def measure(full: bool, only: str) -> list[Row]:
    """Half a minute; `full` changes nothing."""
    with tempfile.TemporaryDirectory() as directory, staged(Path(directory)) as stage:
        stage.accept("bob", stage.invite("alice"), "alice")
        took = _converse(stage)
        commands = _commands(stage)
    shape = f"{PER_SECOND}/s, {MESSAGES:,} messages, single"
    rows = [
        Row("floor: three commits, one envelope, four frames", "one after the other", _floor(), "ms"),
        Row("API to event p50", shape, statistics.median(took), "ms", most=8),
        Row("API to event p99", shape, statistics.quantiles(took, n=100)[98], "ms", most=15),
        Row("API to event, longest", shape, max(took), "ms"),
        *commands,
    ]
    return [row for row in rows if only in row.name]
