"""Somebody who reads `chat --json`, and goes on after the last complete line when the node or the chat was killed."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

LEFT = {69, 77}
"""The node ended, or was gone already: to be started again once it is back."""


class Follower:
    """What one person was shown, in its order, across any number of processes."""

    def __init__(self, profile: Path, environment: dict[str, str]) -> None:
        self.cursor = 0
        self.shown: list[dict[str, Any]] = []
        """Rows of the timeline."""
        self.states: dict[str, list[str]] = {}
        """Of each own message, the states that were told, in order."""
        self.begun = 0
        self.failure: AssertionError | None = None
        self._profile = profile
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None

    def ensure(self) -> None:
        """Run, where it does not. The node must be there."""
        if self._process is not None and self._process.poll() is None:
            return
        self.end()
        words = ["chat", "1", "--json", "--after", str(self.cursor), "--profile", str(self._profile)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "node.cli", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
            start_new_session=True,
        )
        self.begun += 1
        self._thread = threading.Thread(target=self._read, args=[self._process.stdout])
        self._thread.start()

    def kill(self) -> None:
        """With -9, in the middle of a line perhaps. Does not wait."""
        if self._process is not None:
            self._process.kill()

    def end(self) -> None:
        """Kill and wait; what was printed is read to its last complete line."""
        if self._process is None or self._thread is None:
            return
        left = self._process.poll()
        self._process.kill()
        self._thread.join()
        assert self._process.stderr is not None
        complaint = self._process.stderr.read()
        self._process.stderr.close()
        self._process.wait()
        self._process = self._thread = None
        if self.failure is not None:
            raise self.failure
        assert left is None or left < 0 or left in LEFT, (left, complaint)

    def _read(self, lines: Any) -> None:
        with lines:
            for line in lines:
                if line.endswith(b"\n") and self.failure is None:
                    try:
                        self._take(json.loads(line))
                    except AssertionError as error:  # raised again by whoever ends this follower
                        self.failure = error

    def _take(self, change: dict[str, Any]) -> None:
        assert change["change"] > self.cursor, "a change number came twice, or out of order"
        self.cursor = change["change"]
        if change["kind"] == "message":
            self.shown.append(change)
        else:
            self.states.setdefault(change["message_id"], []).append(change["state"])
