"""Files that only their owner may read, written so that a crash leaves the old or the new one, never half."""

import os
import stat
import sys
from pathlib import Path

from protocol.errors import CallerError

_CHUNK_BYTES = 2**20


def allow_open_files(wanted: int) -> None:
    """As many open files and connections, as far as the system lets this process have them."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - POSIX only

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def write_private(path: Path, contents: bytes) -> None:
    """Replace `path` by `contents` (mode 0600), durable when this returns. Raises OSError; then the old file stands."""
    draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(contents)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in `directory` durable: without it a rename may be lost with the power."""
    if os.name != "posix":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_again(path: Path) -> None:
    """Make durable what `path` seems to hold. Raises OSError.

    After a failed fsync the system still shows what was written, counts it as written, and no later fsync writes it.
    """
    with path.open("r+b") as file:
        while chunk := file.read(_CHUNK_BYTES):
            file.seek(-len(chunk), os.SEEK_CUR)
            file.write(chunk)
            file.seek(0, os.SEEK_CUR)
        file.flush()
        os.fsync(file.fileno())
    sync_directory(path.parent)


def make_private_directory(directory: Path) -> None:
    """Create `directory` (mode 0700) where it is missing. Raises CallerError where others could look into it.

    A symbolic link, another owner, or group and world permissions are refused and not repaired: somebody else
    may have made it on purpose (a predictable name in a shared temporary directory).
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.lstat()
    except OSError as error:
        raise CallerError(f"{directory} cannot be made: {error.strerror}. Choose another place.") from error
    if os.name != "posix":
        return
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise CallerError(f"{directory} is a link or belongs to somebody else. Remove it or choose another place.")
    if found.st_mode & 0o077:
        raise CallerError(f"{directory} is open to other users. Close it: chmod 700 {directory}")
