"""`kassiber doctor`: says what is wrong, and what to do."""

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from node.api.client import Client
from node.api.errors import ApiError
from node.cli.exits import OK, UNAVAILABLE
from node.cli.profiles import HERE, Json, Where
from node.cli.terminal import counted, print_json, visible
from node.profile import Profile, ProfileInUseError, locked, runtime_directory
from protocol.errors import KassiberError

if TYPE_CHECKING:
    from node.settings import Settings

Level: TypeAlias = Literal["ok", "note", "wrong"]
Finding: TypeAlias = tuple[Level, str, str]
"""How bad, what is so, what to do. `{profile}`: what makes a command be about the profile in question."""

LEAST_FREE_BYTES = 200_000_000
LEAST_ENTRIES = 3
"""With as many, there is always an entry that is neither the destination nor where the answers come."""
LEAST_MISSED = 3
MOST_MISSED = 0.02
"""Part of the envelopes that a relay took: more than this is not bad luck."""
SLOW_SECONDS = 3.0
_SILENCE = {
    "multicast DNS": "Stop it where that matters: Avahi (systemctl disable --now avahi-daemon.socket avahi-daemon), or "
    "MulticastDNS=no in systemd's resolved.conf",
    "LLMNR": "Stop it where that matters: LLMNR=no in systemd's resolved.conf",
}
_LEVELS: dict[str, Level] = {"connected": "ok", "idle": "ok", "connecting": "note"}
_SIGNS = {"ok": "ok   ", "note": "note ", "wrong": "WRONG"}


def doctor(*, json: Json = False, where: Where = HERE) -> int:
    """Check profile, keys, settings, disk, node and relays. Ends with 69 if anything is wrong; asks for nothing."""
    wrong = False
    for level, what, advice in examine(where):
        remedy = advice.replace("{profile}", where.words)
        wrong = wrong or level == "wrong"
        if json:
            print_json({"level": level, "what": what, "remedy": remedy or None})
        else:
            print(f"{_SIGNS[level]} {visible(what)}")
            if remedy:
                print(f"        {visible(remedy)}")
    return UNAVAILABLE if wrong else OK


def examine(where: Where) -> Iterator[Finding]:
    """From the disk outwards; what cannot be looked into because of something earlier is left out."""
    try:
        profile = where.open()
    except KassiberError as error:
        yield _wrong(error)
        return
    yield "ok", f"The profile is {profile.directory}", ""
    yield from _keys(profile)
    yield from _settings(profile)
    yield from _disk(profile)
    yield from _node(profile)


def _keys(profile: Profile) -> Iterator[Finding]:
    from node.store.keys import CredentialSlot, KeyRingSlot, PassphraseSlot, read_slots

    names = {PassphraseSlot: "a passphrase", CredentialSlot: "a credential file", KeyRingSlot: "the key ring"}
    try:
        slots = read_slots(profile.keys)
    except KassiberError as error:
        yield _wrong(error)
        return
    yield "ok", f"It is unlocked by {' or '.join(names[type(slot)] for slot in slots)}", ""
    if len(slots) == 1 and isinstance(slots[0], KeyRingSlot):
        yield "note", "Without the key ring nothing unlocks it", "Set a passphrase too: kassiber passphrase{profile}"


def _settings(profile: Profile) -> Iterator[Finding]:
    from node.settings import check_hidden, read_settings
    from protocol.timing import Timing

    try:
        settings = read_settings(profile.settings)
        check_hidden(settings)
    except KassiberError as error:
        yield _wrong(error)
        return
    if settings.proxy is not None:
        yield from _proxy(settings)
    if settings.isolated:
        yield "ok", "Each contact has connections of its own", ""
        if settings.proxy is None:
            what = "Without a proxy they all come from this machine's address, which ties them together"
            yield "note", what, 'Set one, as proxy = "socks5://localhost:9050"'
    if settings.timing == Timing():
        yield "ok", "The settings are valid", ""
    else:
        yield "note", "Durations differ from the defaults", f"Wanted? They are set in {profile.settings}"


