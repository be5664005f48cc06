"""What the machines need of a store: one interface a subject, synchronous, inside one transaction.

The SQL versions live in `node.store`; one contract test runs over every version.
"""

from collections.abc import Sequence as Rows
from contextlib import AbstractContextManager
from typing import Protocol, Self, TypeVar

from msgspec import Struct

from protocol.keys import (
    ClaimKey,
    DhPrivate,
    Digest,
    Identity,
    LinkId,
    Minute,
    QueueNumber,
    ReceiveId,
    RecipientKey,
    SenderKey,
    SendId,
    Sequence,
)


class Transaction(Protocol):
    """All or nothing. Leaving the block normally commits; an exception rolls back. Raises StoreError at commit."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...
    def savepoint(self) -> AbstractContextManager[None]:
        """An exception inside undoes what was done inside, and passes on."""


TX = TypeVar("TX", bound=Transaction)
TX_co = TypeVar("TX_co", bound=Transaction, covariant=True)


class Store(Protocol[TX_co]):
    """Owned by one thread."""

    def transaction(self) -> TX_co:
        """For a step that may write."""

    def read(self) -> TX_co:
        """For a step that only reads."""


# The relay's subjects (Spec 8)


class Queue(Struct, frozen=True, gc=False):
    """One queue as its relay knows it."""

    number: QueueNumber
    receive_id: ReceiveId
    recipient_key: RecipientKey
    send_id: SendId
    claim_key: ClaimKey
    sender_key: SenderKey | None
    stored: int = 0
    """Envelopes in it now."""
    markers: int = 0
    """Markers in it now."""
    full: bool = False
    """An envelope was refused for lack of room, and none has been stored since."""
    sequence: int = 0
    """The last one that was given out; 0 where none was."""


class SealedLink(Struct, frozen=True, gc=False):
    """A sealed invitation beside its queue, until `expires` in service seconds."""

    queue: QueueNumber
    sealed: bytes
    expires: float


class Entry(Struct, frozen=True, gc=False):
    """One entry of a queue's stream: an envelope (3,929 bytes) or an encoded marker (shorter)."""

    sequence: Sequence
    body: bytes


class Queues(Protocol):
    def by_receive_id(self, receive_id: ReceiveId) -> Queue | None: ...
    def by_send_id(self, send_id: SendId) -> Queue | None: ...
    def by_number(self, number: QueueNumber) -> Queue | None: ...
    def add(
        self, receive_id: ReceiveId, recipient_key: RecipientKey, send_id: SendId, claim_key: ClaimKey
    ) -> QueueNumber: ...
    def claim(self, number: QueueNumber, sender_key: SenderKey) -> None: ...
    def refuse(self, number: QueueNumber) -> None:
        """Sets `Queue.full`, until the next counted append."""

    def remove(self, number: QueueNumber) -> None:
        """With its links, entries and digests."""


class Links(Protocol):
    def get(self, link_id: LinkId) -> SealedLink | None:
        """Also where its time is over and `expire` has not come to it."""

    def put(self, link_id: LinkId, number: QueueNumber, sealed: bytes, expires: float) -> None:
        """One a queue. `expires` in service seconds."""

    def remove(self, number: QueueNumber) -> None: ...
    def expire(self, service: float, limit: int) -> int:
        """Removes at most `limit` links past their time; how many."""

    def next_expiry(self) -> float | None: ...


class Entries(Protocol):
    def append(self, number: QueueNumber, body: bytes, service: float, counted: bool) -> Sequence:
        """Takes the queue's next sequence, from 1, never used twice. `counted`: an envelope, else a marker."""

    def after(self, number: QueueNumber, sequence: int, limit: int) -> Rows[Entry]: ...
    def remove(self, number: QueueNumber, sequence: Sequence) -> bool:
        """Whether it was there."""

    def expire(self, until: float, limit: int) -> int:
        """Removes at most `limit` entries appended up to this service time; how many."""

    def oldest(self) -> float | None:
        """Service time of the oldest entry."""


class Digests(Protocol):
    def minute(self, number: QueueNumber, digest: Digest) -> Minute | None:
        """The minute at which this envelope was first stored here."""

    def add(self, number: QueueNumber, digest: Digest, minute: Minute, service: float) -> Minute | None:
        """Remembers it, unless it is known: then the minute at which it was first stored here."""

    def expire(self, until: float, limit: int) -> int:
        """Removes at most `limit` digests added up to this service time; how many."""

    def oldest(self) -> float | None:
        """Service time of the oldest digest."""


class KeptCard(Struct, frozen=True, gc=False):
    """What a relay keeps under a name (Spec 13), until `expires` in service seconds. `card` None: it was withdrawn."""

    identity: Identity
    serial: int
    expires: float
    card: bytes | None


class Cards(Protocol):
    def get(self, name: str) -> KeptCard | None:
        """Also where its time is over and `expire` has not come to it."""

    def put(self, name: str, card: KeptCard) -> None:
        """In place of the one that is there."""

    def count(self) -> int: ...
    def expire(self, service: float, limit: int) -> int:
        """Removes at most `limit` past their time; how many."""

    def next_expiry(self) -> float | None: ...


class OnionKey(Struct, frozen=True, gc=False):
    """What onions of one epoch open with (Spec 12 §4)."""

    epoch: int
    """0 to 255."""
    private: DhPrivate
    since: float
    """Service seconds at which it was made."""


class OnionKeys(Protocol):
    def all(self) -> Rows[OnionKey]:
        """In no order; three at most."""

    def add(self, key: OnionKey) -> None: ...
    def remove(self, epoch: int) -> None: ...


class RelayTransaction(Transaction, Protocol):
    @property
    def room(self) -> bool:
        """False while the disk is full: then nothing may be added, so that deletions still find room."""

    @property
    def queues(self) -> Queues: ...
    @property
    def links(self) -> Links: ...
    @property
    def entries(self) -> Entries: ...
    @property
    def digests(self) -> Digests: ...
    @property
    def cards(self) -> Cards: ...
    @property
    def onion_keys(self) -> OnionKeys: ...
