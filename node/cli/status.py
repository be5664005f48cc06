"""`kassiber status`: how the running node stands."""

import sys
from typing import Any

from node.api.client import Client
from node.cli.exits import OK, UNAVAILABLE
from node.cli.profiles import HERE, Json, Where
from node.cli.terminal import clock, counted, print_json, visible


def status(*, json: Json = False, where: Where = HERE) -> int:
    """Show name, relays, contacts and what is waiting. Ends with 69 where no node is running."""
    profile = where.open()
    client = Client(profile)
    running = client.is_running()
    if not running:
        if json:
            print_json({"running": False, "profile": str(profile.directory)})
        print(f"No node is running on {profile.directory}. Start one: kassiber up{where.words}", file=sys.stderr)
        return UNAVAILABLE
    found = client.request("GET", "/v1/status")
    if json:
        print_json({"running": True, "profile": str(profile.directory)} | found)
    else:
        _print(found, where.words)
    return OK


def _print(found: dict[str, Any], words: str) -> None:
    print(f"Name      {visible(found['name'] or '(none: nobody is told one)')}")
    print(f"Contacts  {found['contacts']}, {found['unread']} unread")
    print(f"Waiting   {counted(found['queued'], 'message')} that no relay has yet")
    ways = "by your own relays only" if found["forward"] else "straight"
    by = f"; by the proxy {visible(found['proxy'])}" if found["proxy"] else ""
    print(f"Traffic   {found['traffic']}; contacts' relays are reached {ways}{by}")
    if found["direct"]:
        print(f"Direct    {found['direct']}")
    for relay in found["relays"]:
        since = f" since {clock(relay['since'])}" if relay["since"] else ""
        why = f": {visible(relay['error'])}" if relay["error"] else ""
        print(f"Relay     {visible(relay['host'])} {relay['state']}{since}{why}")
    if not found["relays"]:
        print(f"Relay     none: kassiber relays add ADDRESS{words}")
