"""`kassiber init`: makes a profile, whole or not at all."""

import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from node.api.client import Client
from node.cli.exits import BadTextError, UsageError
from node.cli.profiles import HERE, Where
from node.profile import Profile, create_profile, discard_profile, finish_profile
from protocol.limits import MAX_NAME_BYTES
from protocol.wire.addresses import parse_address

if TYPE_CHECKING:
    from node.store.keys import DataKey


def init(
    *,
    name: Annotated[str | None, Parameter(help="What contacts are told that you are called.")] = None,
    relay: Annotated[
        list[str] | None, Parameter(negative="", help="A relay's address; repeat for a second one, which is better.")
    ] = None,
    key_ring: Annotated[
        bool, Parameter(negative="", show_default=False, help="Let the system's key ring unlock it too.")
    ] = False,
    where: Where = HERE,
) -> None:
    """Make a profile: keys, an encrypted mailbox, a name, relays.

    Asks for a passphrase on the terminal. With --credential-file that file unlocks it instead; it is made if missing.
    """
    chosen = check_name(_ask_name() if name is None else name)
    addresses = relay or []
    for address in addresses:
        parse_address(address)
    profile = create_profile(where.directory)
    try:
        data_key = _lock_up(profile, where.credential_file, key_ring)
        _set_up(profile, data_key, chosen, addresses)
        finish_profile(profile)
    except BaseException:
        discard_profile(profile)
        raise
    print(f"Made a profile in {profile.directory}")
    here = where.words
    if not addresses:
        print(
            f"It has no relay: the first invitation that you accept brings one, or: kassiber relays follow LIST{here}"
        )
    elif len(addresses) == 1:
        print(f"It has one relay. A second, of somebody else's, keeps you reachable: kassiber relays add ADDRESS{here}")
    print(f"Start the node: kassiber up{here}")


def check_name(name: str) -> str:
    """In NFC. Raises BadTextError."""
    composed = unicodedata.normalize("NFC", name.strip())
    try:
        size = len(composed.encode())
    except UnicodeEncodeError:
        raise BadTextError("The name is not UTF-8.") from None
    if not 0 < size <= MAX_NAME_BYTES:
        raise BadTextError(f"A name has 1 to {MAX_NAME_BYTES} bytes; this has {size}.")
    return composed


def _ask_name() -> str:
    """Raises UsageError where nobody can be asked."""
    if not sys.stdin.isatty():
        raise UsageError("A name is needed, as contacts will see it: --name NAME")
    return input("Your name, as contacts will see it: ")


def _lock_up(profile: Profile, credential_file: Path | None, key_ring: bool) -> "DataKey":
    """A fresh data key, and what unlocks it."""
    from node.cli.secrets import credential_for, new_key_ring_entry, new_passphrase
    from node.store.keys import Slot, new_data_key, write_slots
    from node.unlock import terminal_prompt

    data_key = new_data_key()
    slots: list[Slot] = [
        credential_for(data_key, credential_file) or new_passphrase(data_key, terminal_prompt()),
        *([new_key_ring_entry(data_key)] if key_ring else []),
    ]
    write_slots(profile.keys, slots)
    return data_key


def _set_up(profile: Profile, data_key: "DataKey", name: str, relays: list[str]) -> None:
    """Everything else is in the mailbox, which a node makes."""
    from node.cli.momentary import momentary_node

    with momentary_node(profile, lambda: data_key):
        client = Client(profile)
        client.request("PUT", "/v1/name", {"name": name})
        client.request("PUT", "/v1/relays", {"relays": relays})
