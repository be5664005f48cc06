"""Exit codes, as sysexits.h names them, so that a script can tell what to do next; and how errors map to them."""

import sys

from protocol.errors import CallerError, KassiberError, StoreError, WorldError

OK = 0
USAGE = 64
BAD_TEXT = 65
NO_INPUT = 66
UNAVAILABLE = 69
INTERNAL = 70
CANNOT_CREATE = 73
IO_ERROR = 74
QUEUED = 75
LOCKED = 77
CONFIGURATION = 78
INTERRUPTED = 130
PIPE_CLOSED = 141

_OF_API = {
    "bad_request": BAD_TEXT,
    "refused": BAD_TEXT,
    "too_large": BAD_TEXT,
    "not_found": NO_INPUT,
    "unauthorised": LOCKED,
    "unavailable": UNAVAILABLE,
    "timeout": UNAVAILABLE,
    "disk_full": IO_ERROR,
}


class UsageError(CallerError):
    """A command that cannot be meant as it was written."""


class BadTextError(CallerError):
    """What was given is not what is needed there: too long, not UTF-8, not an invitation."""


class NoInputError(CallerError):
    """A file, or a contact, that is not there."""


def exit_code(error: KassiberError | OSError) -> int:
    """Which code an error ends the program with."""
    # Imported where an error is told: --help must not wait for what defines these.
    from node.api.client import NotRunningError
    from node.api.errors import ApiError
    from node.profile import NoProfileError, ProfileExistsError, ProfileInUseError
    from node.settings import SettingsError
    from node.store.keys import LockedError

    match error:
        case ApiError():
            return _OF_API.get(error.code, INTERNAL)
        case LockedError():
            return LOCKED
        case UsageError():
            return USAGE
        case ProfileExistsError():
            return CANNOT_CREATE
        case NoProfileError() | NoInputError() | FileNotFoundError():
            return NO_INPUT
        case SettingsError():
            return CONFIGURATION
        case ProfileInUseError() | NotRunningError():
            return UNAVAILABLE
        case StoreError() | OSError():
            return IO_ERROR
        case CallerError():
            return BAD_TEXT
        case WorldError():
            return UNAVAILABLE
        case _:
            return INTERNAL


def tell(error: KassiberError | OSError) -> int:
    """Print an error for the person; its exit code."""
    from node.cli.terminal import visible

    print(f"kassiber: {visible(str(error), lines=True)}", file=sys.stderr)
    return exit_code(error)
