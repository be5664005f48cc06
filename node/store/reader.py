"""Reads a mailbox for the API (`node.store.rows.Reader`): a read-only connection of its own, never the writer's."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import msgpack

from node.store.database import open_reader
from node.store.mailbox import SCHEMA
from node.store.rows import (
    CardRow,
    Change,
    ContactChange,
    ContactRow,
    InvitationChange,
    InvitationRow,
    ListedRelayRow,
    MessageChange,
    MessageRow,
    NearbyRow,
    RelayHealthRow,
    RelayListRow,
    StateChange,
)
from protocol.discovery.announcement import NEARBY_HOST
from protocol.keys import Identity, RelayKey
from protocol.mailbox import (
    ChangeKind,
    ContactState,
    InvitationState,
    ItemKind,
    MessageState,
    OwnRelay,
    QueueState,
    RouteState,
)
from protocol.relays.kept import RelayHealth
from protocol.relays.links import format_list_link, format_publisher
from protocol.relays.relay_list import RelayList, parse_list
from protocol.relays.selection import merge
from protocol.session.identity import safety_number
from protocol.wire.addresses import Host, format_address, format_key

_relays = msgpack.Decoder(tuple[OwnRelay, ...])
_CONTACT_STATES: dict[int, Any] = {state.value: state.name.lower() for state in ContactState}
_MESSAGE_STATES: dict[int, Any] = {state.value: state.name.lower() for state in MessageState}
_INVITATION_STATES: dict[int, Any] = {state.value: state.name.lower() for state in InvitationState}

_REFUSALS = 3
"""As many in turn, and by every relay, are no accident."""
_CONTACTS = f"""
    SELECT c.id, c.name, c.state, c.verified, c.identity,
        (SELECT coalesce(max(m.change), 0) FROM messages m WHERE m.contact = c.id),
        c.unread,
        EXISTS (SELECT 1 FROM routes r WHERE r.contact = c.id AND r.direct = 1 AND r.host <> '{NEARBY_HOST}'),
        (SELECT count(*) > 0 AND min(r.state = {RouteState.REFUSED.value} AND r.failures >= {_REFUSALS})
            FROM routes r WHERE r.contact = c.id)
    FROM contacts c"""
_MESSAGES = """SELECT change, contact, message_id, mine, text, minute, state, resent, missing_parent FROM messages"""
_INVITATIONS = "SELECT id, state, created, expires, claimed_minute, name FROM invitations"


_NEARBY = """
    SELECT p.contact,
        CASE WHEN p.own_before IS NOT NULL
                AND EXISTS (SELECT 1 FROM items i WHERE i.contact = p.contact AND i.kind = :pair)
            THEN p.own_before ELSE p.own END,
        p.theirs, p.theirs_before, r.relay, r.host
    FROM pairs p JOIN contacts c ON c.id = p.contact LEFT JOIN routes r ON r.contact = p.contact AND r.direct = 1
    WHERE c.state = :active AND p.own IS NOT NULL
    GROUP BY p.contact
    ORDER BY (SELECT coalesce(max(m.change), 0) FROM messages m WHERE m.contact = p.contact) DESC"""


class MailboxReader:
    """Used by one thread at a time."""

    def __init__(self, path: Path, key: bytes | None) -> None:
        self._connection = open_reader(path, SCHEMA, key)

    def close(self) -> None:
        """Done with it."""
        self._connection.close()

    def name(self) -> str | None:
        """What contacts are told that this node's person is called."""
        row = self._connection.execute("SELECT name FROM profile").fetchone()
        return None if row is None else str(row[0])

    def relays(self) -> Sequence[tuple[str, bytes]]:
        """The node's own relays in order: host and key; without its own direct route."""
        return [(relay.host, bytes(relay.relay)) for relay in self._own_relays() if not relay.direct]

    def direct(self) -> tuple[str, bytes] | None:
        """Where contacts were told that this node itself listens."""
        return next(((relay.host, bytes(relay.relay)) for relay in self._own_relays() if relay.direct), None)

    def nearby(self) -> Sequence[NearbyRow]:
        """Contacts that may be met on a local network, the one heard from last first."""
        queues: dict[int, set[bytes]] = {}
        for contact, send_id in self._connection.execute(
            "SELECT contact, send_id FROM queues WHERE direct = 1 AND contact IS NOT NULL"
        ):
            queues.setdefault(contact, set()).add(send_id)
        return [
            NearbyRow(contact, own, tuple(one for one in (theirs, before) if one is not None), relay, host,
                      frozenset(queues.get(contact, ())))
            for contact, own, theirs, before, relay, host in self._connection.execute(
                _NEARBY, {"pair": ItemKind.PAIR.value, "active": ContactState.ACTIVE.value}
            )
        ]  # fmt: skip

    def relay_lists(self) -> Sequence[RelayListRow]:
        """Those that are followed, in the order in which they first were."""
        rows = self._connection.execute("SELECT id, encoded, host, relay FROM relay_lists ORDER BY id")
        return [_relay_list(number, parse_list(encoded), host, relay) for number, encoded, host, relay in rows]

    def listed_relays(self, number: int) -> Sequence[ListedRelayRow] | None:
        """In the order of their keys; None: there is no such list."""
        row = self._connection.execute("SELECT encoded FROM relay_lists WHERE id = ?", (number,)).fetchone()
        if row is None:
            return None
        return [
            ListedRelayRow(format_address(Host.parse(relay.host), relay.key), relay.operator)
            for relay in parse_list(row[0]).relays
        ]

    def cards(self) -> Sequence[CardRow]:
        """In the order in which they were made."""
        rows = self._connection.execute("SELECT id, name, host, relay, expires, links, brought FROM cards ORDER BY id")
        return [
            CardRow(
                number, name, host, format_address(Host.parse(host), RelayKey(relay)), expires * 60.0,
                tuple((invitation, link) for invitation, link in msgpack.decode(links)), bool(brought),
            )
            for number, name, host, relay, expires, links, brought in rows
        ]  # fmt: skip

    def relay_health(self) -> dict[str, RelayHealthRow]:
        """By the relay's key in base64url: of all relays that are dialled or listed."""
        lists = [parse_list(row[0]) for row in self._connection.execute("SELECT encoded FROM relay_lists")]
        found = {format_key(relay.key): RelayHealthRow(tuple(sorted(relay.operators))) for relay in merge(lists)}
        rows = self._connection.execute(
            "SELECT relay, connect_seconds, sessions, failures, kept, missed, "
            "loops_returned, loops_lost, missing_stored, missing_forwarded FROM relay_health"
        )
        for row in rows:
            health = RelayHealth(*row)
            key = format_key(health.relay)
            found[key] = RelayHealthRow(
                operators=found.get(key, RelayHealthRow()).operators,
                connect_seconds=health.connect_seconds if health.sessions else None,
                sessions=health.sessions,
                failures=health.failures,
                kept=health.kept,
                missed=health.missed,
                loops_returned=health.loops_returned,
                loops_lost=health.loops_lost,
                drops=health.drops,
            )
        return found

    def _own_relays(self) -> tuple[OwnRelay, ...]:
        row = self._connection.execute("SELECT relays FROM profile").fetchone()
        return () if row is None else _relays.decode(row[0])

    def contacts(self) -> Sequence[ContactRow]:
        """In the order in which they were made."""
        own = self._identity()
        return [_contact(row, own) for row in self._connection.execute(f"{_CONTACTS} ORDER BY c.id")]

    def invitations(self) -> Sequence[InvitationRow]:
        """Newest first."""
        return [_invitation(row) for row in self._connection.execute(f"{_INVITATIONS} ORDER BY id DESC")]

    def messages(self, contact: int | None, after: int, limit: int) -> Sequence[MessageRow]:
        """Rows with a change number above `after`, in its order."""
        if contact is None:
            found = self._connection.execute(f"{_MESSAGES} WHERE change > ? ORDER BY change LIMIT ?", (after, limit))
        else:
            found = self._connection.execute(
                f"{_MESSAGES} WHERE contact = ? AND change > ? ORDER BY change LIMIT ?", (contact, after, limit)
            )
        return [_message(row) for row in found]

    def latest(self, contact: int, limit: int) -> Sequence[MessageRow]:
        """The end of a conversation as both ends order it (Spec 6 §6), oldest first."""
        found = self._connection.execute(
            # Left to itself, SQLite would read and sort the whole conversation.
            f"""{_MESSAGES} INDEXED BY messages_order WHERE contact = :contact AND change IS NOT NULL
                ORDER BY height DESC,
                    mine = (SELECT inviter FROM contacts WHERE id = :contact),
                    message_id DESC LIMIT :limit""",
            {"contact": contact, "limit": limit},
        ).fetchall()
        return [_message(row) for row in reversed(found)]

    def changes(self, after: int, limit: int) -> Sequence[Change]:
        """All changes above `after`, in order; what was removed since is left out."""
        own = self._identity()
        while True:
            rows = self._connection.execute(
                "SELECT number, kind, row, state FROM changes WHERE number > ? ORDER BY number LIMIT ?", (after, limit)
            ).fetchall()
            found = [self._change(number, kind, row, state, own) for number, kind, row, state in rows]
            kept = [change for change in found if change is not None]
            if kept or not rows:
                return kept
            after = rows[-1][0]

    def last_change(self) -> int:
        """0 in a new mailbox."""
        row = self._connection.execute("SELECT max(number) FROM changes").fetchone()
        return int(row[0] or 0)

    def waiting(self) -> int:
        """Messages, and envelopes of other things, that no relay has custody of; queues to be erased."""
        unstored = self._connection.execute(
            """SELECT count(*) FROM envelopes e WHERE stored_at IS NULL
                AND NOT EXISTS (SELECT 1 FROM items i WHERE i.sealed = e.id AND i.kind = ?)""",
            (ItemKind.FRAGMENT.value,),
        ).fetchone()[0]
        dropping = self._connection.execute(
            "SELECT count(*) FROM queues WHERE state = ?", (QueueState.DROPPING.value,)
        ).fetchone()[0]
        return self.queued() + int(unstored) + int(dropping)

    def queued(self) -> int:
        """Messages that no relay has custody of."""
        row = self._connection.execute("SELECT count(*) FROM messages WHERE mine = 1 AND state = 1").fetchone()
        return int(row[0])

    def _identity(self) -> Identity:
        row = self._connection.execute("SELECT identity FROM profile").fetchone()
        return Identity(row[0] if row else bytes(64))

    def _change(self, number: int, kind: int, row: int, state: int, own: Identity) -> Change | None:
        if kind == ChangeKind.MESSAGE:
            found = self._connection.execute(f"{_MESSAGES} WHERE id = ?", (row,)).fetchone()
            if found is None:
                return None
            message = _message(found)
            return MessageChange(**{name: getattr(message, name) for name in MessageRow.__struct_fields__})
        if kind == ChangeKind.STATE:
            found = self._connection.execute(
                "SELECT contact, message_id, resent FROM messages WHERE id = ?", (row,)
            ).fetchone()
            if found is None:
                return None
            return StateChange(number, found[0], found[1].hex(), _MESSAGE_STATES[state], found[2])
        if kind == ChangeKind.CONTACT:
            found = self._connection.execute(f"{_CONTACTS} WHERE c.id = ?", (row,)).fetchone()
            if found is None:
                return None
            contact = _contact(found, own)
            values = {name: getattr(contact, name) for name in ContactRow.__struct_fields__}
            return ContactChange(change=number, **values)
        found = self._connection.execute(f"{_INVITATIONS} WHERE id = ?", (row,)).fetchone()
        if found is None:
            return None
        invitation = _invitation(found)
        values = {name: getattr(invitation, name) for name in InvitationRow.__struct_fields__}
        return InvitationChange(change=number, **values)


