"""A saturating load beside another one: `python -m tests.benchmarks.bulk PORT KEY` deposits until it is ended."""

import os
import sys

from protocol.keys import RelayKey
from tests.benchmarks.process import CLIENT_CORE, pin
from tests.benchmarks.relay import Depositing, Shape


class _Relay:
    """What `Depositing` needs of a relay that somebody else runs."""

    def __init__(self, port: int, key: RelayKey) -> None:
        self.port = port
        self.key = key


def main() -> None:
    pin(CLIENT_CORE)
    os.nice(10)  # the live load keeps its own time
    relay = _Relay(int(sys.argv[1]), RelayKey(bytes.fromhex(sys.argv[2])))
    load = Depositing(relay, Shape(8, 16, 8), 320_000)
    print("ready", flush=True)
    load.run()


if __name__ == "__main__":
    main()
