"""What a node keeps of relay lists and of relays, a record each (`protocol.mailbox` has their tables)."""

from msgspec import Struct

from protocol.keys import Minute, PublisherKey, RelayKey

MOST_MISSING = 0.3


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


class OwnCard(Struct, frozen=True, gc=False):
    """A card of this person's at a relay (Spec 13). Key: id."""

    id: int
    name: str
    host: str
    relay: RelayKey
    serial: int
    expires: Minute
    links: bytes
    """msgpack array of [number of an invitation of its own, its link]; empty: the card was withdrawn."""
    brought: bool
    """Whether the relay is known to have it."""


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
    loops_returned: int = 0
    """Of what this node sent to itself through it (Spec 10 §9), how often it did its part, and how often not."""
    loops_lost: int = 0
    missing_stored: float = 0.0
    """The share, of late, that it had stored and that did not come: a moving mean, of which the last is an eighth."""
    missing_forwarded: float = 0.0
    """The share that it was to bring to another relay, and never answered: the same."""

    @property
    def drops(self) -> bool:
        """Three in a row, or one in three for long."""
        return max(self.missing_stored, self.missing_forwarded) > MOST_MISSING
