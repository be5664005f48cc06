"""A whole node with its local API, as `up` runs it and as other commands run it for the moment."""

import sys
from collections.abc import Callable

import trio

from node.api.server import serve_api
from node.files import allow_open_files
from node.logs import configure_logs
from node.node import run_node
from node.profile import Profile
from node.settings import Settings
from node.store.keys import DataKey, derive_keys

OPEN_FILES = 4_096
"""Each contact may have connections of its own to two relays of this node's and to three of theirs."""


async def serve(
    profile: Profile, data_key: DataKey, settings: Settings, started: Callable[[], None], momentary: bool = False
) -> None:
    """Until cancelled. The caller holds the profile's lock. `started` is called once requests are answered."""
    async with run_node(profile, derive_keys(data_key), settings, momentary) as node, serve_api(node, profile):
        started()
        await trio.sleep_forever()


def prepare_process(log_level: int) -> None:
    """Logs to standard error, without names; no core dumps: a crash must not write keys to the disk."""
    configure_logs(log_level)
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    allow_open_files(OPEN_FILES)
