"""Runs discovery for real: interfaces come and go, each address is announced, who is recognised is dialled (Spec 9)."""

import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from queue import Empty, Full, Queue

import structlog
import trio

from node.discovery.interfaces import Place, find_places, pack, unpack
from node.discovery.responder import Heard, Responder, Service
from node.transport import lan
from node.transport.contract import FrameStream, Use
from protocol.discovery.announcement import SERVICE_TYPE
from protocol.discovery.announcer import Announcer, Published, Wanted
from protocol.discovery.sightings import Dial, Lost, Sightings
from protocol.discovery.tags import Endpoint, hint
from protocol.entropy import Entropy
from protocol.errors import PeerError
from protocol.events import Now
from protocol.keys import PairSecret
from protocol.limits import DISCOVERY_TAGS, MAX_LAN_SESSIONS, MAX_LAN_STRANGERS, MAX_UNHANDLED_SIGHTINGS
from protocol.timing import Timing

log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0
"""How often the machine's interfaces are looked at."""
RETRY_SECONDS = 60.0
"""How long an interface without multicast is left alone."""
FAILURES_TO_COMPLAIN = 3


class Host:
    """What is announced and looked for, and what is done with who is met. Methods are called in trio's thread."""

    def __init__(
        self,
        secrets: Callable[[], Sequence[PairSecret]],
        met: Callable[[FrameStream, PairSecret], Awaitable[None]],
        found: Callable[[Dial], Awaitable[None]],
        lost: Callable[[int], None],
    ) -> None:
        """`secrets`: what to tag with, of who was heard from last first. `met`: carry who came and has one of them.

        `found`: dial a contact and carry that to its end. `lost`: hang up on a contact. None of them may raise.
        """
        self.secrets = secrets
        self.met = met
        self.found = found
        self.lost = lost


class _Stand:
    """One address: its announcer, responder and port."""

    def __init__(self, place: Place, announcer: Announcer) -> None:
        self.place = place
        self.announcer = announcer
        self.responder: Responder | None = None
        self.not_before = 0.0
        self.failures = 0
        self.port = trio.CancelScope()
        self.busy = False


