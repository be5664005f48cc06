"""The commands by name. Each is imported when it runs; the help here saves importing them all for `--help`."""

import logging
import os
import sys

from cyclopts import App, CycloptsError

from node.cli.exits import EPILOGUE, INTERNAL, INTERRUPTED, OK, PIPE_CLOSED, USAGE, tell
from protocol.errors import KassiberError

log = logging.getLogger(__name__)

COMMANDS = {
    "init": "Make a profile: keys, mailbox, name, relays.",
    "up": "Run the node.",
    "invite": "Make an invitation: link, QR code, file.",
    "accept": "Accept an invitation.",
    "contacts": "List contacts.",
    "verify": "Compare the safety number with a contact.",
    "send": "Send a text.",
    "inbox": "Show messages.",
    "chat": "Follow a conversation live, and write.",
    "status": "Show how the running node stands.",
    "doctor": "Say what is wrong, and what to do.",
    "passphrase": "Change what unlocks the profile.",
    "relay": "Run a relay for others.",
    "demo": "Two people, two relays, a crash, and what the relays saw.",
    "completion": "Print a completion script for the shell.",
}


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("kassiber")
    except PackageNotFoundError:
        return "0"


app = App(
    name="kassiber",
    help="Direct messages that only the two ends read, over relays that learn little.",
    help_epilogue=EPILOGUE,
    # Rich panels and markup cost a quarter of the time that --help may take.
    help_format="plaintext",
    help_formatter="plain",
    version=_version,
    result_action="return_value",
)
for _name, _help in COMMANDS.items():
    app.command(f"node.cli.{_name}:{_name}", name=_name, help=_help)
app.command("node.cli.relays:app", name="relays", help="List, add or remove this node's relays.")


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
