"""A profile: the directory that holds one person's node, its lock, and where its running node is found.

Nothing in the directory but the encrypted databases tells whom its person knows or which relays they use. What
belongs to a running node only (socket, token) is in the runtime directory, which does not survive the session.
"""

import hashlib
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from platformdirs import user_data_path

from node.files import make_private_directory, sync_directory, write_private
from protocol.errors import CallerError

PROFILE_VARIABLE = "KASSIBER_PROFILE"
MAX_SOCKET_PATH_BYTES = 100
"""Unix socket addresses hold 104 (macOS) to 108 (Linux) bytes."""

_SETTINGS = b"""\
# Settings of this node; every line is optional. They are read when the node starts.
#
# listen = "0.0.0.0:7777"          # contacts may reach this node directly, at this address
# traffic = "batched"              # or direct, constant, constant-4, constant-16: specs/10-traffic.md has the price
# forward = true                   # contacts' relays are reached by your own only: specs/12-forwarding.md
# proxy = "socks5://localhost:9050" # every connection is made by this proxy; this one is Tor's
# isolation = "contact"            # connections of each contact's own, or 8: of 8 groups: specs/7-links.md, section 8
# public = "node.example.org:7777" # what contacts are told, where it differs from the address above
#
# [timing]                         # durations; see the specification of delivery
# keep_alive_seconds = 300.0
"""


class NoProfileError(CallerError):
    """There is no profile where one was looked for."""


class ProfileExistsError(CallerError):
    """There is a profile already where one was to be made."""


class ProfileInUseError(CallerError):
    """Another process runs this profile's node."""


class Profile(Struct, frozen=True):
    """The paths of a profile; `directory` is absolute, its links resolved, so that one profile has one name."""

    directory: Path

    @property
    def keys(self) -> Path:
        return self.directory / "keys.json"

    @property
    def settings(self) -> Path:
        return self.directory / "settings.toml"

    @property
    def mailbox(self) -> Path:
        return self.directory / "mailbox.db"

    @property
    def relay(self) -> Path:
        """The embedded relay's database."""
        return self.directory / "relay.db"

    @property
    def lock(self) -> Path:
        return self.directory / "lock"

    @property
    def last_run(self) -> Path:
        """What the last run of the node hid by its options alone (`node.last_run`)."""
        return self.directory / "last-run"

    @property
    def unfinished(self) -> Path:
        """There while the profile is being made; what a killed `init` leaves counts as nothing."""
        return self.directory / "unfinished"

    @property
    def socket(self) -> Path:
        """Where the running node's API listens: named by a hash of the profile's path."""
        return self._runtime(".sock")

    @property
    def access(self) -> Path:
        """Who may use the API: the token, and the port where there are no Unix sockets."""
        return self._runtime(".json")

    def _runtime(self, suffix: str) -> Path:
        name = hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:16]
        directory = runtime_directory()
        if len(os.fsencode(directory)) + 1 + len(name) + 5 > MAX_SOCKET_PATH_BYTES:
            directory = _shared_runtime_directory()
        return directory / (name + suffix)


def default_directory() -> Path:
    """`$KASSIBER_PROFILE`, else where this system keeps an application's data."""
    chosen = os.environ.get(PROFILE_VARIABLE)
    return Path(chosen) if chosen else user_data_path("kassiber", appauthor=False)


def runtime_directory() -> Path:
    """`$XDG_RUNTIME_DIR/kassiber`, else a directory of this user's in the temporary directory."""
    given = os.environ.get("XDG_RUNTIME_DIR")
    return Path(given) / "kassiber" if given and Path(given).is_dir() else _shared_runtime_directory()


def _shared_runtime_directory() -> Path:
    user = os.getuid() if os.name == "posix" else "user"
    return Path(tempfile.gettempdir()) / f"kassiber-{user}"


def create_profile(directory: Path) -> Profile:
    """Make the directory (0700) and its settings; it is a profile once `finish_profile` says so.

    Raises ProfileExistsError, ProfileInUseError, CallerError; then nothing was changed.
    """
    profile = Profile(directory.expanduser().resolve())
    if profile.unfinished.exists():
        with locked(profile):
            discard_profile(profile)
    if profile.keys.exists() or profile.mailbox.exists():
        raise ProfileExistsError(
            f"There is a profile in {profile.directory} already. Use it, or choose another directory: --profile DIR"
        )
    make_private_directory(profile.directory)
    write_private(profile.unfinished, b"")
    if not profile.settings.exists():
        write_private(profile.settings, _SETTINGS)
    return profile


def finish_profile(profile: Profile) -> None:
    """Everything that makes it a profile is durable."""
    profile.unfinished.unlink()
    sync_directory(profile.directory)


def open_profile(directory: Path) -> Profile:
    """The profile in `directory`. Raises NoProfileError; CallerError: open to others, or its mailbox is gone."""
    profile = Profile(directory.expanduser().resolve())
    if not profile.keys.exists() or profile.unfinished.exists():
        raise NoProfileError(
            f"There is no profile in {profile.directory}. Make one: kassiber init{_words(directory)}, or name another: "
            "--profile DIR"
        )
    make_private_directory(profile.directory)
    if not profile.mailbox.exists():
        raise CallerError(
            f"{profile.mailbox} is missing, and with it contacts and messages. Restore it; or move {profile.directory} "
            f"away and begin anew: kassiber init{_words(directory)}"
        )
    return profile


def _words(directory: Path) -> str:
    return "" if directory == default_directory() else f" --profile {shlex.quote(str(directory))}"


def discard_profile(profile: Profile) -> None:
    """Remove what making a profile left half way; the mark goes last, the settings may be the person's own."""
    for path in (profile.keys, *profile.directory.glob("*.db*"), profile.unfinished):
        path.unlink(missing_ok=True)
    sync_directory(profile.directory)


@contextmanager
def locked(profile: Profile) -> Iterator[None]:
    """Hold the profile for this process. Raises ProfileInUseError at once where another holds it.

    The system frees the lock when its holder ends, however it ends; the file itself stays.
    """
    descriptor = os.open(profile.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            _lock(descriptor)
        except OSError:
            raise ProfileInUseError(
                f"A node or relay is running on {profile.directory} already. "
                "Use it through the other commands, or stop it first."
            ) from None
        yield
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
