"""The system's key ring, where there is one: it raises in many ways on a machine without a desktop."""

import base64
import binascii
import logging
import os

from protocol.errors import WorldError

SERVICE = "kassiber"
SECRET_BYTES = 32

log = logging.getLogger(__name__)


class NoKeyRingError(WorldError):
    """There is no key ring here, it is locked, or the extra that speaks to it is not installed."""


def store_secret() -> tuple[str, bytes]:
    """Put 32 fresh random bytes under a fresh random name. Raises NoKeyRingError."""
    entry, secret = os.urandom(16).hex(), os.urandom(SECRET_BYTES)
    try:
        import keyring  # noqa: PLC0415 -- an extra, and slow to import

        keyring.set_password(SERVICE, entry, base64.b64encode(secret).decode())
    except Exception as error:  # containment: backends raise whatever their system raises
        log.debug("the key ring refused to store: %r", error)
        raise NoKeyRingError(
            "There is no usable key ring here. Use a passphrase or --credential-file, "
            "or install what speaks to it: pip install 'kassiber[keyring]'"
        ) from error
    return entry, secret


def fetch_secret(entry: str) -> bytes | None:
    """The 32 bytes under this name; None where there is no key ring, or nothing under the name."""
    try:
        import keyring  # noqa: PLC0415 -- an extra, and slow to import

        found = keyring.get_password(SERVICE, entry)
    except Exception as error:  # noqa: BLE001 -- containment: backends raise whatever their system raises
        log.debug("the key ring did not answer: %r", error)
        return None
    try:
        secret = base64.b64decode(found or "", validate=True)
    except (binascii.Error, ValueError):
        return None
    return secret if len(secret) == SECRET_BYTES else None
