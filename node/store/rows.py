"""What is read from a mailbox, as people and programs see it (Spec 6 §7).

Every row of the timeline has one change number, its first; what happens to it later are changes of their own. So a
reader that keeps the last number it has seen misses nothing and sees nothing twice.
"""

from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias

from msgspec import Struct

ContactState: TypeAlias = Literal["waiting", "active", "refused", "closed"]
MessageState: TypeAlias = Literal["queued", "relayed", "delivered", "received"]
InvitationState: TypeAlias = Literal["open", "claimed", "used", "expired", "cancelled"]
RelayState: TypeAlias = Literal["connected", "connecting", "unreachable", "idle"]
"""`idle`: there is no queue at it yet, so nobody has dialled it."""


class ContactRow(Struct, frozen=True):
    """`waiting` until the inviter's first reply; `refused`: somebody else used the invitation, or it was
    withdrawn; `closed`: they left."""

    contact: int
    name: str
    state: ContactState
    verified: bool
    safety_number: str
    """12 groups of five digits."""
    last_change: int
    unread: int
    direct: bool
    """Whether one of their routes is their own node, and not on local networks only."""
    refused: bool
    """Whether all their relays refuse what is sent to them: they left, which counts as certain (`closed`) in a day."""


class MessageRow(Struct, frozen=True):
    """One text. `state` is `received` for theirs, else how far ours has come; it never goes back."""

    change: int
    contact: int
    message_id: str
    """32 hexadecimal digits."""
    mine: bool
    text: str
    at: float
    """Unix seconds by the author's clock."""
    state: MessageState
    again: int
    """How many times its envelopes were sealed anew."""
    missing_parent: bool
    """Something earlier had not come when this was shown."""


class InvitationRow(Struct, frozen=True):
    invitation: int
    state: InvitationState
    created: float
    expires: float
    claimed_at: int | None
    """Unix minute at which a relay says it was opened."""
    name: str | None


class NearbyRow(Struct, frozen=True):
    """By what a contact and this node recognise each other, and where the one reaches the other directly."""

    contact: int
    own: bytes
    theirs: tuple[bytes, ...]
    relay: bytes | None
    host: str | None
    send_ids: frozenset[bytes]
    """Of this node's own direct queues for the contact."""


class RelayRow(Struct, frozen=True):
    host: str
    key: str
    """base64url, 43 characters."""
    state: RelayState
    since: float
    """Unix seconds."""
    error: str | None


class RelayListRow(Struct, frozen=True):
    """The newest list of relays of one publisher, as it was signed."""

    list: int
    publisher: str
    """base64url, 43 characters."""
    serial: int
    issued: float
    expires: float
    """Unix seconds, both."""
    relays: int
    operators: int
    source: str | None
    """The link to the relay that offers it, where it came from one."""


class ListedRelayRow(Struct, frozen=True):
    address: str
    operator: str


class RelayHealthRow(Struct, frozen=True):
    """What this node has seen of a relay, and who runs it as far as its lists say (Spec 11 §7)."""

    operators: tuple[str, ...] = ()
    connect_seconds: float | None = None
    sessions: int = 0
    failures: int = 0
    kept: int = 0
    missed: int = 0
    loops_returned: int = 0
    loops_lost: int = 0
    drops: bool = False
    """Whether too many were lost of late."""


class CardRow(Struct, frozen=True):
    """A directory card of one's own."""

    card: int
    name: str
    host: str
    relay: str
    """Its address."""
    expires: float
    """Unix seconds."""
    links: tuple[tuple[int, str], ...]
    """Invitations that it lists: number and link."""
    brought: bool
    """Whether its relay is known to have it."""


class MessageChange(MessageRow, frozen=True, tag_field="kind", tag="message"):
    """A new row of the timeline."""


class StateChange(Struct, frozen=True, tag_field="kind", tag="state"):
    """One of our own messages has come further."""

    change: int
    contact: int
    message_id: str
    state: MessageState
    again: int = 0


class ContactChange(ContactRow, frozen=True, tag_field="kind", tag="contact", kw_only=True):
    change: int


class InvitationChange(InvitationRow, frozen=True, tag_field="kind", tag="invitation", kw_only=True):
    change: int


Change: TypeAlias = MessageChange | StateChange | ContactChange | InvitationChange


class Reader(Protocol):
    """One read-only connection to a mailbox; used by one thread at a time. Never the writer's connection."""

    def name(self) -> str | None:
        """What contacts are told that this node's person is called."""

    def relays(self) -> Sequence[tuple[str, bytes]]:
        """The node's own relays in order: host (`ws://name:port`) and key (32 bytes)."""

    def nearby(self) -> Sequence[NearbyRow]:
        """Contacts that may be met on a local network, the one heard from last first."""

    def relay_lists(self) -> Sequence[RelayListRow]:
        """Those that are followed, in the order in which they first were."""

    def listed_relays(self, number: int) -> Sequence[ListedRelayRow] | None:
        """What a followed list names; None: there is no such list."""

    def relay_health(self) -> dict[str, RelayHealthRow]:
        """By the relay's key in base64url: of all relays that are dialled or listed."""

    def cards(self) -> Sequence[CardRow]:
        """Those that this person has at relays."""

    def contacts(self) -> Sequence[ContactRow]: ...
    def invitations(self) -> Sequence[InvitationRow]: ...
    def messages(self, contact: int | None, after: int, limit: int) -> Sequence[MessageRow]:
        """Rows of one contact, or of all, with a change number above `after`, in its order."""

    def changes(self, after: int, limit: int) -> Sequence[Change]:
        """All changes above `after`, in order."""

    def last_change(self) -> int:
        """0 in a new mailbox."""

    def waiting(self) -> int:
        """Messages and envelopes of ours that no relay or contact has taken custody of yet."""

    def queued(self) -> int:
        """Of these, messages."""
