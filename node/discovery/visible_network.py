"""Being visible for real: a name for all to see on every interface, a list of the others, a port for calls (Spec 9 §6).

One object for one time of being visible. What is done with a call: `node.meeting`.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from queue import Empty, Full, Queue

import structlog
import trio

from node.discovery.interfaces import Place, find_places, pack, unpack
from node.discovery.local_network import FAILURES_TO_COMPLAIN, LOOK_SECONDS, RETRY_SECONDS
from node.discovery.responder import Heard, Responder, Service
from node.transport import lan
from node.transport.contract import Use
from protocol.discovery.announcement import make_instance
from protocol.discovery.people import VISIBLE_SERVICE_TYPE, People, Person, Way, encode_visible_txt
from protocol.discovery.people import make_visible_announcement as make
from protocol.discovery.tags import Endpoint
from protocol.entropy import Entropy
from protocol.errors import PeerError
from protocol.limits import MAX_UNHANDLED_SIGHTINGS, MAX_VISIBLE_CALLERS
from protocol.timing import Timing

log = structlog.get_logger(__name__)


class VisibleNetwork:
    """All interfaces of this machine, while a person is visible. Methods are called in trio's thread."""

    def __init__(
        self, entropy: Entropy, timing: Timing, name: str, called: Use, changed: Callable[[], None]
    ) -> None:  # fmt: skip
        """`called`: take a call, to its end; must not raise. `changed`: the list, or whether there is a network."""
        self.txt = encode_visible_txt(make(entropy, name))
        self._entropy = entropy
        self.anywhere: bool | None = None
        """Whether this is announced on some interface. None: that is being tried."""
        self._instance = make_instance(entropy)
        self._people = People(timing)
        self._called = called
        self._changed = changed
        self._stands: dict[Place, trio.CancelScope] = {}
        self._standing: set[Place] = set()
        self._heard: Queue[tuple[Place, Heard]] = Queue(MAX_UNHANDLED_SIGHTINGS)
        self._some = trio.Event()

    def people(self) -> list[Person]:
        """Who is to be seen now."""
        return self._people.now(trio.current_time())

    async def run(self, calls: trio.Nursery) -> None:
        """Until cancelled; then it is withdrawn, with a goodbye. Calls go on in a nursery of their own."""
        token = trio.lowlevel.current_trio_token()
        look_at = 0.0
        async with trio.open_nursery() as nursery:
            while True:
                if trio.current_time() >= look_at:
                    look_at = trio.current_time() + LOOK_SECONDS
                    places, networks = await trio.to_thread.run_sync(find_places)
                    self._people.attach(networks, trio.current_time())
                    for place in [place for place in self._stands if place not in places]:
                        self._stands.pop(place).cancel()
                    for place in places:
                        if place not in self._stands:
                            self._stands[place] = scope = trio.CancelScope()
                            nursery.start_soon(self._stand, place, scope, token, calls)
                    if not places and self.anywhere is not False:
                        self.anywhere = False
                        self._changed()
                if self._listen_to_what_was_heard():
                    self._changed()
                self._some = trio.Event()
                with trio.move_on_at(look_at):
                    await self._some.wait()

    async def call(self, way: Way, use: Use) -> None:
        """Connect to somebody; returns when the stream is closed. Raises WorldError, and what `use` raises."""
        await lan.dial(unpack(way.endpoint.address).packed, way.endpoint.port, way.interface, use)

    # One address

    async def _stand(
        self, place: Place, scope: trio.CancelScope, token: trio.lowlevel.TrioToken, calls: trio.Nursery
    ) -> None:
        """Announce it and take connections, for as long as it is there. A new IPv6 address is tried out first: what
        fails then passes, and is not complained of."""
        failures = 0
        with scope:
            while True:
                try:
                    await self._stand_once(place, token, calls)
                except OSError as error:
                    failures += 1
                    if failures == FAILURES_TO_COMPLAIN:
                        log.warning(
                            "on one local network nobody is visible: multicast DNS does not work there",
                            interface=place.interface,
                            why=(error.strerror or str(error)).lower(),
                        )
                finally:
                    self._note(place, False)
                await trio.sleep(RETRY_SECONDS if failures >= FAILURES_TO_COMPLAIN else LOOK_SECONDS)

    async def _stand_once(self, place: Place, token: trio.lowlevel.TrioToken, calls: trio.Nursery) -> None:
        responder = await trio.to_thread.run_sync(
            Responder, VISIBLE_SERVICE_TYPE, place, partial(self._hear, token, place), self._entropy.uniform()
        )
        try:
            address = place.address.packed
            listener = await lan.listen(address, place.interface)
            async with listener:
                service = Service(self._instance, listener.socket.getsockname()[1], self.txt)
                await trio.to_thread.run_sync(responder.publish, service, address)
                self._note(place, True)
                await self._serve(listener, calls)
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(responder.say_goodbye)
                await trio.to_thread.run_sync(responder.close)

    def _note(self, place: Place, standing: bool) -> None:
        (self._standing.add if standing else self._standing.discard)(place)
        self.anywhere = bool(self._standing)
        self._changed()

    async def _serve(self, listener: trio.SocketListener, calls: trio.Nursery) -> None:
        """Never returns."""
        open_now = 0

        async def take(stream: trio.SocketStream) -> None:
            nonlocal open_now
            open_now += 1
            try:
                if open_now <= MAX_VISIBLE_CALLERS:
                    with suppress(OSError):  # it has gone again
                        lan.watch(stream.socket)
                    await self._called(lan.LanFrames(stream, trio.current_time()))
            finally:
                open_now -= 1
                with trio.CancelScope(shield=True):
                    await trio.aclose_forcefully(stream)

        while True:
            try:
                stream = await listener.accept()
            except OSError as error:
                log.warning("a call from the local network was not accepted", why=error.strerror)
                await trio.sleep(1.0)
                continue
            calls.start_soon(take, stream)

    # Who is heard

    def _hear(self, token: trio.lowlevel.TrioToken, place: Place, heard: Heard) -> None:
        """On zeroconf's thread. A flood fills this queue and nothing else."""
        try:
            self._heard.put_nowait((place, heard))
            token.run_sync_soon(self._wake, idempotent=True)
        except (Full, trio.RunFinishedError):
            pass

    def _wake(self) -> None:
        self._some.set()

    def _listen_to_what_was_heard(self) -> bool:
        """Whether anything is new."""
        new = False
        while True:
            try:
                place, heard = self._heard.get_nowait()
            except Empty:
                return new
            if heard.instance == self._instance:
                continue
            if heard.txt is None:
                new |= self._people.gone(place.interface, place.address.version == 6, heard.instance)
                continue
            way = Way(place.interface, Endpoint(pack(ip_address(heard.address)), heard.port), heard.txt)
            try:
                new |= self._people.seen(heard.instance, way, trio.current_time())
            except PeerError as error:
                log.debug("somebody visible was ignored", why=error.code.name)
