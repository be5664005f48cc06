"""The data key and the slots that wrap it (Spec 1 §6).

One random data key encrypts all that a profile stores. Each slot wraps it under another secret: a passphrase, a
credential file, an entry of the system's key ring. To change a secret is to wrap again; nothing else is re-encrypted.
"""

import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NewType, TypeAlias

import msgspec
from msgspec import Meta, Struct
from nacl import bindings as sodium
from nacl.exceptions import RuntimeError as SodiumError

from node.files import write_private
from protocol.crypto import labels
from protocol.crypto.suite import RealSuite
from protocol.errors import CallerError, WorldError

DataKey = NewType("DataKey", bytes)
"""32 random bytes, from which every key at rest derives."""

KEY_BYTES = 32
SALT_BYTES = 16
NONCE_BYTES = 24
SEALED_BYTES = KEY_BYTES + 16
MIN_CREDENTIAL_BYTES = 32
MAX_CREDENTIAL_BYTES = 4_096
MAX_KEY_FILE_BYTES = 65_536
MAX_SLOTS = 8
MEBIBYTE = 1_048_576
MIN_MEMORY_BYTES = 64 * MEBIBYTE
MAX_MEMORY_BYTES = 1_024 * MEBIBYTE
MAX_PASSES = 10

_suite = RealSuite()


class LockedError(CallerError):
    """The profile stays locked: no secret was given, or none that opens it."""


class WrongSecretError(LockedError):
    """This passphrase or credential opens no slot; nothing was changed."""


class Cost(Struct, frozen=True):
    """What one guess at a passphrase costs: Argon2id, one lane."""

    memory_bytes: int
    passes: int


LARGE = Cost(256 * MEBIBYTE, 3)
SMALL = Cost(64 * MEBIBYTE, 4)
"""For machines with less than 1 GiB of memory."""

