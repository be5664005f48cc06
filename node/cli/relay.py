"""`kassiber relay`: keeps envelopes for others."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def relay(
    *,
    directory: Annotated[Path, Parameter(help="Where its key and its database are; made if missing.")],
    listen: Annotated[
        list[str] | None, Parameter(negative="", help="address:port, 0.0.0.0:4040 if not given; repeat for several.")
    ] = None,
    public: Annotated[
        str | None, Parameter(help="name:port under which others reach it; wss://name:port behind TLS.")
    ] = None,
) -> None:
    """Run a relay until it is stopped (Ctrl-C or SIGTERM).

    The first line that it prints is its address, for `kassiber init --relay`. Durations may be set in settings.toml in
    its directory.
    """
    from node.logs import configure_logs
    from node.relay import run_relay
    from node.settings import read_settings
    from protocol.timing import Timing

    configure_logs()
    timing = read_settings(directory / "settings.toml").timing
    if timing != Timing():
        print("Durations differ from the defaults: settings.toml changes them.", file=sys.stderr)
    run_relay(directory.resolve(), listen or ["0.0.0.0:4040"], public, _say_started, timing)


def _say_started(address: str) -> None:
    print(address, flush=True)
