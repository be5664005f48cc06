"""`kassiber relay`: keeps envelopes for others."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from node.cli.exits import NoInputError

if TYPE_CHECKING:
    from node.relay import ServedRelay


def relay(
    *,
    directory: Annotated[Path, Parameter(help="Where its key and its database are; made if missing.")],
    listen: Annotated[
        list[str] | None, Parameter(negative="", help="address:port, 0.0.0.0:4040 if not given; repeat for several.")
    ] = None,
    public: Annotated[
        str | None, Parameter(help="name:port under which others reach it; wss://name:port behind TLS.")
    ] = None,
    relay_list: Annotated[
        Path | None,
        Parameter(name="--list", help="A signed list of relays to offer; `kassiber relays sign` makes one."),
    ] = None,
    forward: Annotated[
        Literal["public", "any", "none"],
        Parameter(help="To which other relays it carries what nodes give it for them: 'any' are those of a LAN, too."),
    ] = "public",
    proxy: Annotated[
        str | None, Parameter(help="Reach those by this SOCKS5 proxy: with Tor's, onion addresses too.")
    ] = None,
    cards: Annotated[
        bool, Parameter(negative="", help="Keep cards: people are found here under a name that they chose.")
    ] = False,
) -> None:
    """Run a relay until it is stopped (Ctrl-C or SIGTERM).

    The first line that it prints is its address, for `kassiber init --relay`; the second, where it offers a list of
    relays, the link for `kassiber relays follow`. A newer list is offered after a restart. Durations may be set
    in settings.toml in its directory.
    """
    from node.logs import configure_logs
    from node.relay import run_relay
    from node.settings import parse_proxy_setting, read_settings
    from protocol.timing import Timing

    if relay_list is not None and not relay_list.is_file():
        raise NoInputError(f"{relay_list} is no file. A list to offer is made by: kassiber relays sign")
    configure_logs()
    timing = read_settings(directory / "settings.toml").timing
    if timing != Timing():
        print("Durations differ from the defaults: settings.toml changes them.", file=sys.stderr)
    way = parse_proxy_setting(proxy, "--proxy") if proxy is not None else None
    places = listen or ["0.0.0.0:4040"]
    run_relay(directory.resolve(), places, public, _say_started, timing, relay_list, forward, way, cards)


def _say_started(served: "ServedRelay") -> None:
    print(served.address, flush=True)
    if served.list_link is not None:
        print(served.list_link, flush=True)