_Salt: TypeAlias = Annotated[bytes, Meta(min_length=SALT_BYTES, max_length=SALT_BYTES)]
_Nonce: TypeAlias = Annotated[bytes, Meta(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]
_Sealed: TypeAlias = Annotated[bytes, Meta(min_length=SEALED_BYTES, max_length=SEALED_BYTES)]


class PassphraseSlot(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="passphrase"):
    """Wrapped under Argon2id of the passphrase in NFC, UTF-8."""

    memory_bytes: Annotated[int, Meta(ge=MIN_MEMORY_BYTES, le=MAX_MEMORY_BYTES)]
    passes: Annotated[int, Meta(ge=1, le=MAX_PASSES)]
    salt: _Salt
    nonce: _Nonce
    sealed: _Sealed


class CredentialSlot(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="credential"):
    """Wrapped under HKDF of a file of random bytes: nothing to guess, so nothing to slow down."""

    salt: _Salt
    nonce: _Nonce
    sealed: _Sealed


class KeyRingSlot(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="key-ring"):
    """Wrapped under HKDF of 32 random bytes that the system's key ring keeps under the name `entry`."""

    entry: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
    salt: _Salt
    nonce: _Nonce
    sealed: _Sealed


Slot: TypeAlias = PassphraseSlot | CredentialSlot | KeyRingSlot


class KeyFile(Struct, frozen=True, forbid_unknown_fields=True):
    """`keys.json`. Anybody who holds it may guess at the passphrase; nobody can do more with it."""

    version: Annotated[int, Meta(ge=1, le=1)]
    slots: Annotated[tuple[Slot, ...], Meta(min_length=1, max_length=MAX_SLOTS)]


class UnlockedKeys(Struct, frozen=True):
    """What derives from the data key, 32 bytes each."""

    mailbox: bytes
    """SQLCipher's raw key of `mailbox.db`."""
    relay_database: bytes
    """SQLCipher's raw key of the embedded relay's `relay.db`."""
    relay_seed: bytes
    """Ed25519 seed of the embedded relay."""

    def __repr__(self) -> str:
        return "UnlockedKeys()"  # a traceback or a log line must not show keys


def new_data_key() -> DataKey:
    return DataKey(os.urandom(KEY_BYTES))


def derive_keys(data_key: DataKey) -> UnlockedKeys:
    """HKDF-SHA256 under one label each (Spec 3 §2)."""
    return UnlockedKeys(
        mailbox=_suite.kdf(None, data_key, labels.DATABASE, KEY_BYTES),
        relay_database=_suite.kdf(None, data_key, labels.RELAY_DATABASE, KEY_BYTES),
        relay_seed=_suite.kdf(None, data_key, labels.EMBEDDED_RELAY_KEY, KEY_BYTES),
    )


def read_slots(path: Path) -> tuple[Slot, ...]:
    """The slots of a key file. Raises CallerError where it is missing, damaged, newer, or asks for what we refuse."""
    try:
        contents = path.read_bytes()
    except OSError as error:
        raise CallerError(f"{path} cannot be read: {error.strerror}. Restore it from a copy.") from error
    if len(contents) > MAX_KEY_FILE_BYTES:
        raise CallerError(f"{path} is no key file: it has {len(contents)} bytes.")
    try:
        return msgspec.json.decode(contents, type=KeyFile).slots
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CallerError(
            f"{path} is damaged, altered, or from a newer version: {error}. Restore it from a copy."
        ) from error


def write_slots(path: Path, slots: Sequence[Slot]) -> None:
    """Replace the key file by one with these slots; durable when this returns."""
    contents = msgspec.json.encode(KeyFile(version=1, slots=tuple(slots)))
    write_private(path, msgspec.json.format(contents, indent=1) + b"\n")


def passphrase_slot(data_key: DataKey, passphrase: str, cost: Cost | None = None) -> PassphraseSlot:
    """Wrap the data key under a passphrase, as dear as this machine's memory allows."""
    cost = cost or affordable_cost()
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    header = _header("passphrase", cost.memory_bytes, cost.passes, salt)
    sealed = _suite.seal(_stretch(passphrase, salt, cost), nonce, data_key, header)
    return PassphraseSlot(cost.memory_bytes, cost.passes, salt, nonce, sealed)


def credential_slot(data_key: DataKey, credential: bytes) -> CredentialSlot:
    """Wrap the data key under a file of 32 to 4,096 random bytes. Raises CallerError for another length."""
    if not MIN_CREDENTIAL_BYTES <= len(credential) <= MAX_CREDENTIAL_BYTES:
        raise CallerError(
            f"A credential has {MIN_CREDENTIAL_BYTES} to {MAX_CREDENTIAL_BYTES} random bytes; "
            f"this one has {len(credential)}. Make one: head -c 32 /dev/urandom > FILE"
        )
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    header = _header("credential", salt)
    return CredentialSlot(salt, nonce, _suite.seal(_wrapping_key(credential, salt), nonce, data_key, header))


def key_ring_slot(data_key: DataKey, entry: str, secret: bytes) -> KeyRingSlot:
    """Wrap the data key under `secret` (32 bytes), which the key ring keeps as `entry`."""
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    header = _header("key-ring", entry, salt)
    return KeyRingSlot(entry, salt, nonce, _suite.seal(_wrapping_key(secret, salt), nonce, data_key, header))


def open_with_passphrase(slots: Sequence[Slot], passphrase: str) -> DataKey:
    """The data key. Raises WrongSecretError; WorldError where Argon2id finds too little memory."""
    for slot in slots:
        if isinstance(slot, PassphraseSlot):
            key = _stretch(passphrase, slot.salt, Cost(slot.memory_bytes, slot.passes))
            opened = _open(slot, key, _header("passphrase", slot.memory_bytes, slot.passes, slot.salt))
            if opened is not None:
                return opened
    raise WrongSecretError("The passphrase is wrong. Nothing was changed.")


def open_with_credential(slots: Sequence[Slot], credential: bytes) -> DataKey:
    """The data key. Raises WrongSecretError."""
    for slot in slots:
        if isinstance(slot, CredentialSlot):
            opened = _open(slot, _wrapping_key(credential, slot.salt), _header("credential", slot.salt))
            if opened is not None:
                return opened
    raise WrongSecretError("The credential does not open this profile. Nothing was changed.")


def open_with_key_ring(slot: KeyRingSlot, secret: bytes) -> DataKey:
    """The data key. Raises WrongSecretError."""
    opened = _open(slot, _wrapping_key(secret, slot.salt), _header("key-ring", slot.entry, slot.salt))
    if opened is None:
        raise WrongSecretError("The key ring's entry does not open this profile. Nothing was changed.")
    return opened


def affordable_cost() -> Cost:
    """`LARGE`, or `SMALL` where the machine, or the group that limits us, has less than 1 GiB of memory."""
    return LARGE if _memory_bytes() >= 1_024 * MEBIBYTE else SMALL


def _memory_bytes() -> int:
    try:
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 1_024 * MEBIBYTE
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return machine
    return min(machine, int(limit)) if limit.isdecimal() else machine


def _stretch(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    try:
        return sodium.crypto_pwhash_alg(
            KEY_BYTES,
            unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogateescape"),
            salt,
            cost.passes,
            cost.memory_bytes,
            sodium.crypto_pwhash_ALG_ARGON2ID13,
        )
    except SodiumError as error:
        needed = cost.memory_bytes // MEBIBYTE
        raise WorldError(f"Unlocking needs {needed} MiB of free memory. Close something and try again.") from error


def _wrapping_key(secret: bytes, salt: bytes) -> bytes:
    return _suite.kdf(salt, secret, labels.KEY_SLOT, KEY_BYTES)


def _header(kind: str, *fields: object) -> bytes:
    """Associated data: a slot whose kind, cost or salt was altered does not open."""
    return labels.KEY_SLOT + msgspec.msgpack.encode((1, kind, *fields))


def _open(slot: Slot, key: bytes, header: bytes) -> DataKey | None:
    opened = _suite.open(key, slot.nonce, slot.sealed, header)
    return None if opened is None else DataKey(opened)
