"""All that can happen to a machine. Times come beside, as `Now`."""

from typing import Any, NamedTuple, TypeAlias

from msgspec import Struct

from protocol.keys import SHARED, Connection, Group, HandshakeHash, Minute, QueueNumber, RelayKey
from protocol.wire.commands import Command


class Now(NamedTuple):
    """Two clocks. `service`: seconds that never go back and survive restarts, for timers, back-off, retention.
    `wall`: Unix seconds as the system believes them, for what people see, receipts' minutes and invitations' expiry."""

    service: float
    wall: float

    @property
    def minute(self) -> Minute:
        """The wall clock's whole minute, kept within u32 whatever the clock says."""
        return Minute(min(max(int(self.wall // 60), 0), 2**32 - 1))


class _Event(Struct, frozen=True, gc=False):
    pass


class Started(_Event, frozen=True):
    """The first event of a process: rebuild what is volatile from the store."""


class Opened(_Event, frozen=True):
    """A Noise session stands. `relay` is the host it was dialled for, nil where the peer dialled us."""

    connection: Connection
    relay: RelayKey | None
    handshake_hash: HandshakeHash
    group: Group = SHARED


class Received(_Event, frozen=True):
    """The commands of one frame, in order."""

    connection: Connection
    commands: tuple[Command, ...]


class Closed(_Event, frozen=True):
    """The connection is gone; nothing more comes from it and nothing reaches it."""

    connection: Connection


class Unreachable(_Event, frozen=True):
    """A `Dial` failed: refused, timed out, or answered by somebody who does not hold the key."""

    relay: RelayKey
    reason: str
    group: Group = SHARED


class Found(_Event, frozen=True):
    """A host can be reached on a local network from now on: dial it at once."""

    relay: RelayKey
    host: str


class Gone(_Event, frozen=True):
    """It cannot any more, and whatever was dialled for it is hung up."""

    relay: RelayKey


class TimePassed(_Event, frozen=True):
    """`next_wake` has come, or earlier: harmless."""


class Requested(_Event, frozen=True):
    """The local API asks; exactly one `Answer` follows."""

    request: int
    operation: Any


class Woken(_Event, frozen=True):
    """Look at these queues again: a commit changed them."""

    queues: tuple[QueueNumber, ...]


class Failed(_Event, frozen=True):
    """The batch that held `event` could not be committed: answer it, touch nothing."""

    event: Any
    full: bool


Event: TypeAlias = (
    Started | Opened | Received | Closed | Unreachable | Found | Gone | TimePassed | Requested | Woken | Failed
)
