"""A person's mailbox in dicts, for worlds of many nodes: `protocol.mailbox.PersonalTransaction` without SQLite.

It answers as `node.store.mailbox` does, orders included; one contract test runs over both.
"""

from typing import Any

from msgspec.structs import replace

from protocol.keys import MessageId, RelayKey
from protocol.limits import ENVELOPE_BYTES
from protocol.mailbox import (
    Change,
    Contact,
    Head,
    HostTrouble,
    ItemKind,
    Joining,
    Message,
    OutgoingItem,
    OwnInvitation,
    OwnQueue,
    OwnRelay,
    Pair,
    Partial,
    PeerRoute,
    Profile,
    RouteState,
    SealedEnvelope,
    Seen,
    Session,
    Skipped,
    UnderWay,
)
from protocol.relays.kept import FollowedList, OwnCard, RelayHealth
from simulations.table import OUTSIDE, DictStore, DictTable, DictTransaction, Shape
from simulations.zeros import pack, unpack


def _waiting(item: OutgoingItem) -> object:
    return item.contact if item.sealed is None and not item.arrived else OUTSIDE


def _unstored(row: SealedEnvelope) -> object:
    return row.route if row.stored_at is None else OUTSIDE


def _stored(row: SealedEnvelope) -> object:
    return OUTSIDE if row.stored_at is None else None


def _named(message: Message) -> object:
    return message.contact, message.message_id


def _hidden(message: Message) -> object:
    return message.contact if message.change is None else OUTSIDE


def _missing(message: Message) -> object:
    return message.contact if message.missing_parent else OUTSIDE


def _awaited(message: Message) -> object:
    return OUTSIDE if message.show_at is None else None


_NUMBERED = Shape(("id",))
_QUEUES = Shape(("id",), ("contact", "invitation", "relay"))
_ROUTES = Shape(("id",), ("contact", "relay"))
_ITEMS = Shape(("id",), ("sealed", "contact"), waiting=_waiting)
_ENVELOPES = Shape(("id",), ("contact", "route"), unstored=_unstored, stored=_stored)
_MESSAGES = Shape(("id",), ("contact",), named=_named, hidden=_hidden, missing=_missing, awaited=_awaited)
_SESSIONS = Shape(("contact",))
_HEADS = Shape(("contact", "message_id"), ("contact",))
_PARTIALS = Shape(("contact", "message_id", "index"), ("message_id", "contact"))
_SKIPPED = Shape(("contact", "turn", "number"), ("contact",))
_SEEN = Shape(("contact", "turn", "number"), ("contact",))
_TROUBLES = Shape(("relay", "group"))
_HEALTH = Shape(("relay",))
_CHANGES = Shape(("number",))


class DictOwnQueues(DictTable[OwnQueue]):
    """`protocol.mailbox.OwnQueues`."""

    __slots__ = ()

    def hosts(self) -> list[OwnRelay]:
        newest = {queue.relay: queue for queue in sorted(self.rows.values(), key=lambda queue: queue.id)}
        queues = sorted(newest.values(), key=lambda queue: queue.id)
        return [OwnRelay(queue.host, queue.relay, queue.direct) for queue in queues]


class DictOutgoingItems(DictTable[OutgoingItem]):
    """`protocol.mailbox.OutgoingItems`."""

    __slots__ = ()

    def waiting(self, contact: int, service: float, limit: int) -> list[OutgoingItem]:
        """What is due first; otherwise in the order in which it came to wait."""
        rows = [self.rows[key] for key in self.found("waiting", contact)]
        return sorted(rows, key=lambda row: row.due > service)[:limit]

    def is_due(self, contact: int, service: float) -> bool:
        """Whether something must be sent now."""
        if not self._is_small():
            return any(self.rows[key].due <= service for key in self.found("waiting", contact))
        for row in self.rows.values():
            if row.due <= service and row.contact == contact and row.sealed is None and not row.arrived:
                return True
        return False

    def due_contacts(self, service: float) -> list[int]:
        """In the order of their numbers."""
        return sorted({row.contact for row in self.all_found("waiting") if row.due <= service})

    def next_due(self, after: float | None = None) -> float | None:
        """The earliest time (after `after`) at which something must be sent."""
        later = -1.0 if after is None else after
        rows = self.rows.values() if self._is_small() else self.all_found("waiting")
        return min(
            [row.due for row in rows if row.due > later and row.sealed is None and not row.arrived], default=None
        )

    def all_stored(self, contact: int, message_id: MessageId) -> bool:
        """Whether every fragment of a message has been in a relay's custody."""
        items = (self.rows[key] for key in self.found("contact", contact))
        return all(item.stored for item in items if item.message_id == message_id and item.kind is ItemKind.FRAGMENT)


