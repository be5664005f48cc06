"""A relay's store in dicts, for worlds of many nodes. Every change leaves what it replaced in a log."""

from collections.abc import Sequence as Rows
from itertools import takewhile
from typing import Any, NamedTuple, TypeVar

from msgspec.structs import replace

from protocol.keys import (
    ClaimKey,
    Digest,
    LinkId,
    Minute,
    QueueNumber,
    ReceiveId,
    RecipientKey,
    SenderKey,
    SendId,
    Sequence,
)
from protocol.store import Entry, KeptCard, OnionKey, Queue, SealedLink
from simulations.table import DictStore, DictTransaction

K = TypeVar("K")
V = TypeVar("V", "_Entry", "_Digest")

_NOTHING = object()
_KEPT_DIGEST_BYTES = 16


class _Entry(NamedTuple):
    service: float
    body: bytes
    counted: bool


class _Digest(NamedTuple):
    service: float
    minute: Minute


class DictRelayTransaction(DictTransaction):
    """`protocol.store.RelayTransaction`. Entries and digests are in the order of time; the log holds (dict, key, value
    before)."""

    def __init__(self) -> None:
        super().__init__()
        self.room = True
        self.last_number = 0
        self.queue: dict[QueueNumber, Queue] = {}
        self.receiving: dict[ReceiveId, QueueNumber] = {}
        self.sending: dict[SendId, QueueNumber] = {}
        self.link: dict[LinkId, SealedLink] = {}
        self.entry: dict[tuple[QueueNumber, Sequence], _Entry] = {}
        self.digest: dict[tuple[QueueNumber, bytes], _Digest] = {}
        self.card: dict[str, KeptCard] = {}
        self.onion_key: dict[int, OnionKey] = {}
        self.queues = DictQueues(self)
        self.links = DictLinks(self)
        self.entries = DictEntries(self)
        self.digests = DictDigests(self)
        self.cards = DictCards(self)
        self.onion_keys = DictOnionKeys(self)

    def copied(self) -> tuple[list[dict[Any, Any]], int]:
        """All that is stored, for `bring_back`."""
        return [table.copy() for table in self._tables()], self.last_number

    def bring_back(self, copied: tuple[list[dict[Any, Any]], int]) -> None:
        """What `copied` returned."""
        for table, rows in zip(self._tables(), copied[0], strict=True):
            table.clear()
            table.update(rows)
        self.last_number = copied[1]

    def _tables(self) -> list[dict[Any, Any]]:
        return [self.queue, self.receiving, self.sending, self.link, self.entry, self.digest, self.card, self.onion_key]

    def undo(self, mark: int) -> None:
        """Back to where the log was `mark` long."""
        if len(self.log) == mark:
            return
        for table, key, before in reversed(self.log[mark:]):
            if before is _NOTHING:
                del table[key]
            else:
                table[key] = before
        del self.log[mark:]
        _sort_by_time(self.entry)  # what came back came to the end
        _sort_by_time(self.digest)

    def put(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        self.log.append((table, key, table.get(key, _NOTHING)))
        table[key] = value

    def delete(self, table: dict[Any, Any], key: Any) -> None:
        self.log.append((table, key, table.pop(key)))


class DictRelayStore(DictStore[DictRelayTransaction]):
    """A relay's."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(DictRelayTransaction())


class DictQueues:
    def __init__(self, transaction: DictRelayTransaction) -> None:
        self._tx = transaction

    def by_receive_id(self, receive_id: ReceiveId) -> Queue | None:
        return self.by_number(self._tx.receiving.get(receive_id))

    def by_send_id(self, send_id: SendId) -> Queue | None:
        return self.by_number(self._tx.sending.get(send_id))

    def by_number(self, number: QueueNumber | None) -> Queue | None:
        return None if number is None else self._tx.queue.get(number)

    def add(
        self, receive_id: ReceiveId, recipient_key: RecipientKey, send_id: SendId, claim_key: ClaimKey
    ) -> QueueNumber:
        self._tx.last_number += 1
        number = QueueNumber(self._tx.last_number)
        self._tx.put(self._tx.queue, number, Queue(number, receive_id, recipient_key, send_id, claim_key, None))
        self._tx.put(self._tx.receiving, receive_id, number)
        self._tx.put(self._tx.sending, send_id, number)
        return number

    def claim(self, number: QueueNumber, sender_key: SenderKey) -> None:
        self._tx.put(self._tx.queue, number, replace(self._tx.queue[number], sender_key=sender_key))

    def refuse(self, number: QueueNumber) -> None:
        self._tx.put(self._tx.queue, number, replace(self._tx.queue[number], full=True))

    def remove(self, number: QueueNumber) -> None:
        queue = self._tx.queue[number]
        self._tx.links.remove(number)
        for place in [place for place in self._tx.entry if place[0] == number]:
            self._tx.delete(self._tx.entry, place)
        for name in [name for name in self._tx.digest if name[0] == number]:
            self._tx.delete(self._tx.digest, name)
        self._tx.delete(self._tx.receiving, queue.receive_id)
        self._tx.delete(self._tx.sending, queue.send_id)
        self._tx.delete(self._tx.queue, number)


class DictLinks:
    def __init__(self, transaction: DictRelayTransaction) -> None:
        self._tx = transaction

    def get(self, link_id: LinkId) -> SealedLink | None:
        return self._tx.link.get(link_id)

    def put(self, link_id: LinkId, number: QueueNumber, sealed: bytes, expires: float) -> None:
        self._tx.put(self._tx.link, link_id, SealedLink(number, sealed, expires))

    def remove(self, number: QueueNumber) -> None:
        for link_id in [link_id for link_id, link in self._tx.link.items() if link.queue == number]:
            self._tx.delete(self._tx.link, link_id)

    def expire(self, service: float, limit: int) -> int:
        past = sorted((link.expires, link_id) for link_id, link in self._tx.link.items() if link.expires <= service)
        for _, link_id in past[:limit]:
            self._tx.delete(self._tx.link, link_id)
        return len(past[:limit])

    def next_expiry(self) -> float | None:
        return min((link.expires for link in self._tx.link.values()), default=None)


class DictEntries:
    def __init__(self, transaction: DictRelayTransaction) -> None:
        self._tx = transaction

    def append(self, number: QueueNumber, body: bytes, service: float, counted: bool) -> Sequence:
        sequence = Sequence(self._tx.queue[number].sequence + 1)
        self._tx.put(self._tx.entry, (number, sequence), _Entry(service, body, counted))
        self._count(number, 1, counted, sequence)
        return sequence

    def after(self, number: QueueNumber, sequence: int, limit: int) -> Rows[Entry]:
        queue = self._tx.queue.get(number)
        left = 0 if queue is None else queue.stored + queue.markers
        found: list[Entry] = []
        at = Sequence(queue.sequence if queue else 0)
        while left and at > sequence:  # from the newest: what was acknowledged long ago is never walked over
            entry = self._tx.entry.get((number, at))
            if entry is not None:
                found.append(Entry(at, entry.body))
                left -= 1
            at = Sequence(at - 1)
        return found[: -limit - 1 : -1]

    def remove(self, number: QueueNumber, sequence: Sequence) -> bool:
        entry = self._tx.entry.get((number, sequence))
        if entry is None:
            return False
        self._tx.delete(self._tx.entry, (number, sequence))
        self._count(number, -1, entry.counted)
        return True

    def expire(self, until: float, limit: int) -> int:
        past = [place for place, _ in takewhile(lambda row: row[1].service <= until, self._tx.entry.items())][:limit]
        for number, sequence in past:
            self.remove(number, sequence)
        return len(past)

    def oldest(self) -> float | None:
        return next((entry.service for entry in self._tx.entry.values()), None)

    def _count(self, number: QueueNumber, by: int, counted: bool, sequence: int | None = None) -> None:
        queue = self._tx.queue[number]
        if counted:
            changes = {"stored": queue.stored + by, "full": queue.full and by < 0}
        else:
            changes = {"markers": queue.markers + by}
        self._tx.put(self._tx.queue, number, replace(queue, sequence=sequence or queue.sequence, **changes))


class DictDigests:
    def __init__(self, transaction: DictRelayTransaction) -> None:
        self._tx = transaction

    def minute(self, number: QueueNumber, digest: Digest) -> Minute | None:
        known = self._tx.digest.get((number, digest[:_KEPT_DIGEST_BYTES]))
        return known.minute if known else None

    def add(self, number: QueueNumber, digest: Digest, minute: Minute, service: float) -> Minute | None:
        known = self._tx.digest.get((number, digest[:_KEPT_DIGEST_BYTES]))
        if known is not None:
            return known.minute
        self._tx.put(self._tx.digest, (number, digest[:_KEPT_DIGEST_BYTES]), _Digest(service, minute))
        return None

    def expire(self, until: float, limit: int) -> int:
        past = [name for name, _ in takewhile(lambda row: row[1].service <= until, self._tx.digest.items())][:limit]
        for name in past:
            self._tx.delete(self._tx.digest, name)
        return len(past)

    def oldest(self) -> float | None:
        return next((digest.service for digest in self._tx.digest.values()), None)


def _sort_by_time(table: dict[K, V]) -> None:
    rows = sorted(table.items(), key=lambda row: row[1].service)
    table.clear()
    table.update(rows)


class DictCards:
    """A handful in any world, so they are looked through."""

    def __init__(self, transaction: DictRelayTransaction) -> None:
        self._tx = transaction

    def get(self, name: str) -> KeptCard | None:
        return self._tx.card.get(name)

    def put(self, name: str, card: KeptCard) -> None:
        self._tx.put(self._tx.card, name, card)

    def count(self) -> int:
        return len(self._tx.card)

    def expire(self, service: float, limit: int) -> int:
        over = sorted((card.expires, name) for name, card in self._tx.card.items() if card.expires <= service)[:limit]
        for _, name in over:
            self._tx.delete(self._tx.card, name)
        return len(over)

    def next_expiry(self) -> float | None:
        return min((card.expires for card in self._tx.card.values()), default=None)


class DictOnionKeys:
    def __init__(self, transaction: DictRelayTransaction) -> None:
        self._transaction = transaction

    def all(self) -> Rows[OnionKey]:
        return list(self._transaction.onion_key.values())

    def add(self, key: OnionKey) -> None:
        self._transaction.put(self._transaction.onion_key, key.epoch, key)

    def remove(self, epoch: int) -> None:
        self._transaction.delete(self._transaction.onion_key, epoch)
