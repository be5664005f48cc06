"""What a node keeps of relay lists and of relays, a record each (`protocol.mailbox` has their tables)."""

from msgspec import Struct

from protocol.keys import PublisherKey, RelayKey


class FollowedList(Struct, frozen=True, gc=False):
    """The newest list of relays that was taken from one publisher (Spec 11). Key: id."""

    id: int
    publisher: PublisherKey
    serial: int
    digest: bytes
    """SHA-256 of its content."""
    encoded: bytes
    host: str | None
    """The relay that offers it, where it came from one."""
    relay: RelayKey | None


class RelayHealth(Struct, frozen=True, gc=False):
    """How a relay has served this node (Spec 11 §7). Key: relay."""

    relay: RelayKey
    connect_seconds: float
    """From dialling to a session: a moving mean, of which the last one is an eighth. 0 before the first."""
    sessions: int
    failures: int
    """Dials that led to no session."""
    kept: int
    """Envelopes in its custody that contacts have reported as arrived."""
    missed: int
    """Envelopes in its custody that contacts missed, so that they were sent again."""
