"""Unlocking a profile, in this order: `--credential-file`, service credential, key ring, prompt (Spec 1 §6).

A secret never comes as an argument or in the environment, where other users and crash reports may see it. systemd's
`$CREDENTIALS_DIRECTORY` only names the directory that holds the file.
"""

import getpass
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from node.profile import Profile
from node.store.key_ring import fetch_secret
from node.store.keys import (
    MAX_CREDENTIAL_BYTES,
    DataKey,
    KeyRingSlot,
    LockedError,
    PassphraseSlot,
    Slot,
    WrongSecretError,
    open_with_credential,
    open_with_key_ring,
    open_with_passphrase,
    read_slots,
)

SERVICE_CREDENTIAL = "kassiber"
ATTEMPTS = 3

Ask: TypeAlias = Callable[[str], str]
"""Shows a prompt, returns a line that was typed unseen."""


def unlock(profile: Profile, credential_file: Path | None, ask: Ask | None) -> DataKey:
    """The data key, from the first source that there is. `ask` is nil where there is no terminal.

    Raises LockedError where there is none, WrongSecretError where the first one is wrong: a credential that was
    given and does not fit is a mistake to be told, not to be passed over.
    """
    slots = read_slots(profile.keys)
    credential = credential_file or service_credential()
    if credential is not None:
        return open_with_credential(slots, read_credential(credential))
    for slot in slots:
        if isinstance(slot, KeyRingSlot) and (secret := fetch_secret(slot.entry)) is not None:
            return open_with_key_ring(slot, secret)
    if ask is None or not any(isinstance(slot, PassphraseSlot) for slot in slots):
        raise LockedError(_how_to_unlock(slots, ask is not None))
    return _ask_for_passphrase(slots, ask)


def service_credential() -> Path | None:
    """systemd's `LoadCredential=kassiber:…`, where the service has one."""
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(directory) / SERVICE_CREDENTIAL if directory else None
    return path if path is not None and path.exists() else None


def read_credential(path: Path) -> bytes:
    """All bytes of the file, as they are. Raises LockedError."""
    try:
        with path.open("rb") as file:
            contents = file.read(MAX_CREDENTIAL_BYTES + 1)
    except OSError as error:
        raise LockedError(f"The credential file {path} cannot be read: {error.strerror}.") from error
    if len(contents) > MAX_CREDENTIAL_BYTES:
        raise LockedError(
            f"The credential file {path} has more than {MAX_CREDENTIAL_BYTES} bytes: is it the right one?"
        )
    return contents


def terminal_prompt() -> Ask | None:
    """Asks on the controlling terminal, whatever standard input is; nil where there is none."""
    if os.name == "posix":
        try:
            os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
        except OSError:
            return None
    elif not os.isatty(0):
        return None
    return getpass.getpass


def _ask_for_passphrase(slots: Sequence[Slot], ask: Ask) -> DataKey:
    for attempt in range(1, ATTEMPTS):
        try:
            return open_with_passphrase(slots, ask("Passphrase: " if attempt == 1 else "Wrong. Passphrase: "))
        except WrongSecretError:
            continue
    return open_with_passphrase(slots, ask("Wrong. Passphrase, last attempt: "))


def _how_to_unlock(slots: Sequence[Slot], terminal: bool) -> str:
    ways = ["--credential-file FILE", f"a service credential named {SERVICE_CREDENTIAL!r} ($CREDENTIALS_DIRECTORY)"]
    if any(isinstance(slot, KeyRingSlot) for slot in slots):
        ways.append("the system's key ring (it did not answer)")
    if any(isinstance(slot, PassphraseSlot) for slot in slots):
        ways.append("a terminal to ask for the passphrase" if not terminal else "the passphrase")
    return f"The profile is locked. It can be unlocked by: {'; '.join(ways)}."
