"""A whole personal node: mailbox, machine, connections, and the relay inside it where it listens.

The relay inside is a machine, thread and database of its own; the node talks to it over an ordinary link, Noise
included, on a stream in memory.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import Any, TypeVar

import trio

from node.cards import Cards
from node.directory import ask_directory
from node.entropy import SystemEntropy
from node.list_renewal import renew_lists
from node.meeting import Meetings
from node.nearby import Nearby, refuse
from node.profile import Profile
from node.relay_inquiry import ask_for_list
from node.runtime import Running, open_core
from node.settings import Settings, SettingsError
from node.store.keys import UnlockedKeys
from node.store.mailbox import MailboxStore
from node.store.reader import MailboxReader
from node.store.relay import RelayStore
from node.store.rows import Reader, RelayRow
from node.traffic_meter import Sent
from node.transport.contract import FrameStream, Use
from node.transport.dialer import By, dial
from node.transport.listener import Listener, listen
from node.transport.memory import connect_in_memory
from node.transport.proxy import Proxy, patient
from protocol.crypto.suite import RealSuite
from protocol.discovery.announcement import NEARBY_HOST
from protocol.envelope.items import DISCOVERY
from protocol.keys import Group, RelayKey, SigningKey
from protocol.limits import EACH_CONTACT, MAX_ISOLATED_CONTACTS
from protocol.link.responder import ResponderLink
from protocol.machines.contract import Core
from protocol.machines.personal import Personal
from protocol.machines.relay import Relay
from protocol.operations import Accept, ChooseRelays, Configure, FollowList, Operation
from protocol.timing import Timing
from protocol.traffic.policies import rates, timing_of
from protocol.wire.addresses import Host, format_key
from protocol.wire.commands import Done, Kept, Lookup, Preset, Publish, Refused

T = TypeVar("T")

MAX_READERS = 4
"""Reader connections in use at once."""

_suite = RealSuite()


class PersonalNode:
    """What the local API talks to (`node.api.contract.Node`)."""

    def __init__(
        self, running: Running, profile: Profile, key: bytes, direct: tuple[str, RelayKey] | None, timing: Timing,
        proxy: Proxy | None, settings: Settings, nearby: Nearby | None,
    ) -> None:  # fmt: skip
        self.direct = direct
        self.traffic = settings.traffic
        self.forward = settings.forward
        self.discovery = settings.discovery
        self.proxy = str(settings.proxy) if settings.proxy is not None else None
        self.list_errors: dict[int, str] = {}
        self.meetings = Meetings(self, SystemEntropy(), timing, settings.discovery, running.beside)
        self.cards = Cards(self, SystemEntropy(), timing, running.beside)
        self._running = running
        self._nearby = nearby
        self._profile = profile
        self._key = key
        self._timing = timing
        self._proxy = proxy
        self._limiter = trio.CapacityLimiter(MAX_READERS)
        self._idle: list[MailboxReader] = []
        self._relays: Sequence[tuple[str, bytes]] = ()

    def relays(self) -> Sequence[RelayRow]:
        """The node's own relays and how their connections stand."""
        return [self._relay_row(host, RelayKey(key)) for host, key in self._relays]

    def nearby(self) -> frozenset[int]:
        """Contacts to whom what is said goes over the local network now."""
        return self._nearby.contacts() if self._nearby is not None else frozenset()

    def sent(self) -> Sent:
        """What its links to relays sent in the last hour."""
        return self._running.meter.last_hour(trio.current_time())

    def _relay_row(self, host: str, key: RelayKey) -> RelayRow:
        known = self._running.state_of(key)
        if known is None:
            return RelayRow(host, format_key(key), "idle", 0.0, None)
        return RelayRow(host, format_key(key), known.state, known.since, known.reason)

    async def request(self, operation: Operation) -> Any:
        """The personal machine's answer. Raises CallerError, WorldError."""
        result = await self._running.request(operation)
        if isinstance(operation, Configure | Accept | FollowList | ChooseRelays):
            await self.refresh()
        return result

    async def ask_for_list(self, host: Host, relay: RelayKey) -> bytes:
        """The list of relays that a relay offers, unread. Raises CallerError, WorldError."""
        by = By(self._proxy, self._proxy.fresh_credentials()) if self._proxy is not None else None
        return await ask_for_list(host, relay, SystemEntropy(), self._timing, by)

    async def ask_directory(self, host: Host, relay: RelayKey, command: Publish | Lookup) -> Done | Kept | Refused:
        """What a relay's directory answers. Raises CallerError, WorldError."""
        by = By(self._proxy, self._proxy.fresh_credentials()) if self._proxy is not None else None
        return await ask_directory(host, relay, command, SystemEntropy(), self._timing, by)

    async def refresh(self) -> None:
        """Look again which relays are this node's own."""
        self._relays = await self.read(lambda reader: reader.relays())

    async def read(self, query: Callable[[Reader], T]) -> T:
        """Run `query` on a reader connection, in a thread of its own."""
        return await trio.to_thread.run_sync(self._read, query, limiter=self._limiter)

    def _read(self, query: Callable[[Reader], T]) -> T:
        reader = self._idle.pop() if self._idle else MailboxReader(self._profile.mailbox, self._key)
        try:
            return query(reader)
        finally:
            self._idle.append(reader)

    async def changed(self, after: int) -> None:
        """Returns once a change above `after` is there to be read."""
        await self._running.changes.after(after)

    def close(self) -> None:
        """No reads after this."""
        while self._idle:
            self._idle.pop().close()