def _proxy(settings: "Settings") -> Iterator[Finding]:
    """Whether it is there; what it does with a connection, the node's relays show."""
    import trio

    from node.entropy import SystemEntropy
    from node.transport.proxy import Proxy

    assert settings.proxy is not None
    proxy = Proxy(settings.proxy, SystemEntropy(), apart=settings.isolated)
    try:
        trio.run(proxy.check)
    except KassiberError as error:
        what = f"All connections are made by the proxy {proxy.place}, but {error}"
        yield "wrong", what, "Start it, or correct proxy in settings.toml. Nothing is sent past it meanwhile"
        return
    yield "ok", f"All connections are made by the proxy {proxy.place}", ""
    if settings.listen is not None:
        yield "note", f"Contacts are told {settings.public}", "It should be an onion address, or it shows this machine"


def _disk(profile: Profile) -> Iterator[Finding]:
    free = shutil.disk_usage(profile.directory).free
    if free < LEAST_FREE_BYTES:
        yield "wrong", f"The disk has {free // 1_000_000} MB left", "Free some space: messages cannot be stored without"
    else:
        yield "ok", f"The disk has {free // 1_000_000_000} GB left", ""
    for path in (profile.keys, profile.mailbox, profile.relay):
        if path.exists() and path.stat().st_mode & 0o077:
            yield "wrong", f"{path} is open to other users", f"chmod 600 {path}"


def _node(profile: Profile) -> Iterator[Finding]:
    client = Client(profile)
    try:
        if client.is_running():
            yield "ok", "The node runs", ""
            yield from _running(client.request("GET", "/v1/status"), client.request("GET", "/v1/contacts")["contacts"])
            yield from _relays(client.request("GET", "/v1/relays")["relays"])
            yield from _lists(client.request("GET", "/v1/relay-lists")["lists"])
            return
        with locked(profile):
            yield "note", "No node is running: nothing is received", "Start it: kassiber up{profile}"
    except ProfileInUseError:
        yield (
            "wrong",
            "A process holds the profile, but no node answers",
            f"It is starting or stuck, or runs with another runtime directory than {runtime_directory()}",
        )
    except (ApiError, KassiberError) as error:
        yield _wrong(error)


def _local_network() -> Iterator[Finding]:
    """Nodes announce themselves under no name; the system they run on may tell one all the same (Spec 9 §7)."""
    import socket
    from pathlib import Path

    from node.discovery.betrayal import ask_this_machine, find_dhcp_clients
    from node.discovery.interfaces import find_places

    yield "ok", "Contacts are found on local networks, which strangers see only as that Kassiber runs here", ""
    places, _ = find_places()
    for told in ask_this_machine(places, socket.gethostname().partition(".")[0]):
        if told.names:
            what = f"Another program here answers on the local network that this machine is {' or '.join(told.names)}"
            yield "note", f"{what} ({told.protocol})", _SILENCE[told.protocol]
        if told.services:
            what = f"Another program here announces on the local network: {', '.join(told.services)}"
            yield "note", f"{what} ({told.protocol})", "Where that says who you are, stop what offers it"
    for client in find_dhcp_clients(Path("/")):
        what = f"{client.program} tells this machine's name to whoever gives out addresses (DHCP)"
        where = f"It is set in {client.setting}" if client.setting else "That is its default; nmcli can change it"
        yield "note", what, f"{where}. Or give the machine a name that says nothing"


def _entries(relays: int) -> Iterator[Finding]:
    """What goes by an entry needs one that is not where it goes; and one more, so that none sees both directions."""
    yield "ok", "Contacts' relays are reached by your own relays only", ""
    if relays < LEAST_ENTRIES:
        what = f"With {relays} of your own relays some contacts' relays have no entry, or one that sees both ways"
        yield "note", what, "Add another: kassiber relays add ADDRESS{profile}; nothing is sent past an entry instead"