class DictSessions(DictTable[Session]):
    """Kept without their zeros."""

    __slots__ = ()

    def get(self, *key: object) -> Session | None:
        """With its zeros."""
        row = self.rows.get(key[0])
        return None if row is None else Session(row.contact, unpack(row.ratchet))

    def save(self, record: Session) -> None:
        """Insert or replace."""
        super().save(Session(record.contact, pack(record.ratchet)))

    def find(self, limit: int | None = None, **equal: object) -> list[Session]:
        """With their zeros; `equal` may name contacts."""
        return [Session(row.contact, unpack(row.ratchet)) for row in super().find(limit, **equal)]


class DictSealedEnvelopes(DictTable[SealedEnvelope]):
    """`protocol.mailbox.SealedEnvelopes`."""

    __slots__ = ("_routes",)

    def __init__(self, transaction: DictTransaction, routes: DictTable[PeerRoute]) -> None:
        super().__init__(transaction, _ENVELOPES)
        self._routes = routes

    def get(self, *key: object) -> SealedEnvelope | None:
        """With its zeros."""
        row = self.rows.get(key[0])
        return None if row is None else _whole(row)

    def find(self, limit: int | None = None, **equal: object) -> list[SealedEnvelope]:
        """With their zeros; `equal` names no envelope."""
        return [_whole(row) for row in super().find(limit, **equal)]

    def update(self, *key: object, **changes: object) -> None:
        """What is in a relay's custody is kept without its zeros: it is read again only if something is lost."""
        row = self.rows.get(key[0])
        if row is not None and changes.get("stored_at") is not None and len(row.envelope) == ENVELOPE_BYTES:
            changes["envelope"] = pack(row.envelope)
        super().update(*key, **changes)

    def lowest_index(self, contact: int) -> int | None:
        """Of those that are under way."""
        if not self.rows:
            return None
        return min([self.rows[key].index for key in self.found("contact", contact)], default=None)

    def brief(self, number: int) -> UnderWay | None:
        """Without its bytes."""
        row = self.rows.get(number)
        return None if row is None else _brief(row)

    def below(self, contact: int, total: int) -> list[UnderWay]:
        """In the order of their indexes."""
        if not self.rows:
            return []
        rows = [self.rows[key] for key in self.found("contact", contact)]
        return [_brief(row) for row in sorted(rows, key=lambda row: row.index) if row.index < total]

    def any_unstored(self) -> bool:
        """Whether some deposit is not answered."""
        if not self._is_small():
            return bool(self.all_found("unstored"))
        return None in [row.stored_at for row in self.rows.values()]

    def unstored(self, relay: RelayKey, service: float, limit: int, contact: int | None = None) -> list[SealedEnvelope]:
        """Deposits at a host that nobody answered, on routes that may be used now, oldest first."""
        if not self.rows:
            return []
        usable = [
            row.id for row in self._routes.find(relay=relay)
            if row.state is RouteState.CLAIMED and row.retry_at <= service and contact in {None, row.contact}
        ]  # fmt: skip
        keys = sorted(key for route in usable for key in self.found("unstored", route))
        return [_whole(self.rows[key]) for key in keys[:limit]]

    def stored_before(self, service: float, limit: int) -> list[UnderWay]:
        """Custody older than this, oldest first."""
        rows = [
            (row.stored_at, row.id, row) for row in self.all_found("stored")
            if row.stored_at is not None and row.stored_at < service
        ]  # fmt: skip
        return [_brief(row) for _, _, row in sorted(rows)[:limit]]


class DictMessages(DictTable[Message]):
    """`protocol.mailbox.Messages`."""

    __slots__ = ()

    def by_id(self, contact: int, message_id: MessageId) -> Message | None:
        """The message of this name."""
        if self._is_small():
            for row in self.rows.values():
                if row.message_id == message_id and row.contact == contact:
                    return row
            return None
        keys = self.found("named", (contact, message_id))
        return self.rows[keys[0]] if keys else None

    def unread(self, contact: int, after: int) -> int:
        """How many of the contact's own are shown above this change number."""
        return sum(not row.mine and row.change is not None and row.change > after for row in self._of(contact))

    def hidden(self, contact: int) -> list[Message]:
        """In the order in which they came."""
        return [self.rows[key] for key in self.found("hidden", contact)]

    def missing_parents(self, contact: int) -> list[Message]:
        """In the order of their numbers."""
        return [self.rows[key] for key in self.found("missing", contact)]

    def shown_from(self, contact: int, change: int) -> list[Message]:
        """In the order in which they were shown."""
        shown = [(row.change, row) for row in self._of(contact) if row.change is not None and row.change >= change]
        return [row for _, row in sorted(shown, key=lambda pair: pair[0])]

    def next_show(self) -> float | None:
        """When the next hidden one is shown all the same."""
        return min((row.show_at for row in self.all_found("awaited") if row.show_at is not None), default=None)

    def overdue(self, service: float) -> list[Message]:
        """In the order in which they came."""
        rows = [self.rows[key] for key in self.found("awaited", None)]
        return [row for row in rows if row.show_at is not None and row.show_at <= service]

    def _of(self, contact: int) -> list[Message]:
        return [self.rows[key] for key in self.found("contact", contact)]


