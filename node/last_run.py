"""What the last `up` hid by its options alone: a command that runs a node for the moment must not show it.

A file of names, a line each; no value, since it is not encrypted (Spec 1 §6).
"""

from collections.abc import Callable
from pathlib import Path

from node.files import write_private
from node.settings import Settings, SettingsError
from protocol.traffic.policies import rates

_HIDES: dict[str, Callable[[Settings], bool]] = {
    "forward": lambda settings: settings.forward,
    "proxy": lambda settings: settings.proxy is not None,
    "isolation": lambda settings: settings.isolated,
    "traffic": lambda settings: rates(settings.traffic, to_relay=True) is not None,
}


def remember(path: Path, saved: Settings, settings: Settings) -> list[str]:
    """What hides in a run with these settings and is not `saved`: it is in the file from now on. Raises OSError."""
    names = [name for name, hides in _HIDES.items() if hides(settings) and not hides(saved)]
    if names:
        write_private(path, "".join(f"{name}\n" for name in names).encode())
    else:
        path.unlink(missing_ok=True)
    return names


def check(path: Path, settings: Settings) -> None:
    """Raises SettingsError: what waits to be sent was to be hidden, and would not be with these settings."""
    try:
        names = path.read_text("utf-8").split()
    except FileNotFoundError:
        return
    missing = [name for name, hides in _HIDES.items() if name in names and not hides(settings)]
    if missing:
        options = " ".join(f"--{name}" for name in missing)
        raise SettingsError(
            f"The node last ran with {options}, and settings.toml does not say so: this would go another way. "
            f"Set {' and '.join(missing)} in settings.toml as they were, or start the node (kassiber up): as it was "
            f"started before, or once without {options}."
        )
