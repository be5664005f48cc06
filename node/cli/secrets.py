"""What a profile is locked with, when it is made and when that is changed."""

import os
from pathlib import Path

from node.files import write_private
from node.store.key_ring import store_secret
from node.store.keys import (
    MIN_CREDENTIAL_BYTES,
    CredentialSlot,
    DataKey,
    KeyRingSlot,
    LockedError,
    PassphraseSlot,
    credential_slot,
    key_ring_slot,
    passphrase_slot,
)
from node.unlock import Ask, read_credential, service_credential
from protocol.errors import CallerError


def credential_for(data_key: DataKey, given: Path | None) -> CredentialSlot | None:
    """A slot for the credential file, or the service's; a file that is missing is made. Raises CallerError."""
    path = given or service_credential()
    if path is None:
        return None
    if not path.exists():
        try:
            write_private(path, os.urandom(MIN_CREDENTIAL_BYTES))
        except OSError as error:
            raise CallerError(f"The credential file {path} cannot be made: {error.strerror}.") from error
    return credential_slot(data_key, read_credential(path))


def new_passphrase(data_key: DataKey, ask: Ask | None) -> PassphraseSlot:
    """Asked for twice. Raises LockedError where there is no terminal, CallerError where the two differ."""
    if ask is None:
        raise LockedError("There is no terminal to ask for a passphrase. Use one, or --credential-file FILE.")
    chosen = ask("New passphrase: ")
    if not chosen:
        raise CallerError(
            "A passphrase is needed: some words that nobody else would put together. Nothing was changed."
        )
    if ask("The same again: ") != chosen:
        raise CallerError("The two passphrases differ. Nothing was changed.")
    return passphrase_slot(data_key, chosen)


def new_key_ring_entry(data_key: DataKey) -> KeyRingSlot:
    """Raises NoKeyRingError."""
    entry, secret = store_secret()
    return key_ring_slot(data_key, entry, secret)
