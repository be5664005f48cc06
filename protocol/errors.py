"""Every error, split by whose fault it is (Spec 2 §6).

The caller's errors are for a person: what happened, what to do. The peer's carry a code that the specs list. The
world's pass by themselves. Our own are assertions.
"""

from enum import IntEnum


class Code(IntEnum):
    """What a peer did wrong, or why a relay refuses; the numbers travel on the wire (Spec 2 §6)."""

    # In a `refused` reply (Spec 8 §5).
    REFUSED = 1
    FULL = 2
    TOO_LARGE = 3
    STAMP = 4
    DRAINING = 5
    UNAVAILABLE = 6
    VERSION = 7
    # Ends a connection: WebSocket close code 4000 + number (Spec 7 §6).
    MALFORMED = 16
    NON_CANONICAL = 17
    PADDING = 18
    SIZE = 19
    NOISE = 20
    LIMIT = 21
    SILENT = 22
    INTERNAL = 23
    CUSTODY = 24
    REPLACED = 25
    # Never leaves the node that found it: an envelope, handshake, invitation or list that is not what it should be.
    UNREADABLE = 32
    DUPLICATE = 33
    TOO_FAR = 35
    SKIPPED_FULL = 36
    BAD_KEY = 37
    BAD_INVITATION = 39
    WRONG_RECIPIENT = 41
    FORGED = 48
    EXPIRED = 49
    ROLLED_BACK = 50
    ONE_OPERATOR = 51


class KassiberError(Exception):
    """Anything that this project raises on purpose."""


class CallerError(KassiberError):
    """The person or program that asked has to change something; the text says what."""


class PeerError(KassiberError):
    """The other side of a connection, or the sender of an envelope, broke the protocol."""

    def __init__(self, code: Code, detail: str = "") -> None:
        super().__init__(f"{code.name.lower()}: {detail}" if detail else code.name.lower())
        self.code = code
        self.detail = detail


class WorldError(KassiberError):
    """The disk, the network or the machine: nothing is wrong with the request; trying again later may help."""


class StoreError(WorldError):
    """The store could not commit; everything of this batch is undone."""


class DiskFullError(StoreError):
    """There is no space left; what deletes still goes through."""


class DiskBrokenError(StoreError):
    """Writing reached the disk in an unknown state (a failed fsync, a corrupt page): stop and open again."""
