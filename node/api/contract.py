"""What the API needs of a node, and what a resource gets and gives."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from node.api.errors import ApiError
from node.cards import Cards
from node.meeting import Meetings
from node.store.rows import Reader, RelayRow
from node.traffic_meter import Sent
from protocol.keys import RelayKey
from protocol.operations import Operation
from protocol.wire.addresses import Host
from protocol.wire.commands import Preset

T = TypeVar("T")


class Node(Protocol):
    """A whole personal node that is running."""

    @property
    def direct(self) -> tuple[str, RelayKey] | None:
        """Its own listener, where contacts may reach it: host and key."""

    @property
    def list_errors(self) -> dict[int, str]:
        """Why the relay that offers a list could not be asked for the next one, by the list's number."""

    @property
    def meetings(self) -> Meetings:
        """Being visible to strangers on a local network."""

    @property
    def traffic(self) -> Preset:
        """What its links follow."""

    @property
    def forward(self) -> bool:
        """Whether contacts' relays are reached by its own only."""

    @property
    def discovery(self) -> bool:
        """Whether contacts are found on local networks."""

    @property
    def proxy(self) -> str | None:
        """By which it makes all connections."""

    def nearby(self) -> frozenset[int]:
        """Contacts to whom what is said goes over the local network now."""

    def sent(self) -> Sent:
        """What its links to relays sent in the last hour."""

    def relays(self) -> Sequence[RelayRow]:
        """The node's own relays and how their connections stand, in the order of its list."""

    async def request(self, operation: Operation) -> Any:
        """The personal machine's answer. Raises CallerError, WorldError."""

    async def ask_for_list(self, host: Host, relay: RelayKey) -> bytes:
        """The list of relays that a relay offers, unread. Raises CallerError, WorldError."""

    @property
    def cards(self) -> Cards:
        """Directory cards: one's own, and those of others."""

    async def read(self, query: Callable[[Reader], T]) -> T:
        """Run `query` on a reader connection, in a thread of its own."""

    async def changed(self, after: int) -> None:
        """Returns once a change above `after` is there to be read: at once where it is already."""


class Call(Struct, frozen=True):
    """One request as a resource sees it."""

    node: Node
    arguments: tuple[int, ...]
    """The numbers in the path."""
    query: Mapping[str, str]
    body: bytes

    def read_body(self, shape: type[T]) -> T:
        """The body as a value of this shape. Raises ApiError that says what does not fit."""
        try:
            return msgspec.json.decode(self.body, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ApiError("bad_request", f"The body does not fit: {error}.") from None

    def number(self, name: str, default: int, most: int = 2**63 - 1) -> int:
        """A number from the query, 0 to `most`. Raises ApiError."""
        text = self.query.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= most):
            raise ApiError("bad_request", f"{name}={text!r} should be a number from 0 to {most}.")
        return int(text)


class Reply(Struct, frozen=True):
    """`body` is what `msgspec.json` can write."""

    body: Any
    status: int = 200


class Lines(Protocol):
    """A reply that goes on for ever: newline-delimited JSON."""

    async def next(self) -> bytes:
        """One or more complete lines."""


Handler: TypeAlias = Callable[[Call], Any]
"""An async function from a Call to a Reply or Lines."""
