"""Directory cards: brings this person's own to relays, keeps them usable, and finds people by theirs (Spec 13 §4)."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeVar

import trio

from node.store.rows import CardRow, Reader, RelayRow
from protocol.crypto.suite import RealSuite
from protocol.delivery.joining import InvitationUsedError
from protocol.entropy import Entropy
from protocol.errors import CallerError, Code, PeerError, WorldError
from protocol.events import Now
from protocol.keys import RelayKey, Request
from protocol.limits import MAX_CARD_INVITATIONS
from protocol.operations import (
    Accept,
    CancelInvitation,
    CardBrought,
    ContactMade,
    ForgetCard,
    Invite,
    Operation,
    SignCard,
)
from protocol.relays.card import check_card_name, read_card
from protocol.timing import Timing
from protocol.wire.addresses import Host, parse_address
from protocol.wire.commands import Done, Kept, Lookup, Publish, Refused

T = TypeVar("T")

INVITATION_DAYS = 30
RENEW_DAYS = 7
"""A card, or an invitation in it, that holds for less is renewed."""
_DAY_SECONDS = 86_400.0

log = logging.getLogger(__name__)
_suite = RealSuite()


class Node(Protocol):
    """What cards need of their node."""

    def relays(self) -> Sequence[RelayRow]: ...
    async def request(self, operation: Operation) -> Any: ...
    async def read(self, query: Callable[[Reader], T]) -> T: ...
    async def ask_directory(self, host: Host, relay: RelayKey, command: Publish | Lookup) -> Done | Kept | Refused: ...


Beside = Callable[[Callable[[], Awaitable[object]]], object]
"""Runs a task for as long as the node runs."""


class Cards:
    """A node's."""

    def __init__(self, node: Node, entropy: Entropy, timing: Timing, beside: Beside) -> None:
        self._node = node
        self._entropy = entropy
        self._timing = timing
        self._beside = beside
        self._lock = trio.Lock()

    async def publish(self, name: str, address: str | None) -> None:
        """Be found as `name` at a relay: one's own first, where none is given. Raises CallerError, WorldError.

        Whoever waits for it may give up: on slow links it takes minutes, and is carried on with.
        """
        check_card_name(name)
        host, relay = await self._place(address)
        ended = trio.Event()
        failed: list[Exception] = []

        async def carry_on() -> None:
            try:
                await self._publish(name, host, relay)
            except (CallerError, WorldError) as error:
                failed.append(error)
                log.info("a directory card could not be published: %s", error)
            except Exception as error:
                failed.append(error)  # a fault of ours, which must not end the node
                log.exception("a directory card could not be published")
            finally:
                ended.set()

        self._beside(carry_on)
        await ended.wait()
        if failed:
            raise failed[0]

    async def _publish(self, name: str, host: Host, relay: RelayKey) -> None:
        async with self._lock:
            known = await self._find(name, relay)
            if known is not None and known.links:
                await self._renew(known)
                return
            links = await self._more_links(())
            try:
                await self._bring(name, host, relay, links)
            except (CallerError, WorldError):
                await self._take_back(name, relay, links)
                raise

    async def withdraw(self, name: str, address: str | None) -> None:
        """Be found so no more; invitations that nobody opened are withdrawn with it. Raises CallerError, WorldError."""
        relay = (await self._place(address))[1] if address is not None else None
        async with self._lock:
            named = [row for row in await self._rows() if row.name == name]
            rows = [row for row in named if relay in (None, parse_address(row.relay)[1])]
            if not rows:
                raise CallerError(f"You have no card {name!r}. See: kassiber card")
            for row in rows:
                await self._cancel(row.links)
                try:
                    await self._take_down(row)
                except WorldError as error:
                    raise WorldError(f"{error} It will be tried again while your node runs: kassiber up") from None

    async def _take_down(self, row: CardRow) -> None:
        """Have its relay keep it no more, then forget it. Raises WorldError."""
        host, relay = parse_address(row.relay)
        with suppress(CallerError):  # it keeps none any more, or another's: there is nothing to take down
            await self._bring(row.name, host, relay, ())
        await self._node.request(ForgetCard(row.card))

    async def accept(self, card: str, name: str | None) -> ContactMade:
        """Become a contact of whoever has this card, `name@relay`. Raises CallerError, WorldError."""
        wanted, _, address = card.partition("@")
        check_card_name(wanted)
        host, relay = await self._place(address)
        answer = await self._node.ask_directory(host, relay, Lookup(Request(1), wanted))
        if isinstance(answer, Refused):
            if answer.code is Code.UNAVAILABLE:
                raise WorldError(f"{host.authority} is asked for too many cards just now. Try again in a minute.")
            raise CallerError(f"Nobody is found as {wanted!r} at {host.authority}, or it keeps no cards.")
        assert isinstance(answer, Kept)
        try:
            found = read_card(_suite, answer.card, relay, _now().minute)
            if found.name != wanted or not found.links:
                raise PeerError(Code.FORGED, "it is not the one that was asked for")
        except PeerError as error:
            raise CallerError(f"The card that {host.authority} gave for {wanted!r} is not good ({error}).") from None
        links = list(found.links)
        while links:
            link = links.pop(int(self._entropy.uniform() * len(links)))
            with suppress(InvitationUsedError):
                made: ContactMade = await self._node.request(Accept(link, None, name or found.name, found.identity))
                return made
        raise WorldError(
            f"All invitations of {wanted!r} are taken just now. There will be others within an hour or two, if their "
            "node runs: try again then."
        )

    async def renew(self) -> None:
        """Until cancelled: invitations that were used are replaced, cards that end soon signed again."""
        while True:
            await trio.sleep(self._timing.card_renewal_seconds * (0.5 + self._entropy.uniform()))
            for row in await self._rows():
                try:
                    async with self._lock:
                        await self._renew(row)
                except (CallerError, WorldError) as error:
                    log.warning("a directory card could not be renewed: %s", error)

    async def _renew(self, row: CardRow) -> None:
        """If it needs to be; one that was withdrawn, while its relay was away, is taken down.

        Raises CallerError, WorldError.
        """
        if not row.links:
            await self._take_down(row)
            return
        now = _now().wall
        good = {
            invitation.invitation
            for invitation in await self._node.read(lambda reader: reader.invitations())
            if invitation.state == "open" and invitation.expires > now + RENEW_DAYS * _DAY_SECONDS
        }
        kept = tuple((number, link) for number, link in row.links if number in good)
        if row.brought and len(kept) == MAX_CARD_INVITATIONS and row.expires > now + RENEW_DAYS * _DAY_SECONDS:
            return
        host, relay = parse_address(row.relay)
        await self._bring(row.name, host, relay, await self._more_links(kept))

    async def _more_links(self, kept: tuple[tuple[int, str], ...]) -> tuple[tuple[int, str], ...]:
        """All at once, as each takes as long as links take to answer twice. Raises CallerError, WorldError."""
        made: list[tuple[int, str]] = []
        failed: list[CallerError | WorldError] = []

        async def invite() -> None:
            try:
                invited = await self._node.request(Invite(INVITATION_DAYS * 1_440, None))
                made.append((invited.invitation, invited.link))
            except (CallerError, WorldError) as error:
                failed.append(error)

        async with trio.open_nursery() as nursery:
            for _ in range(MAX_CARD_INVITATIONS - len(kept)):
                nursery.start_soon(invite)
        if failed:
            await self._cancel(tuple(made))
            raise failed[0]
        return (*kept, *made)

    async def _bring(self, name: str, host: Host, relay: RelayKey, links: tuple[tuple[int, str], ...]) -> None:
        """Sign it and have the relay keep it. Raises CallerError: the relay does not; WorldError."""
        signed = await self._node.request(SignCard(name, str(host), relay, links))
        answer = await self._node.ask_directory(host, relay, Publish(Request(1), signed.card))
        if isinstance(answer, Refused):
            if answer.code in {Code.UNAVAILABLE, Code.FULL}:
                raise WorldError(f"{host.authority} has no room for cards now. Try again later, or at another relay.")
            raise CallerError(
                f"{host.authority} does not keep this card: the name {name!r} is somebody else's there, or it keeps no "
                "cards. Choose another name, or another relay."
            )
        await self._node.request(CardBrought(signed.number))

    async def _take_back(self, name: str, relay: RelayKey, links: tuple[tuple[int, str], ...]) -> None:
        await self._cancel(links)
        row = await self._find(name, relay)
        if row is not None:
            await self._node.request(ForgetCard(row.card))

    async def _cancel(self, links: tuple[tuple[int, str], ...]) -> None:
        rows = await self._node.read(lambda reader: reader.invitations())
        still_open = {row.invitation for row in rows if row.state == "open"}
        for number, _ in links:
            if number in still_open:
                await self._node.request(CancelInvitation(number))

    async def _rows(self) -> Sequence[CardRow]:
        return await self._node.read(lambda reader: reader.cards())

    async def _find(self, name: str, relay: RelayKey) -> CardRow | None:
        rows = await self._rows()
        return next((row for row in rows if row.name == name and parse_address(row.relay)[1] == relay), None)

    async def _place(self, given: str | None) -> tuple[Host, RelayKey]:
        """A relay by its address, or by `host:port` where this node knows it. Raises CallerError."""
        if given is not None and "://" in given:
            return parse_address(given)
        known = dict(_address(row) for row in self._node.relays())
        if given is None:
            if not known:
                raise CallerError("You have no relay; say at which: --relay ADDRESS")
            return next(iter(known.items()))
        for row in await self._node.read(_listed):
            host, key = parse_address(row)
            known.setdefault(host, key)
        for host, key in known.items():
            if host.authority == given:
                return host, key
        raise CallerError(
            f"{given!r} is none of your relays, and none of the lists that you follow. Give its whole address: "
            "kassiber://host:port/r#key"
        )


def _listed(reader: Reader) -> list[str]:
    rows = [reader.listed_relays(row.list) or () for row in reader.relay_lists()]
    return [relay.address for one in rows for relay in one]


def _address(row: RelayRow) -> tuple[Host, RelayKey]:
    host = Host.parse(row.host)
    return parse_address(f"{host.address_scheme}://{host.authority}/r#{row.key}")


def _now() -> Now:
    return Now(time.monotonic(), time.time())
