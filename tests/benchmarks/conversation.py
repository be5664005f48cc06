"""Conversation: from one node's local API to the event at the other's, over a relay; each message durable at all three

Three processes and this one, on the same two cores; both people are online. Policy *direct*.
"""

import json
import statistics
import tempfile
import threading
import time
from pathlib import Path

from node.cli.stage import Stage, staged
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


def measure(full: bool, only: str) -> list[Row]:
    """Twenty seconds; `full` changes nothing."""
    with tempfile.TemporaryDirectory() as directory, staged(Path(directory)) as stage:
        stage.accept("bob", stage.invite("alice"), "alice")
        took = _converse(stage)
    shape = f"{PER_SECOND}/s, {MESSAGES:,} messages, single"
    rows = [
        Row("API to event p50", shape, statistics.median(took), "ms", most=8),
        Row("API to event p99", shape, statistics.quantiles(took, n=100)[98], "ms", most=15),
        Row("API to event, longest", shape, max(took), "ms"),
    ]
    return [row for row in rows if only in row.name]