class DictSkippedKeys(DictTable[Skipped]):
    """`protocol.mailbox.SkippedKeys`."""

    __slots__ = ()

    def missing(self, contact: int, floor: int, limit: int) -> list[int]:
        """In ascending order."""
        if not self.rows:
            return []
        indexes = [self.rows[key].index for key in self.found("contact", contact)]
        return sorted(index for index in indexes if index >= floor)[:limit]


class DictMailboxTransaction(DictTransaction):
    """`protocol.mailbox.PersonalTransaction`."""

    __slots__ = (
        "cards", "changes", "contacts", "envelopes", "heads", "invitations", "items", "joining", "messages", "pairs",
        "partials", "profile", "queues", "relay_health", "relay_lists", "routes", "seen", "sessions", "skipped",
        "troubles",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.profile: DictTable[Profile] = DictTable(self, _NUMBERED)
        self.queues = DictOwnQueues(self, _QUEUES)
        self.invitations: DictTable[OwnInvitation] = DictTable(self, _NUMBERED)
        self.joining: DictTable[Joining] = DictTable(self, _NUMBERED)
        self.contacts: DictTable[Contact] = DictTable(self, _NUMBERED)
        self.sessions = DictSessions(self, _SESSIONS)
        self.pairs: DictTable[Pair] = DictTable(self, _SESSIONS)
        self.routes: DictTable[PeerRoute] = DictTable(self, _ROUTES)
        self.items = DictOutgoingItems(self, _ITEMS)
        self.envelopes = DictSealedEnvelopes(self, self.routes)
        self.messages = DictMessages(self, _MESSAGES)
        self.heads: DictTable[Head] = DictTable(self, _HEADS)
        self.partials: DictTable[Partial] = DictTable(self, _PARTIALS)
        self.skipped = DictSkippedKeys(self, _SKIPPED)
        self.seen: DictTable[Seen] = DictTable(self, _SEEN)
        self.troubles: DictTable[HostTrouble] = DictTable(self, _TROUBLES)
        self.relay_lists: DictTable[FollowedList] = DictTable(self, _NUMBERED)
        self.cards: DictTable[OwnCard] = DictTable(self, _NUMBERED)
        self.relay_health: DictTable[RelayHealth] = DictTable(self, _HEALTH)
        self.changes: DictTable[Change] = DictTable(self, _CHANGES)

    def tables(self) -> list[DictTable[Any]]:
        """All of them, always in the same order."""
        return [getattr(self, name) for name in DictMailboxTransaction.__slots__]

    def copied(self) -> list[tuple[dict[Any, Any], int]]:
        """All that is stored, for `bring_back`."""
        return [(table.rows.copy(), table.last) for table in self.tables()]

    def bring_back(self, copied: list[tuple[dict[Any, Any], int]]) -> None:
        """What `copied` returned."""
        for table, (rows, last) in zip(self.tables(), copied, strict=True):
            table.replace_all(rows, last)

    def forget(self, before: float) -> None:
        """Skipped keys, digests and partial contents from before this service time."""
        of_time: tuple[DictTable[Skipped] | DictTable[Seen] | DictTable[Partial], ...] = (
            self.skipped, self.seen, self.partials,
        )  # fmt: skip
        for table in of_time:
            table.remove_all([key for key, row in table.rows.items() if row.at < before])


class DictMailboxStore(DictStore[DictMailboxTransaction]):
    """A node's."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(DictMailboxTransaction())


def _whole(row: SealedEnvelope) -> SealedEnvelope:
    return row if len(row.envelope) == ENVELOPE_BYTES else replace(row, envelope=unpack(row.envelope))


def _brief(row: SealedEnvelope) -> UnderWay:
    return UnderWay(row.id, row.contact, row.route, row.index, row.stored_at)
