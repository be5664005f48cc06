"""What the personal machine keeps: one record type a subject, and the store interface to them (Spec 6 §2).

Every table has the same few operations; those with a question of their own say so. Rows come back in the order of
their key. Records hold plain values only, so the garbage collector need not look at them (`gc=False`).
"""

from enum import IntEnum
from typing import Protocol, TypeVar

from msgspec import Struct

from protocol.keys import (
    SHARED,
    ClaimSeed,
    DhPrivate,
    Group,
    Identity,
    InvitationSecret,
    KemSeed,
    MessageId,
    Minute,
    PairSecret,
    ReceiveId,
    RelayKey,
    SenderKey,
    SendId,
    SigningKey,
)
from protocol.relays.kept import FollowedList, OwnCard, RelayHealth
from protocol.store import Transaction

R = TypeVar("R", bound=Struct)


class OwnRelay(Struct, array_like=True, frozen=True, gc=False):
    """One host of this node's own queues: a relay, or (`direct`) the relay inside this node."""

    host: str
    relay: RelayKey
    direct: bool


class Profile(Struct, frozen=True, gc=False):
    """The one row about this node's person. Key: id, always 1."""

    id: int
    signing: SigningKey
    dh: DhPrivate
    identity: Identity
    name: str
    relays: bytes
    """msgpack array of OwnRelay, direct first."""


class QueueState(IntEnum):
    """Of an own queue: asked for, confirmed by its relay, no longer announced, to be dropped."""

    CREATING = 1
    READY = 2
    RETIRING = 3
    DROPPING = 4


class OwnQueue(Struct, frozen=True, gc=False):
    """A queue on which this node receives from one contact, or from whoever accepts one invitation. Key: id."""

    id: int
    contact: int | None
    invitation: int | None
    position: int
    host: str
    relay: RelayKey
    direct: bool
    key: SigningKey
    receive_id: ReceiveId
    send_id: SendId
    claim_seed: ClaimSeed
    state: QueueState
    sealed: bytes | None
    """The invitation for the relay to keep; nil once settled."""
    claimed_by: SenderKey | None
    drop_at: float | None


class InvitationState(IntEnum):
    """What became of an invitation."""

    OPEN = 1
    CLAIMED = 2
    USED = 3
    EXPIRED = 4
    CANCELLED = 5


class OwnInvitation(Struct, frozen=True, gc=False):
    """An invitation that this node made; its private keys are gone once it is used. Key: id."""

    id: int
    state: InvitationState
    secret: InvitationSecret | None
    dh: DhPrivate | None
    kem: KemSeed | None
    encoded: bytes
    created: float
    expires: Minute
    """As the invitation says, by the wall clock; for the joiner."""
    drop_at: float
    """Service seconds: no clock that jumps withdraws an invitation."""
    claimed_minute: Minute | None
    name: str | None


class Joining(Struct, frozen=True, gc=False):
    """An invitation being accepted: its keys are saved before the first claim leaves. Key: id."""

    id: int
    secret: InvitationSecret
    encoded: bytes | None
    """The invitation itself, where it came as a file."""
    name: str | None
    candidates: bytes
    """msgpack array of [host, relay, direct, id to claim 16, claim seed, own signing key], in the order of asking."""
    identity: Identity | None = None
    """Whose it must be, where it came from a card."""


class ContactState(IntEnum):
    """WAITING for the inviter's first reply; ACTIVE; REFUSED (the invitation went to somebody else); CLOSED by them."""

    WAITING = 1
    ACTIVE = 2
    REFUSED = 3
    CLOSED = 4


class Contact(Struct, frozen=True, gc=False):
    """Another identity with which a session exists. Key: id."""

    id: int
    name: str
    name_given: bool
    """The person chose the name here; what the contact calls itself does not change it."""
    identity: Identity
    state: ContactState
    inviter: bool
    """This node made the invitation."""
    verified: bool
    reset: bytes
    discovery: bytes
    own_routes_version: int
    peer_routes_version: int
    peer_floor: int
    """Below this index nothing more comes from the contact, so nothing is reported missing."""
    peer_total: int
    """The contact has reported on this node's envelopes up to here."""
    seen_change: int
    """Up to this change its person has looked."""
    unread: int
    """The contact's messages that were shown since."""
    height: int
    """The highest in the conversation."""
    last_own: MessageId | None


class Session(Struct, frozen=True, gc=False):
    """A contact's ratchet, encoded. Key: contact."""

    contact: int
    ratchet: bytes