def _running(status: dict[str, Any], contacts: list[dict[str, Any]]) -> Iterator[Finding]:
    from node.api.status import installed_version

    if status["version"] != installed_version():
        yield "note", f"The node runs version {status['version']}, this is {installed_version()}", "Restart the node"
    yield "ok", f"Links send as {status['traffic']} says", "What that hides and costs: kassiber privacy{profile}"
    relays = status["relays"]
    if status["discovery"]:
        yield from _local_network()
    if status["proxy"]:
        yield "ok", f"This run makes all connections by the proxy {status['proxy']}", ""
    if status["forward"]:
        yield from _entries(len(relays))
    for relay in relays:
        level: Level = _LEVELS.get(relay["state"], "wrong")
        why = f": {relay['error']}" if relay["error"] else ""
        first = f"Is the proxy there, {status['proxy']}?" if status["proxy"] else "Is this machine online?"
        remedy = f"{first} Else the relay may be down: others are used" if level == "wrong" else ""
        yield level, f"{relay['host']} is {relay['state']}{why}", remedy
    if not relays and not status["direct"]:
        yield (
            "wrong",
            "There is no relay: nobody can reach this node",
            "Add one: kassiber relays add ADDRESS{profile}; or follow a list: kassiber relays follow LIST{profile}",
        )
    elif len(relays) == 1:
        yield (
            "note",
            "There is one relay: without it nobody reaches you",
            "Add a second: kassiber relays add ADDRESS{profile}",
        )
    if status["queued"]:
        refused = any(contact.get("refused") for contact in contacts)
        remedy = "Links send in their own time" + ", but where all relays refuse nothing goes" * refused
        yield "note", f"{counted(status['queued'], 'message')} that no relay has yet", remedy
    for contact in contacts:
        if contact["state"] == "active" and contact.get("refused"):
            what = f"All relays of {contact['name']} refuse what you write: they seem to have left"
            yield "note", what, "Ask them. It is tried for a day, and given up then"
        elif contact["state"] == "refused":
            yield (
                "note",
                f"The invitation of {contact['name']} was used by somebody else, or withdrawn",
                "Ask for a new one",
            )
        elif contact["state"] == "active" and not contact["verified"]:
            yield (
                "note",
                f"{contact['name']} is not verified",
                f"Compare: kassiber verify {contact['contact']}{{profile}}",
            )


def _relays(relays: list[dict[str, Any]]) -> Iterator[Finding]:
    """How they have served so far, and whether one operator has them all."""
    for relay in relays:
        missed, known = relay["missed"], relay["kept"] + relay["missed"]
        if missed >= LEAST_MISSED and missed / known > MOST_MISSED:
            yield (
                "note",
                f"{relay['host']} lost {missed} of {known} envelopes that it had taken",
                "They were sent again. If it goes on: kassiber relays remove ADDRESS{profile}",
            )
        if relay["drops"]:
            lost, sent = relay["loops_lost"], relay["loops_lost"] + relay["loops_returned"]
            yield (
                "wrong",
                f"{relay['host']} drops what it is given: of what this node sent to itself, {lost} of {sent} are lost",
                "Take another: kassiber relays add ADDRESS{profile}, then kassiber relays remove ADDRESS{profile}",
            )
        if (relay["connect_seconds"] or 0.0) > SLOW_SECONDS:
            yield "note", f"Connecting to {relay['host']} takes {relay['connect_seconds']:.1f} s", ""
    common = set.intersection(*(set(relay["operators"]) for relay in relays)) if len(relays) > 1 else set()
    if common:
        yield (
            "note",
            f"All your relays are run by {min(common)}",
            "Add one of somebody else: kassiber relays add ADDRESS{profile}",
        )


def _lists(lists: list[dict[str, Any]]) -> Iterator[Finding]:
    from node.cli.relays import is_over
    from node.cli.terminal import day

    for row in lists:
        if row["error"]:
            what = f"The next of list {row['list']} of relays could not be taken: {row['error']}"
            yield "note", what, "Its relay is asked about once a day"
        if is_over(row):
            yield (
                "note",
                f"The list of relays of {row['publisher']} is over since {day(row['expires'])}",
                f"Relays in use stay. For the next one: kassiber relays follow '{row['source'] or 'FILE'}'{{profile}}",
            )


def _wrong(error: KassiberError) -> Finding:
    what, _, remedy = str(error).partition(". ")
    return "wrong", what, remedy