class LocalNetwork:
    """All interfaces of this machine."""

    def __init__(self, entropy: Entropy, timing: Timing, host: Host, wall: Callable[[], float] = time.time) -> None:
        self.sightings = Sightings(entropy, timing)
        self._entropy = entropy
        self._timing = timing
        self._host = host
        self._wall = wall
        self._stands: dict[Place, _Stand] = {}
        self._heard: Queue[tuple[int, Heard]] = Queue(MAX_UNHANDLED_SIGHTINGS)
        self._anywhere = True
        self._some = trio.Event()

    def know(self, secrets: Mapping[int, Sequence[PairSecret]]) -> None:
        """Whom to look for."""
        self.sightings.know(secrets, self._now())
        self._some.set()

    async def run(self) -> None:
        """Until cancelled; then everything is withdrawn, without a goodbye."""
        token = trio.lowlevel.current_trio_token()
        look_at = 0.0
        try:
            async with trio.open_nursery() as nursery:
                while True:
                    if trio.current_time() >= look_at:
                        look_at = trio.current_time() + LOOK_SECONDS
                        await self._look()
                    for stand in self._stands.values():
                        self._see_to(stand, nursery, token)
                    self._listen_to_what_was_heard()
                    self._carry_out(nursery)
                    self._some = trio.Event()
                    with trio.move_on_at(max(min(look_at, self._next_wake()), trio.current_time() + 0.05)):
                        await self._some.wait()
        finally:
            with trio.CancelScope(shield=True):
                for stand in self._stands.values():
                    await self._close(stand)

    def _next_wake(self) -> float:
        wakes = (
            stand.not_before if stand.responder is None else stand.announcer.next_wake
            for stand in self._stands.values()
            if not stand.busy
        )
        seen = self.sightings.next_wake
        return min(math.inf if seen is None else seen, *wakes, math.inf)

    def _now(self) -> Now:
        return Now(trio.current_time(), self._wall())

    async def _look(self) -> None:
        places, networks = await trio.to_thread.run_sync(find_places)
        for place in [place for place in self._stands if place not in places]:
            await self._close(self._stands.pop(place))
        for place in places:
            if place not in self._stands:
                announcer = Announcer(self._entropy, self._timing, place.packed, self._now())
                self._stands[place] = _Stand(place, announcer)
        if self._anywhere and not places:
            log.warning("contacts on a local network are not found: no interface of this machine carries multicast now")
        self._anywhere = bool(places)
        self.sightings.attach(networks, self._now())

    async def _close(self, stand: _Stand) -> None:
        stand.port.cancel()
        responder, stand.responder = stand.responder, None
        if responder is not None:
            await trio.to_thread.run_sync(responder.close)

    def _see_to(self, stand: _Stand, nursery: trio.Nursery, token: trio.lowlevel.TrioToken) -> None:
        """Begin what one address needs now: a responder, a new announcement, or none."""
        if stand.busy:
            return
        wanted = Wanted.NOTHING
        if stand.responder is not None:
            wanted = stand.announcer.tick(self._now())
        if wanted is not Wanted.NOTHING or (stand.responder is None and trio.current_time() >= stand.not_before):
            stand.busy = True
            nursery.start_soon(self._tend, stand, wanted, nursery, token)

    async def _tend(self, stand: _Stand, wanted: Wanted, nursery: trio.Nursery, token: trio.lowlevel.TrioToken) -> None:
        try:
            if stand.responder is None:
                heard = partial(self._hear, token, stand.place.interface)
                responder = await trio.to_thread.run_sync(
                    Responder, SERVICE_TYPE, stand.place, heard, self._entropy.uniform()
                )
                if self._stands.get(stand.place) is not stand:
                    await trio.to_thread.run_sync(responder.close)
                    return
                stand.responder = responder
            else:
                await self._announce(stand, stand.responder, wanted, nursery)
        except OSError as error:
            if self._stands.get(stand.place) is stand:
                self._complain(stand, error)
        finally:
            stand.busy = False
            self._some.set()

    async def _announce(self, stand: _Stand, responder: Responder, wanted: Wanted, nursery: trio.Nursery) -> None:
        if wanted is Wanted.WITHDRAW:
            stand.port.cancel()
            await trio.to_thread.run_sync(responder.withdraw)
        else:
            address = stand.place.address.packed
            try:
                listener = await lan.listen(address, stand.place.interface)
            except OSError:
                stand.announcer.cannot_listen(self._now())
                raise
            port: int = listener.socket.getsockname()[1]
            published = stand.announcer.announce(port, self._host.secrets()[:DISCOVERY_TAGS], self._now())
            stand.port = trio.CancelScope()
            nursery.start_soon(self._serve, listener, published, stand.port, nursery)
            service = Service(published.instance, published.endpoint.port, published.txt)
            await trio.to_thread.run_sync(responder.publish, service, address)

    def _complain(self, stand: _Stand, error: OSError) -> None:
        """Once for as long as the address is there, and not for what passes: a new IPv6 address is tried out first."""
        stand.failures += 1
        patience = RETRY_SECONDS if stand.failures >= FAILURES_TO_COMPLAIN else LOOK_SECONDS
        stand.not_before = trio.current_time() + patience
        if stand.failures == FAILURES_TO_COMPLAIN:
            why = (error.strerror or str(error)).lower()
            log.warning(
                "on one local network contacts are not found: multicast DNS does not work there",
                interface=stand.place.interface,
                why=why,
            )

    # Who is heard

    def _hear(self, token: trio.lowlevel.TrioToken, interface: int, heard: Heard) -> None:
        """On zeroconf's thread. A flood fills this queue and nothing else."""
        try:
            self._heard.put_nowait((interface, heard))
        except Full:
            return
        try:
            token.run_sync_soon(self._wake, idempotent=True)
        except trio.RunFinishedError:
            pass

    def _wake(self) -> None:
        self._some.set()

    def _listen_to_what_was_heard(self) -> None:
        own = {stand.announcer.published.instance for stand in self._stands.values() if stand.announcer.published}
        while True:
            try:
                interface, heard = self._heard.get_nowait()
            except Empty:
                return
            if heard.txt is None:
                self.sightings.gone(interface, heard.instance)
            elif heard.instance not in own:
                endpoint = Endpoint(pack(ip_address(heard.address)), heard.port)
                try:
                    self.sightings.seen(interface, heard.instance, endpoint, heard.txt, self._now())
                except PeerError as error:
                    log.debug("an announcement was ignored", why=error.code.name)

    def _carry_out(self, nursery: trio.Nursery) -> None:
        for wish in self.sightings.tick(self._now()):
            if isinstance(wish, Lost):
                self._host.lost(wish.contact)
            else:
                nursery.start_soon(self._dial, wish)

    async def _dial(self, wish: Dial) -> None:
        try:
            await self._host.found(wish)
        finally:
            self.sightings.ended(wish.contact, self._now())
            self._some.set()

    # Who comes

    async def _serve(
        self, listener: trio.SocketListener, published: Published, open_for: trio.CancelScope, nursery: trio.Nursery
    ) -> None:
        """Take connections while the announcement lives; those that stand go on when it is withdrawn."""
        door = _Door()
        async with listener:
            with open_for:
                while True:
                    try:
                        stream = await listener.accept()
                    except OSError as error:
                        log.warning("a connection from the local network was not accepted", why=error.strerror)
                        await trio.sleep(1.0)
                        continue
                    nursery.start_soon(self._receive, stream, published, door)

    async def _receive(self, stream: trio.SocketStream, published: Published, door: "_Door") -> None:
        timing = self._timing
        spread = timing.lan_silence_most_seconds - timing.lan_silence_least_seconds
        close_at = trio.current_time() + timing.lan_silence_least_seconds + spread * self._entropy.uniform()
        try:
            with suppress(OSError):  # it has gone again
                lan.watch(stream.socket)
            if door.strangers >= MAX_LAN_STRANGERS:
                return
            door.strangers += 1
            try:
                guest = await lan.welcome(stream, published.nonce, published.secrets, close_at)
            finally:
                door.strangers -= 1
            if guest is None or door.sessions >= MAX_LAN_SESSIONS:
                return
            door.sessions += 1
            try:
                await self._host.met(*guest)
            finally:
                door.sessions -= 1
        finally:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)


class _Door:
    """How many are inside, of one announcement."""

    def __init__(self) -> None:
        self.strangers = 0
        self.sessions = 0


async def dial(wish: Dial, use: Use) -> None:
    """Carry out a `Dial` up to its session. Raises WorldError."""
    address = unpack(wish.endpoint.address).packed
    await lan.dial(address, wish.endpoint.port, wish.interface, use, partial(hint, wish.secret, wish.nonce))
