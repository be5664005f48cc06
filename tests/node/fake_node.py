"""A node without a network: it answers operations from lists, and its messages come as far as the test says."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import trio
from msgspec.structs import asdict, replace

from node.cards import Cards
from node.entropy import SystemEntropy
from node.meeting import Meetings
from node.store.rows import (
    CardRow,
    Change,
    ContactChange,
    ContactRow,
    InvitationRow,
    ListedRelayRow,
    MessageChange,
    MessageRow,
    MessageState,
    NearbyRow,
    Reader,
    RelayHealthRow,
    RelayListRow,
    RelayRow,
    StateChange,
)
from node.traffic_meter import Sent, TrafficMeter
from protocol.errors import CallerError, DiskFullError, WorldError
from protocol.keys import MessageId, RelayKey
from protocol.operations import (
    Accept,
    CancelInvitation,
    CardSigned,
    Carried,
    Configure,
    ContactMade,
    Invite,
    Invited,
    Operation,
    Queued,
    RemoveContact,
    SendText,
    SetContact,
    SetName,
    SignCard,
)
from protocol.timing import Timing
from protocol.wire.addresses import Host, format_key
from protocol.wire.commands import Done, Kept, Lookup, Preset, Publish, Refused

T = TypeVar("T")
NUMBER = " ".join(["12345"] * 12)
LINK = "kassiber://relay.example:7777/i#" + "A" * 86


class FakeNode:
    """`node.api.contract.Node` and `node.store.rows.Reader` in one."""

    def __init__(self) -> None:
        self.direct: tuple[str, RelayKey] | None = None
        self.list_errors: dict[int, str] = {}
        self.meetings = Meetings(self, SystemEntropy(), Timing(), False, lambda _: None)
        self.traffic = Preset.BATCHED
        self.forward = False
        self.discovery = False
        self.cards = Cards(self, SystemEntropy(), Timing(), trio.lowlevel.spawn_system_task)
        self.proxy: str | None = None
        self.meter = TrafficMeter(0.0)
        self.person: str | None = None
        self.own_relays: list[tuple[str, RelayKey]] = []
        self.people: list[ContactRow] = []
        self.events: list[Change] = []
        self.carry: Sequence[MessageState] = ("relayed",)
        self.operations: list[Operation] = []
        self._news = trio.Event()

    # What happens

    def add_contact(self, name: str) -> int:
        number = len(self.people) + 1
        row = ContactRow(number, name, "active", False, NUMBER, self.last_change() + 1, 0, False, False)
        self.people.append(row)
        self.announce(ContactChange(**asdict(row), change=row.last_change))
        return number

    def receive(self, contact: int, text: str) -> None:
        change = self.last_change() + 1
        self.announce(MessageChange(change, contact, f"{change:032x}", False, text, 0.0, "received", 0, False))

    def announce(self, change: Change) -> None:
        self.events.append(change)
        self._news.set()
        self._news = trio.Event()

    # Node

    def nearby(self) -> frozenset[int]:
        return frozenset()

    def sent(self) -> Sent:
        return self.meter.last_hour(3_000.0)

    def relays(self) -> Sequence[RelayRow]:
        return [RelayRow(host, format_key(key), "connected", 0.0, None) for host, key in self.own_relays]

    async def ask_for_list(self, host: Host, relay: RelayKey) -> bytes:
        await trio.lowlevel.checkpoint()
        raise WorldError(f"{host.authority} cannot be asked for its list: nobody is there.")

    async def ask_directory(self, host: Host, relay: RelayKey, command: Publish | Lookup) -> Done | Kept | Refused:
        await trio.lowlevel.checkpoint()
        raise WorldError(f"{host.authority} cannot be asked for cards: nobody is there.")

    async def read(self, query: Callable[[Reader], T]) -> T:
        return await trio.to_thread.run_sync(query, self._reader())

    def _reader(self) -> Reader:
        return FakeReader(self)

    async def changed(self, after: int) -> None:
        while self.last_change() <= after:
            await self._news.wait()

    async def request(self, operation: Operation) -> Any:
        await trio.lowlevel.checkpoint()
        self.operations.append(operation)
        match operation:
            case Configure(relays):
                self.own_relays = list(relays)
            case SetName(name):
                self.person = name
            case Invite():
                return Invited(1, LINK, b"\x00file", 1e9, 1)
            case Accept(link, _, name) if link != "kassiber://used/i#":
                return ContactMade(self.add_contact(name or "Alice"))
            case Accept():
                raise CallerError("This invitation was used by someone else; ask for a new one.")
            case SendText(contact, text):
                return self._send(contact, text)
            case SetContact(contact, name, verified):
                return self._change(contact, name, verified)
            case RemoveContact(contact):
                self.people = [row for row in self.people if row.contact != contact]
            case SignCard():
                return CardSigned(1, b"card")
            case CancelInvitation():
                pass
        return Carried()

    def _send(self, contact: int, text: str) -> Queued:
        match text:
            case "full":
                raise DiskFullError("The disk is full.")
            case "offline":
                raise WorldError("Not now.")
            case "bug":
                raise RuntimeError("a fault that nobody thought of")
        if not any(row.contact == contact for row in self.people):
            raise CallerError(f"There is no contact {contact}.")
        change = self.last_change() + 1
        message_id = MessageId(change.to_bytes(16, "big"))
        self.announce(MessageChange(change, contact, message_id.hex(), True, text, 0.0, "queued", 0, False))
        for state in self.carry:
            self.announce(StateChange(self.last_change() + 1, contact, message_id.hex(), state))
        return Queued(message_id, change)

    def _change(self, contact: int, name: str | None, verified: bool | None) -> Carried:
        for position, row in enumerate(self.people):
            if row.contact == contact:
                kept = replace(row, name=name or row.name, verified=row.verified if verified is None else verified)
                self.people[position] = kept
        return Carried()

    def last_change(self) -> int:
        return self.events[-1].change if self.events else 0


class FakeReader:
    """A snapshot, as a transaction of a reader connection gives it."""

    def __init__(self, node: FakeNode) -> None:
        self._node = node
        self._events = list(node.events)

    def name(self) -> str | None:
        return self._node.person

    def relays(self) -> Sequence[tuple[str, bytes]]:
        return self._node.own_relays

    def nearby(self) -> Sequence[NearbyRow]:
        return ()

    def cards(self) -> Sequence[CardRow]:
        return ()

    def relay_lists(self) -> Sequence[RelayListRow]:
        return ()

    def listed_relays(self, number: int) -> Sequence[ListedRelayRow] | None:
        return None

    def relay_health(self) -> dict[str, RelayHealthRow]:
        return {}

    def contacts(self) -> Sequence[ContactRow]:
        return list(self._node.people)

    def invitations(self) -> Sequence[InvitationRow]:
        return [InvitationRow(1, "open", 0.0, 1e9, None, None)]

    def messages(self, contact: int | None, after: int, limit: int) -> Sequence[MessageRow]:
        rows = [event for event in self._events if isinstance(event, MessageChange) and event.change > after]
        states = {event.message_id: event.state for event in self._events if isinstance(event, StateChange)}
        return [
            MessageRow(**asdict(row) | {"state": states.get(row.message_id, row.state)})
            for row in rows
            if contact in {None, row.contact}
        ][:limit]

    def changes(self, after: int, limit: int) -> Sequence[Change]:
        return [event for event in self._events if event.change > after][:limit]

    def last_change(self) -> int:
        return self._events[-1].change if self._events else 0

    def waiting(self) -> int:
        return self.queued()

    def queued(self) -> int:
        rows = self.messages(None, 0, 1_000)
        return sum(row.state == "queued" for row in rows)
