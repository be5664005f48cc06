"""The program: each command is imported when it runs; every error ends it with a code that a script can use."""

import logging
import os
import sys

from cyclopts import App, CycloptsError

from node.cli.exits import INTERNAL, INTERRUPTED, OK, PIPE_CLOSED, USAGE, tell
from node.cli.overview import COMMANDS, SUMMARY
from protocol.errors import KassiberError

log = logging.getLogger(__name__)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("kassiber")
    except PackageNotFoundError:
        return "0"


app = App(
    name="kassiber",
    help=SUMMARY,
    help_format="plaintext",  # markup is slow to import, and would read meaning into what is none
    version=_version,
    result_action="return_value",
)
_GROUPS = ("card", "contacts", "invitations", "relays", "sim")
"""Commands that have commands of their own."""
for _group in COMMANDS.values():
    for _name in _group:
        _place = "simulations.cli" if _name == "sim" else f"node.cli.{_name}"
        app.command(f"{_place}:{'app' if _name in _GROUPS else _name}", name=_name)


def run(arguments: list[str]) -> int:
    """Run one command; the exit code. Containment: errors are told to the person; our own faults show a traceback."""
    _never_fail_to_print()
    try:
        result = app(arguments, exit_on_error=False)
    except CycloptsError:
        return USAGE  # cyclopts has said what is wrong
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return PIPE_CLOSED
    except (KassiberError, OSError) as error:
        return tell(error)
    except ExceptionGroup as group:
        return _tell_group(group)
    except Exception:
        log.exception("This is a fault of the program. What follows helps to find it.")
        return INTERNAL
    return result if isinstance(result, int) else OK


def _tell_group(group: ExceptionGroup[Exception]) -> int:
    """What ended a node, out of the nurseries that wrapped it."""
    error: Exception = group
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, KassiberError | OSError):
        return tell(error)
    log.error("This is a fault of the program. What follows helps to find it.", exc_info=group)
    return INTERNAL


def _never_fail_to_print() -> None:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    """Whoever read our output has gone; flushing at exit must not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
