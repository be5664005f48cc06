"""`kassiber up`: the node, in the foreground."""

import logging
import signal
import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from node.cli.profiles import HERE, Where

if TYPE_CHECKING:
    from node.profile import Profile
    from node.settings import Settings
    from node.store.keys import DataKey

Place = Annotated[
    str | None,
    Parameter(
        help="Listen at address:port, so that contacts reach this node directly; to last, set it in settings.toml."
    ),
]

_OPTIONS = ("listen", "public", "discovery", "forward", "proxy", "isolation", "traffic")
"""That a setting of the same name has, too."""


def up(
    *,
    listen: Place = None,
    public: Annotated[
        str | None, Parameter(help="What contacts are told instead (name:port), where the address differs outside.")
    ] = None,
    discovery: Annotated[
        bool | None,
        Parameter(help="Find contacts on the local network, and be found by them: only where you trust the network."),
    ] = None,
    forward: Annotated[
        bool | None,
        Parameter(help="Reach contacts' relays by your own only, so that they do not see this machine's address."),
    ] = None,
    proxy: Annotated[
        str | None,
        Parameter(help="Make every connection by this SOCKS5 proxy: socks5://127.0.0.1:9050 is Tor's. '' for none."),
    ] = None,
    isolation: Annotated[
        str | None,
        Parameter(
            help="contact: connections for each contact, so that no relay ties them together; a number: for each of "
            "so many groups of contacts; or none."
        ),
    ] = None,
    traffic: Annotated[
        str | None,
        Parameter(help="How links send: direct, batched, constant, constant-4, constant-16. See settings.toml too."),
    ] = None,
    where: Where = HERE,
) -> None:
    """Run the node until it is stopped (Ctrl-C or SIGTERM). Other commands talk to it."""
    from msgspec.structs import replace

    from node.cli.serving import prepare_process
    from node.last_run import remember
    from node.profile import locked
    from node.settings import (
        check_hidden,
        check_told,
        parse_isolation,
        parse_place,
        parse_proxy_setting,
        parse_traffic,
        read_settings,
    )
    from protocol.timing import Timing

    prepare_process(logging.WARNING)
    profile = where.open()
    settings = saved = read_settings(profile.settings)
    if listen is not None:
        settings = replace(settings, listen=parse_place(listen, "--listen"))
    if public is not None:
        settings = replace(settings, public=parse_place(public, "--public"))
    if discovery is not None:
        settings = replace(settings, discovery=discovery)
    if forward is not None:
        settings = replace(settings, forward=forward)
    if proxy is not None:
        settings = replace(settings, proxy=parse_proxy_setting(proxy, "--proxy"))
    if isolation is not None:
        settings = replace(settings, isolation=parse_isolation(isolation, "--isolation"))
    if traffic is not None:
        settings = replace(settings, traffic=parse_traffic(traffic, "--traffic"))
    check_told(settings)
    check_hidden(settings)
    if settings.timing != Timing():
        print("Durations differ from the defaults: settings.toml changes them.", file=sys.stderr)
    with locked(profile):
        remember(profile.last_run, saved, settings)
        changed = [name for name in _OPTIONS if getattr(settings, name) != getattr(saved, name)]
        if changed:
            them = "it" if len(changed) == 1 else "them"
            print(f"For this run: {', '.join(changed)}. To last, set {them} in settings.toml.", file=sys.stderr)
        _run(profile, where.unlock(), settings)


def _run(profile: "Profile", data_key: "DataKey", settings: "Settings") -> None:
    import trio

    from node.cli.serving import serve

    async def until_stopped() -> None:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(serve, profile, data_key, settings, _say_started)
                async for _ in signals:
                    nursery.cancel_scope.cancel()

    trio.run(until_stopped)


def _say_started() -> None:
    print("The node runs. Ctrl-C stops it.", flush=True)