def _relay_list(number: int, value: RelayList, host: str | None, relay: bytes | None) -> RelayListRow:
    source = None
    if host is not None and relay is not None:
        source = format_list_link(Host.parse(host), RelayKey(relay), value.publisher)
    return RelayListRow(
        list=number,
        publisher=format_publisher(value.publisher),
        serial=value.serial,
        issued=value.issued * 60.0,
        expires=value.expires * 60.0,
        relays=len(value.relays),
        operators=len({relay.operator for relay in value.relays}),
        source=source,
    )


def _contact(row: Sequence[Any], own: Identity) -> ContactRow:
    number, name, state, verified, identity, last, unread, direct, refused = row
    return ContactRow(
        contact=number,
        name=name,
        state=_CONTACT_STATES[state],
        verified=bool(verified),
        safety_number=safety_number(own, Identity(identity)),
        last_change=last,
        unread=unread,
        direct=bool(direct),
        refused=bool(refused),
    )


def _message(row: Sequence[Any]) -> MessageRow:
    change, contact, message_id, mine, text, minute, state, resent, missing = row
    return MessageRow(
        change=change,
        contact=contact,
        message_id=message_id.hex(),
        mine=bool(mine),
        text=text,
        at=minute * 60.0,
        state=_MESSAGE_STATES[state],
        again=resent,
        missing_parent=bool(missing),
    )


def _invitation(row: Sequence[Any]) -> InvitationRow:
    number, state, created, expires, claimed, name = row
    return InvitationRow(
        invitation=number,
        state=_INVITATION_STATES[state],
        created=created,
        expires=expires * 60.0,
        claimed_at=claimed,
        name=name,
    )
