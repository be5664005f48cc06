"""What the local API asks of the personal machine, each answered once, and what is answered (Spec 6 §7).

Reads do not come here: the API reads the store with connections of its own.
"""

from typing import TypeAlias

from msgspec import Struct

from protocol.keys import Identity, MessageId, PublisherKey, RelayKey


class _Operation(Struct, frozen=True):
    pass


class Configure(_Operation, frozen=True):
    """The whole list of this node's own relays, in order: `(host, key)`. `direct` where this node itself listens."""

    relays: tuple[tuple[str, RelayKey], ...]
    direct: tuple[str, RelayKey] | None


class SetName(_Operation, frozen=True):
    """The name that contacts are told; NFC, 1 to 64 bytes."""

    name: str


class Invite(_Operation, frozen=True):
    """Make an invitation. Answered with `Invited` once a relay holds its queue and sealed invitation."""

    lifetime_minutes: int
    name: str | None
    """What to call who accepts, until they say their own name."""


class Accept(_Operation, frozen=True):
    """Accept a link (`kassiber://…`) or a file's bytes. Answered with `ContactMade` once claimed and stored."""

    link: str | None
    file: bytes | None
    name: str | None
    identity: Identity | None = None
    """Whose invitation it must be: it came from a card."""


class CancelInvitation(_Operation, frozen=True):
    """Withdraw an open invitation: its queues are dropped."""

    invitation: int


class SendText(_Operation, frozen=True):
    """Queue a text for a contact. Answered with `Queued` once durable. NUL is text; no normalisation."""

    contact: int
    text: str


class SetContact(_Operation, frozen=True):
    """Rename a contact (nil: leave), mark it verified or not (nil: leave)."""

    contact: int
    name: str | None
    verified: bool | None


class RemoveContact(_Operation, frozen=True):
    """Drop the contact's queues at their relays, its keys and its messages."""

    contact: int


class MarkSeen(_Operation, frozen=True):
    """The person has looked at a conversation up to this change number."""

    contact: int
    change: int


class FollowList(_Operation, frozen=True):
    """Take a signed list of relays, the first of its publisher or a newer one; answered with `ListTaken`.

    A node without a relay of its own takes two from all its lists at once.
    """

    encoded: bytes
    publisher: PublisherKey | None
    """Whose it must be. Nil: of who signs what this relay offers; else of whoever it says."""
    offered_by: tuple[str, RelayKey] | None
    """Host and key of the relay that it came from."""


class UnfollowList(_Operation, frozen=True):
    """Forget a list and its publisher. Relays that were taken from it stay."""

    number: int


class ChooseRelays(_Operation, frozen=True):
    """Take relays of different operators from all lists until this node has `count`; answered with `RelaysChosen`."""

    count: int


class SignCard(_Operation, frozen=True):
    """Sign a card for a relay's directory, the next of this name; answered with `CardSigned`. Not sent by that."""

    name: str
    host: str
    relay: RelayKey
    links: tuple[tuple[int, str], ...]
    """Invitations that it lists, by number and link. None: it withdraws the card."""


class CardBrought(_Operation, frozen=True):
    """The relay has the card that was signed last."""

    number: int


class ForgetCard(_Operation, frozen=True):
    """The relay has, or wants, no such card any more."""

    number: int


Operation: TypeAlias = (
    Configure
    | SetName
    | Invite
    | Accept
    | CancelInvitation
    | SendText
    | SetContact
    | RemoveContact
    | MarkSeen
    | FollowList
    | UnfollowList
    | ChooseRelays
    | SignCard
    | CardBrought
    | ForgetCard
)


class Invited(Struct, frozen=True):
    """`link` for sharing; `file` holds the same invitation whole; `expires` in Unix seconds; `relays` confirmed."""

    invitation: int
    link: str
    file: bytes
    expires: float
    relays: int


class ContactMade(Struct, frozen=True):
    """The contact's number; it is *waiting* until the inviter's first reply."""

    contact: int


class Queued(Struct, frozen=True):
    """Durable at this node; `change` numbers its timeline row."""

    message_id: MessageId
    change: int


class ChosenRelay(Struct, frozen=True):
    """A relay that was taken from a list, and the names of its operator."""

    host: str
    relay: RelayKey
    operators: tuple[str, ...]


class RelaysChosen(Struct, frozen=True):
    """What was added to this node's own relays, in order."""

    relays: tuple[ChosenRelay, ...]


class ListTaken(Struct, frozen=True):
    """The list is kept under this number. `first`: of its publisher."""

    number: int
    publisher: PublisherKey
    first: bool
    chosen: tuple[ChosenRelay, ...]
    """Taken as this node's own relays, as it had none."""
    too_few: str | None
    """Why none were taken though it has none."""


class CardSigned(Struct, frozen=True):
    """The card's bytes, kept under this number."""

    number: int
    card: bytes


class Carried(Struct, frozen=True):
    """The operation is done."""
