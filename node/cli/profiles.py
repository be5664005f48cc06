"""Which profile a command is about, and the node that answers for it: the running one, or one for the moment."""

import shlex
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from node.api.client import Client
from node.profile import Profile, ProfileInUseError, default_directory, open_profile

if TYPE_CHECKING:
    from node.store.keys import DataKey

START_SECONDS = 15.0
"""How long another process that holds the profile may take to answer."""
SETTLE_SECONDS = 10.0
"""How long a node that runs for the moment stays, at most, to hand over what it has queued."""
ANSWER_SECONDS = 2.0
"""The same after it was only read: an envelope of receipts may be under way, if its time came meanwhile."""
GATHER_SECONDS = 5.0
"""How long a node that runs for the moment waits, at most, for what its relays hold."""
QUIET_SECONDS = 0.5
"""Without a change for this long, a node for the moment has fetched what its relays held."""
POLL_SECONDS = 0.1

Json = Annotated[
    bool, Parameter(name="--json", negative="", show_default=False, help="Print JSON, one object a line, exact.")
]


@Parameter(name="*")
@dataclass(frozen=True)
class Where:
    """Options that every command has."""

    profile: Annotated[Path | None, Parameter(help="The directory of the profile.")] = None
    credential_file: Annotated[
        Path | None, Parameter(help="A file of random bytes that unlocks the profile, where no node is running.")
    ] = None

    @property
    def directory(self) -> Path:
        return self.profile or default_directory()

    @property
    def words(self) -> str:
        """What must follow a command that is hinted at, for it to be about the same profile, and to unlock it."""
        profile = f" --profile {shlex.quote(str(self.profile))}" if self.profile is not None else ""
        credential = self.credential_file
        return f"{profile} --credential-file {shlex.quote(str(credential))}" if credential is not None else profile

    def open(self) -> Profile:
        """Raises NoProfileError."""
        return open_profile(self.directory)

    def unlock(self) -> "DataKey":
        """Raises LockedError."""
        from node.unlock import terminal_prompt, unlock

        return unlock(self.open(), self.credential_file, terminal_prompt())


HERE = Where()


@contextmanager
def node_for(where: Where, *, gather: float = 0.0, settle: float = 0.0) -> Iterator[Client]:
    """A client of the running node, else of one that runs in this process until the block ends.

    For one that runs for the moment: `gather` waits at first for what relays hold, so many seconds at most; `settle`
    stays at the end until a relay has what was queued, so many seconds at most. Raises CallerError, WorldError.
    """
    profile = where.open()
    client = Client(profile)
    with ExitStack() as stack:
        running = client.is_running()
        if not running:
            from node.cli.momentary import momentary_node

            try:
                stack.enter_context(momentary_node(profile, where.unlock))
            except ProfileInUseError as error:
                _wait_for_other(client, error)
                running = True
        if gather and not running:
            _gather(client, gather)
        yield client
        if settle and not running:
            _settle(client, settle)


def _wait_for_other(client: Client, error: ProfileInUseError) -> None:
    """Somebody else holds the profile and does not answer yet: starting, or stopping."""
    end = time.monotonic() + START_SECONDS
    while not client.is_running():
        if time.monotonic() > end:
            raise error
        time.sleep(POLL_SECONDS)


def _gather(client: Client, seconds: float) -> None:
    begun = quiet_since = time.monotonic()
    last_change = 0
    while (now := time.monotonic()) < begun + seconds:
        status = client.request("GET", "/v1/status")
        if status["last_change"] != last_change:
            last_change, quiet_since = status["last_change"], now
        connecting = any(relay["state"] == "connecting" for relay in status["relays"])
        if not connecting and now - quiet_since > QUIET_SECONDS:
            return
        time.sleep(POLL_SECONDS)


def _settle(client: Client, seconds: float) -> None:
    end = time.monotonic() + seconds
    while client.request("GET", "/v1/status")["waiting"] and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