@asynccontextmanager
async def run_node(
    profile: Profile, keys: UnlockedKeys, settings: Settings, momentary: bool = False
) -> AsyncIterator[PersonalNode]:
    """A node at work while the block runs. The caller holds the profile's lock.

    One that is `momentary` leaves what contacts are told of this node as it is, wherever it listens now.
    Raises CallerError (the listening address cannot be had), DiskBrokenError, DiskFullError.
    """
    entropy = SystemEntropy()
    proxy = Proxy(settings.proxy, entropy, apart=settings.isolated) if settings.proxy is not None else None
    async with AsyncExitStack() as stack:
        direct, inside, nearby = None, None, None
        features = DISCOVERY if settings.discovery and not momentary else 0
        if settings.listen is not None or features:
            inside = await stack.enter_async_context(_open_inside(profile, keys, settings, entropy))
            direct = inside.direct
            if features:
                nearby = Nearby(entropy, settings.timing, inside.key, inside.running)

        async def connect(relay: RelayKey, host: str, use: Use, group: Group) -> None:
            if inside is not None and relay == inside.direct[1]:
                await connect_in_memory(use, inside.carry)
            elif nearby is not None and nearby.knows(relay):
                await nearby.connect(relay, use)
            elif host == NEARBY_HOST:
                refuse()
            else:
                await dial(host, use, by=By(proxy, proxy.credentials(relay, group)) if proxy is not None else None)

        def preset(relay: RelayKey) -> Preset:
            """Nobody watches what stays within the process."""
            return Preset.DIRECT if inside is not None and relay == inside.direct[1] else settings.traffic

        timing = timing_of(settings.traffic, settings.timing)
        if proxy is not None:
            timing = patient(timing)
        make = partial(_open_mailbox, profile, keys.mailbox, entropy, timing, features, settings)
        psk_of = nearby.psk_of if nearby is not None else _no_secret
        within = inside.direct[1] if inside is not None else None
        core = open_core(
            make,
            suite=_suite,
            entropy=entropy,
            timing=timing,
            connect=connect,
            preset=preset,
            psk_of=psk_of,
            within=within,
        )
        running = await stack.enter_async_context(core)
        reader = MailboxReader(profile.mailbox, keys.mailbox)
        running.changes.announce(reader.last_change())
        relays = tuple((host, RelayKey(key)) for host, key in reader.relays())
        made, told = reader.name() is not None, reader.direct()
        reader.close()
        if momentary and told is not None:
            direct = told[0], RelayKey(told[1])
        node = PersonalNode(running, profile, keys.mailbox, direct, timing, proxy, settings, nearby)
        stack.callback(node.close)
        if made and not momentary:
            await node.request(Configure(relays, direct))
        await node.refresh()
        if not momentary:
            running.beside(renew_lists, node, entropy, timing)
            running.beside(node.cards.renew)
        if nearby is not None:
            running.beside(nearby.run, running, partial(node.read, lambda reader: reader.nearby()))
        yield node


def _no_secret(_relay: RelayKey) -> bytes | None:
    return None


class _Inside:
    """The relay that a listening node is for its own contacts."""

    def __init__(self, running: Running, key: SigningKey, host: str, timing: Timing) -> None:
        self.direct = (host, RelayKey(key[32:]))
        self.running = running
        self.key = key
        self._timing = timing

    async def carry(self, frames: FrameStream, established: Callable[[], object] = lambda: None) -> None:
        """One connection, from outside or from the node itself."""
        link = ResponderLink(_suite, SystemEntropy(), self._timing, self.key, frames.opened_at)
        await self.running.carry(frames, link, None, established)


@asynccontextmanager
async def _open_inside(
    profile: Profile, keys: UnlockedKeys, settings: Settings, entropy: SystemEntropy
) -> AsyncIterator[_Inside]:
    name, _, port = (settings.listen or "").rpartition(":")
    sockets = await listen(name.strip("[]"), int(port)) if settings.listen is not None else []
    key = _suite.signing_key(keys.relay_seed)
    make = partial(_open_relay, profile, keys.relay_database, key, settings.timing)
    async with open_core(make, suite=_suite, entropy=entropy, timing=settings.timing) as running:
        if not sockets:
            yield _Inside(running, key, NEARBY_HOST, settings.timing)
            return
        bound: int = sockets[0].socket.getsockname()[1]
        host = settings.public or f"{name}:{bound}"
        inside = _Inside(running, key, f"ws://{host}", settings.timing)
        async with trio.open_nursery() as nursery:
            listener = Listener(sockets, inside.carry, settings.timing)
            await nursery.start(listener.run)
            yield inside
            nursery.cancel_scope.cancel()


@contextmanager
def _open_mailbox(
    profile: Profile, key: bytes, entropy: SystemEntropy, timing: Timing, features: int, settings: Settings
) -> Iterator[Core[Any]]:
    """In the thread that will own it."""
    store = MailboxStore(profile.mailbox, key)
    try:
        if settings.isolation == EACH_CONTACT:
            _check_isolation(store)
        constant = rates(settings.traffic, to_relay=True) is not None
        machine = Personal(
            _suite, entropy, timing, features, forward=settings.forward, groups=settings.isolation, constant=constant
        )
        yield Core(machine, store)
    finally:
        store.close()


def _check_isolation(store: MailboxStore) -> None:
    with store.transaction() as tx:
        contacts = tx.contacts.count()
    if contacts > MAX_ISOLATED_CONTACTS:
        raise SettingsError(
            f"{contacts} contacts cannot be kept apart, only {MAX_ISOLATED_CONTACTS}: relays would turn away so many "
            "connections. Set isolation to a number of groups, or remove contacts."
        )


@contextmanager
def _open_relay(profile: Profile, key: bytes, signing: SigningKey, timing: Timing) -> Iterator[Core[Any]]:
    """In the thread that will own it."""
    store = RelayStore(profile.relay, key)
    try:
        yield Core(Relay(_suite, timing, RelayKey(signing[32:])), store)
    finally:
        store.close()
