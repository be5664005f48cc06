"""The program in another place or time: with connections from an address of its own, or a wall clock that can jump.

    python -m tests.journeys.launcher [--source ADDRESS] [--clock FILE] -- COMMAND...

FILE holds the seconds by which this process' wall clock is wrong; it is read whenever the clock is.
"""

import argparse
import time
from functools import partial
from pathlib import Path

import trio


def main() -> None:
    """Set up, then be `kassiber`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", help="the local address of every connection that is dialled")
    parser.add_argument("--clock", type=Path)
    parser.add_argument("words", nargs="*")
    asked = parser.parse_args()
    if asked.source is not None:
        trio.open_tcp_stream = partial(trio.open_tcp_stream, local_address=asked.source)
    if asked.clock is not None:
        right = time.time
        time.time = lambda: right() + float(asked.clock.read_text(encoding="ascii"))

    from node.cli.app import run

    raise SystemExit(run(asked.words))


if __name__ == "__main__":
    main()