class Pair(Struct, frozen=True, gc=False):
    """What a contact reads beyond version 1, and by what two contacts recognise each other nearby. Key: contact."""

    contact: int
    features: int
    """What its profile lists."""
    told: bool
    """It was sent a profile that lists discovery."""
    own: PairSecret | None
    own_before: PairSecret | None
    """Until the contact has `own`."""
    own_version: int
    own_since: float
    """Service seconds."""
    theirs: PairSecret | None
    theirs_before: PairSecret | None
    theirs_version: int


class RouteState(IntEnum):
    """Of a contact's queue: its sender key not yet fixed, fixed, or refused by its relay."""

    UNCLAIMED = 1
    CLAIMED = 2
    REFUSED = 3


class PeerRoute(Struct, frozen=True, gc=False):
    """A queue at which a contact receives from this node. Key: id."""

    id: int
    contact: int
    position: int
    host: str
    relay: RelayKey
    direct: bool
    send_id: SendId
    claim_seed: ClaimSeed
    key: SigningKey
    state: RouteState
    retry_at: float
    failures: int
    refused_since: float | None


class ItemKind(IntEnum):
    """What waits to be sent to a contact."""

    FRAGMENT = 1
    RECEIPT = 2
    ROUTES = 3
    PROFILE = 4
    TICK = 5
    """When the next automatic envelope leaves, whatever waits then. `index`: how many ticks are left."""
    PAIR = 6


class OutgoingItem(Struct, frozen=True, gc=False):
    """One item for a contact, until it has arrived (a fragment: until its message is delivered). Key: id."""

    id: int
    contact: int
    kind: ItemKind
    message_id: MessageId | None
    index: int
    due: float
    sealed: int | None
    """The sealed envelope that carries it now; nil where it waits."""
    stored: bool
    """A relay's custody receipt for it was verified, once."""
    arrived: bool


class SealedEnvelope(Struct, frozen=True, gc=False):
    """An envelope made for one route. Kept until the contact says that it arrived, or it is superseded. Key: id."""

    id: int
    contact: int
    route: int
    index: int
    envelope: bytes
    stored_minute: Minute | None
    stored_at: float | None
    """Service seconds of the verified custody; nil while the deposit is not answered."""


class UnderWay(Struct, frozen=True, gc=False):
    """A sealed envelope without its 3,929 bytes, which most steps need not read."""

    id: int
    contact: int
    route: int
    index: int
    stored_at: float | None


class MessageState(IntEnum):
    """QUEUED, RELAYED, DELIVERED for own messages, in this order and never back; RECEIVED for the contact's."""

    QUEUED = 1
    RELAYED = 2
    DELIVERED = 3
    RECEIVED = 4


class Message(Struct, frozen=True, gc=False):
    """One content of a conversation. Key: id."""

    id: int
    contact: int
    message_id: MessageId
    mine: bool
    text: str
    parents: bytes
    """The ids, 16 bytes each."""
    minute: Minute
    height: int
    state: MessageState
    change: int | None
    """Under this number the timeline shows it; nil while it waits for a parent."""
    show_at: float | None
    missing_parent: bool
    resent: int


class Head(Struct, frozen=True, gc=False):
    """A message that no shown message names as parent. Key: contact, message_id."""

    contact: int
    message_id: MessageId
    mine: bool


class Partial(Struct, frozen=True, gc=False):
    """A fragment of a content that is not whole yet. Key: contact, message_id, index."""

    contact: int
    message_id: MessageId
    index: int
    count: int
    chunk: bytes
    at: float


class Skipped(Struct, frozen=True, gc=False):
    """The key of an envelope that has not come yet. Key: contact, turn, number."""

    contact: int
    turn: int
    number: int
    index: int
    key: bytes
    at: float


class Seen(Struct, frozen=True, gc=False):
    """The digest, cut to 16 bytes, of an opened envelope: a duplicate or a fork? Key: contact, turn, number."""

    contact: int
    turn: int
    number: int
    digest: bytes
    at: float


class HostTrouble(Struct, frozen=True, gc=False):
    """A host that cannot be reached since `since` (service seconds) by sessions of this group. Key: relay, group."""

    relay: RelayKey
    since: float
    group: Group = SHARED


class ChangeKind(IntEnum):
    """What a change number stands for."""

    MESSAGE = 1
    STATE = 2
    CONTACT = 3
    INVITATION = 4


class Change(Struct, frozen=True, gc=False):
    """One row of what happened, for readers with a cursor. Key: number."""

    number: int
    kind: ChangeKind
    row: int
    """The message, contact or invitation."""
    state: int


class Table(Protocol[R]):
    """A set of records."""

    def get(self, *key: object) -> R | None: ...
    def add(self, record: R) -> int:
        """Insert a record whose key is one integer, under the next number (its own key field is ignored)."""

    def save(self, record: R) -> None:
        """Insert, or replace what has the same key."""

    def update(self, *key: object, **changes: object) -> None:
        """Change some fields of the row of this key; nothing where there is none."""

    def remove(self, *key: object) -> None: ...
    def remove_where(self, **equal: object) -> None: ...
    def find(self, limit: int | None = None, **equal: object) -> list[R]: ...
    def count(self, **equal: object) -> int: ...


class OwnQueues(Table[OwnQueue], Protocol):
    """Of all contacts and invitations."""

    def hosts(self) -> list[OwnRelay]:
        """Where these queues are, each once."""


class OutgoingItems(Table[OutgoingItem], Protocol):
    """Items that wait (`sealed` nil, not arrived) have a due time: infinite where they only ride along."""

    def waiting(self, contact: int, service: float, limit: int) -> list[OutgoingItem]:
        """What is due at this time first; otherwise in the order in which it came to wait."""

    def is_due(self, contact: int, service: float) -> bool: ...
    def due_contacts(self, service: float) -> list[int]:
        """Contacts with something waiting whose time has come."""

    def next_due(self, after: float | None = None) -> float | None:
        """The earliest due time of what waits; after a time where one is given."""

    def all_stored(self, contact: int, message_id: MessageId) -> bool: ...


class SealedEnvelopes(Table[SealedEnvelope], Protocol):
    """Envelopes under way."""

    def lowest_index(self, contact: int) -> int | None: ...
    def brief(self, number: int) -> UnderWay | None: ...
    def below(self, contact: int, total: int) -> list[UnderWay]:
        """Those with an index below `total`."""

    def any_unstored(self) -> bool:
        """Whether some deposit is not answered."""

    def unstored(self, relay: RelayKey, service: float, limit: int, contact: int | None = None) -> list[SealedEnvelope]:
        """Deposits at a host that nobody answered, on routes that may be used now, oldest first; of one contact?"""

    def stored_before(self, service: float, limit: int) -> list[UnderWay]: ...


class Messages(Table[Message], Protocol):
    """Conversations."""

    def by_id(self, contact: int, message_id: MessageId) -> Message | None: ...
    def unread(self, contact: int, after: int) -> int:
        """How many of the contact's own are shown above this change number."""

    def hidden(self, contact: int) -> list[Message]:
        """Those that wait for a parent."""

    def missing_parents(self, contact: int) -> list[Message]:
        """Those that were shown before something that they name."""

    def shown_from(self, contact: int, change: int) -> list[Message]:
        """Those with this change number or a higher one."""

    def next_show(self) -> float | None: ...
    def overdue(self, service: float) -> list[Message]: ...


class SkippedKeys(Table[Skipped], Protocol):
    """Keys of what has not come."""

    def missing(self, contact: int, floor: int, limit: int) -> list[int]:
        """The lowest indexes at or above `floor`."""


class PersonalTransaction(Transaction, Protocol):
    """All subjects of the mailbox."""

    @property
    def profile(self) -> Table[Profile]: ...
    @property
    def queues(self) -> OwnQueues: ...
    @property
    def invitations(self) -> Table[OwnInvitation]: ...
    @property
    def joining(self) -> Table[Joining]: ...
    @property
    def contacts(self) -> Table[Contact]: ...
    @property
    def sessions(self) -> Table[Session]: ...
    @property
    def pairs(self) -> Table[Pair]: ...
    @property
    def routes(self) -> Table[PeerRoute]: ...
    @property
    def items(self) -> OutgoingItems: ...
    @property
    def envelopes(self) -> SealedEnvelopes: ...
    @property
    def messages(self) -> Messages: ...
    @property
    def heads(self) -> Table[Head]: ...
    @property
    def partials(self) -> Table[Partial]: ...
    @property
    def skipped(self) -> SkippedKeys: ...
    @property
    def seen(self) -> Table[Seen]: ...
    @property
    def troubles(self) -> Table[HostTrouble]: ...
    @property
    def relay_lists(self) -> Table[FollowedList]: ...
    @property
    def cards(self) -> Table[OwnCard]: ...
    @property
    def relay_health(self) -> Table[RelayHealth]: ...
    @property
    def changes(self) -> Table[Change]: ...

    def forget(self, before: float) -> None:
        """Remove skipped keys, digests and partial contents from before this service time."""
