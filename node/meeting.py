"""Meeting somebody new on a local network: a person is visible, calls or is called, and compares a code (Spec 9 §6).

The list and the ports are `node.discovery.visible_network`'s, what is said in a call `protocol.discovery.visible`'s.
"""

import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

import structlog
import trio
from msgspec import Struct

from node.discovery.visible_network import VisibleNetwork
from node.store.rows import Reader, RelayRow
from node.transport.contract import Ended, FrameStream
from protocol.crypto.suite import RealSuite
from protocol.delivery.contacts import clean_name
from protocol.discovery.announcement import NEARBY_HOST
from protocol.discovery.people import Way
from protocol.discovery.visible import Attempts, Called, Caller
from protocol.entropy import Entropy
from protocol.errors import CallerError, PeerError, WorldError
from protocol.keys import RelayKey
from protocol.operations import Accept, CancelInvitation, Invite, Operation
from protocol.timing import Timing

T = TypeVar("T")
Over: TypeAlias = Literal["met", "time", "left"]

INVITATION_MINUTES = 10
LEASE_SECONDS = 15.0
"""Nobody stays visible for whom no program asks any more how it stands."""
ASK_SECONDS = 5.0
"""So long a question for news waits for some."""
WITHDRAW_SECONDS = 10.0

log = structlog.get_logger(__name__)
_suite = RealSuite()


class Node(Protocol):
    """What a meeting needs of its node."""

    @property
    def direct(self) -> tuple[str, RelayKey] | None: ...
    def relays(self) -> Sequence[RelayRow]: ...
    async def request(self, operation: Operation) -> Any: ...
    async def read(self, query: Callable[[Reader], T]) -> T: ...


class PersonRow(Struct, frozen=True):
    person: int
    name: str
    """As they say; anybody may say anything."""


class CallRow(Struct, frozen=True):
    name: str
    calling: bool
    """Whether it was made here."""
    code: str | None
    """Six digits, once there are any: both people must see the same."""
    same: bool | None
    """What the person here said of it."""


class MeetingRow(Struct, frozen=True):
    """How a time of being visible stands."""

    version: int
    """Another with each change."""
    name: str
    seconds: float
    """Left of it."""
    anywhere: bool | None
    """Whether there is a network on which others see it; nil: that is being tried."""
    wait_seconds: float
    """Until the next call may be made or taken."""
    people: tuple[PersonRow, ...]
    call: CallRow | None
    trouble: str | None
    """How the last call failed."""
    over: Over | None
    contact: int | None
    """Who was called and met."""
    invitation: int | None
    """By which who called becomes a contact."""


class _Call:
    def __init__(self, name: str, calling: bool) -> None:
        self.name = name
        self.calling = calling
        self.code: str | None = None
        self.same: bool | None = None
        self.trouble: str | None = None
        self.settled = trio.Event()
        """There is a code, or it is over."""
        self.answered = trio.Event()
        """The person here has said what they see, or the connection has ended."""


class _Line:
    """Frames of the other, read ahead by one: so it shows at once when they hang up."""

    def __init__(self, frames: FrameStream, ended: Callable[[], None]) -> None:
        self._frames = frames
        self._ended = ended
        self._failure: Ended | PeerError | None = None
        self._put, self._get = trio.open_memory_channel[bytes](0)

    async def run(self) -> None:
        """Until the stream is closed."""
        async with self._put:
            try:
                while True:
                    await self._put.send(await self._frames.receive())
            except (Ended, PeerError) as error:
                self._failure = error
            except trio.BrokenResourceError:
                pass
            finally:
                self._ended()

    async def receive(self) -> bytes:
        """Raises Ended, PeerError."""
        try:
            return await self._get.receive()
        except trio.EndOfChannel:
            raise self._failure or Ended("the connection was closed") from None

    def leave(self) -> None:
        """Nobody reads it any more."""
        self._get.close()


class Meeting:
    """One time of being visible."""

    def __init__(self, node: Node, entropy: Entropy, timing: Timing, name: str) -> None:
        self.version = 0
        self.over: Over | None = None
        self._node = node
        self._entropy = entropy
        self._timing = timing
        self._name = name
        self._contact: int | None = None
        self._invitation: int | None = None
        self._trouble: str | None = None
        self._call: _Call | None = None
        self._attempts = Attempts(timing)
        self._network = VisibleNetwork(entropy, timing, name, self._take_call, self._change)
        self._news = trio.Event()
        self._asked_at = trio.current_time()
        self._visible = trio.CancelScope(deadline=trio.current_time() + timing.visible_seconds)
        self._all = trio.CancelScope()
        self._nursery: trio.Nursery | None = None

    async def run(self) -> None:
        """Until five minutes are over, somebody was met, or the person leaves. A call that is under way is finished."""
        try:
            with self._all:
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    nursery.start_soon(self._watch)
                    with self._visible:
                        await self._network.run(nursery)
                    while self._call is not None:
                        await self._next_news()
                    self._finish("time")
                    nursery.cancel_scope.cancel()
        finally:
            self._finish("left")

    def state(self) -> MeetingRow:
        """As it is now."""
        now, call = trio.current_time(), self._call
        return MeetingRow(
            version=self.version,
            name=self._name,
            seconds=0.0 if self.over is not None else max(self._visible.deadline - now, 0.0),
            anywhere=self._network.anywhere,
            wait_seconds=self._attempts.wait_seconds(now),
            people=tuple(PersonRow(person.number, person.name) for person in self._network.people()),
            call=None if call is None else CallRow(call.name, call.calling, call.code, call.same),
            trouble=self._trouble,
            over=self.over,
            contact=self._contact,
            invitation=self._invitation,
        )

    async def state_after(self, version: int) -> MeetingRow:
        """Once it is another than this version's, or some seconds later."""
        self._asked_at = trio.current_time()
        with trio.move_on_after(ASK_SECONDS):
            while self.version <= version and self.over is None:
                await self._next_news()
        self._asked_at = trio.current_time()
        return self.state()

    async def call(self, number: int) -> MeetingRow:
        """Call somebody of the list; returns once there is a code. Raises CallerError, WorldError."""
        now = trio.current_time()
        person = next((person for person in self._network.people() if person.number == number), None)
        if person is None:
            raise CallerError(f"Nobody visible has the number {number} now.")
        if self._call is not None:
            raise CallerError(f"There is a call already, with {self._call.name}.")
        wait = self._attempts.wait_seconds(now)
        if wait > 0:
            raise CallerError(f"A call a minute, so that nobody can try codes: wait {math.ceil(wait)} seconds.")
        if self._nursery is None or self._visible.cancel_called or self.over is not None:
            raise CallerError("You are not visible any more. Begin again: kassiber meet")
        call = self._call = _Call(person.name, calling=True)
        self._trouble = None
        self._change()
        self._nursery.start_soon(self._make_call, call, [*person.ways.values()][-1])
        await call.settled.wait()
        if call.trouble is not None:
            raise WorldError(call.trouble)
        return self.state()

    def answer(self, same: bool) -> None:
        """What the person sees. Raises CallerError."""
        call = self._call
        if call is None or call.code is None:
            raise CallerError("There is no code to compare now.")
        if call.same is not None:
            raise CallerError("You have said so already.")
        call.same = same
        call.answered.set()
        self._change()

    def leave(self) -> None:
        """Now, and from any call."""
        self._finish("left")
        self._all.cancel()

    # Calls

    async def _make_call(self, call: _Call, way: Way) -> None:
        try:
            with trio.fail_after(self._timing.visible_call_seconds) as patience:
                await self._network.call(way, partial(self._call_out, call, way.txt, patience))
        except (CallerError, WorldError, PeerError, trio.TooSlowError) as error:
            self._fail(call, error)
        finally:
            self._end(call)

    async def _call_out(self, call: _Call, txt: bytes, patience: trio.CancelScope, frames: FrameStream) -> None:
        """The caller's part. Raises CallerError, WorldError, PeerError, TooSlowError."""
        caller = Caller(_suite, self._entropy, txt, self._name)
        await frames.send(caller.hello())
        await frames.send(caller.call(await frames.receive()))
        answer = await frames.receive()
        if not self._attempts.begin(trio.current_time()):
            raise CallerError("Somebody else called meanwhile. Try again in a minute.")
        await frames.send(caller.open(answer))
        patience.deadline = math.inf
        line = self._listen(call, frames)
        try:
            await self._compare(call, caller.code)
            await frames.send(caller.agree())
            with self._step():
                invitation = caller.read_invitation(await line.receive())
                accepted = await self._node.request(Accept(None, invitation, _as_contact(call.name)))
            self._contact = accepted.contact
            await frames.send(caller.joined())
        finally:
            line.leave()
        self._finish("met")

    async def _take_call(self, frames: FrameStream) -> None:
        """The called one's part; who is hung up on is told nothing."""
        call: _Call | None = None
        try:
            called = Called(_suite, self._entropy, self._network.txt)
            with trio.fail_after(self._timing.visible_call_seconds):
                await frames.send(called.welcome(await frames.receive()))
                name = called.read_call(await frames.receive())
                if self._call is not None or self.over is not None or not self._attempts.begin(trio.current_time()):
                    return
                call = self._call = _Call(name, calling=False)
                self._trouble = None
                self._change()
                await frames.send(called.answer())
                called.read_opening(await frames.receive())
            line = self._listen(call, frames)
            try:
                await self._compare(call, called.code)
                with self._step():
                    called.read_agreement(await line.receive())
                await self._invite(called, frames, line)
            finally:
                line.leave()
            self._finish("met")
        except (CallerError, WorldError, PeerError, trio.TooSlowError) as error:
            if call is not None:
                self._fail(call, error)
        finally:
            if call is not None:
                self._end(call)

    async def _invite(self, called: Called, frames: FrameStream, line: _Line) -> None:
        """Make an invitation, hand it over; withdraw it unless it is accepted."""
        with self._step():
            made = await self._node.request(Invite(INVITATION_MINUTES, None))
        joined = False
        try:
            await frames.send(called.invite(made.file))
            with self._step():
                called.read_joined(await line.receive())
            joined, self._invitation = True, made.invitation
        finally:
            if not joined:
                with trio.move_on_after(WITHDRAW_SECONDS, shield=True):
                    await self._withdraw(made.invitation)

    async def _withdraw(self, number: int) -> None:
        rows = await self._node.read(lambda reader: reader.invitations())
        if any(row.invitation == number and row.state == "open" for row in rows):
            await self._node.request(CancelInvitation(number))

    def _listen(self, call: _Call, frames: FrameStream) -> _Line:
        assert self._nursery is not None
        line = _Line(frames, call.answered.set)
        self._nursery.start_soon(line.run)
        return line

    async def _compare(self, call: _Call, code: str | None) -> None:
        """Both people look. Raises CallerError: they differ; Ended: the other hung up; TooSlowError."""
        call.code = code
        call.settled.set()
        self._change()
        with trio.fail_after(self._timing.visible_answer_seconds):
            await call.answered.wait()
        if call.same is None:
            raise Ended("the connection was closed")
        if not call.same:
            raise CallerError(
                "You said that the codes differ: somebody may stand between you. Nothing was kept. "
                "Exchange an invitation in another way: kassiber invite"
            )

    def _step(self) -> AbstractContextManager[trio.CancelScope]:
        """What is waited for of the other, or done here. Raises TooSlowError."""
        return trio.fail_after(self._timing.visible_answer_seconds + 2 * self._timing.travel_seconds)

    # What is shown

    def _fail(self, call: _Call, error: Exception) -> None:
        match error:
            case trio.TooSlowError():
                what = f"The call with {call.name} took too long. Nothing was kept."
            case Ended() if call.code is None and call.calling:
                what = (
                    f"{call.name} does not take the call: perhaps they were called less than a minute ago. Try again."
                )
            case Ended():
                what = f"{call.name} hung up, or saw another code. Nothing was kept."
            case PeerError():
                what = f"What answers for {call.name} does not keep to the protocol: {error}. Nothing was kept."
            case WorldError():
                what = f"{call.name} cannot be reached: {error}."
            case _:
                what = str(error)
        call.trouble = self._trouble = what

    def _end(self, call: _Call) -> None:
        if self._call is call:
            self._call = None
        call.settled.set()
        self._change()

    def _finish(self, how: Over) -> None:
        if self.over is None:
            self.over = how
            self._visible.cancel()
            self._change()

    def _change(self) -> None:
        self.version += 1
        self._news.set()
        self._news = trio.Event()

    async def _next_news(self) -> None:
        await self._news.wait()

    async def _watch(self) -> None:
        """Somebody looks at it, or it is over."""
        asked_at = -math.inf
        while self._asked_at > asked_at:
            asked_at = self._asked_at
            await trio.sleep_until(asked_at + LEASE_SECONDS)
        log.warning("nobody looks at who is visible any more; so this node is not any more either")
        self.leave()


class Meetings:
    """A node's: one at a time."""

    def __init__(
        self,
        node: Node,
        entropy: Entropy,
        timing: Timing,
        trusted: bool,
        start: Callable[[Callable[[], Awaitable[object]]], None],
    ) -> None:
        """`trusted`: whether local networks are. `start` runs something for as long as the node runs."""
        self._node = node
        self._entropy = entropy
        self._timing = timing
        self._trusted = trusted
        self._start = start
        self._meeting: Meeting | None = None

    async def begin(self, name: str | None) -> MeetingRow:
        """Be visible, as `name` or as oneself. Raises CallerError: not here, not now, not under this name."""
        if not self._trusted:
            raise CallerError(
                "This node shows itself on no local network, as it was not told that they are trusted. Where you trust "
                "this one: start it with 'kassiber up --discovery', or set discovery = true in settings.toml."
            )
        if self._meeting is not None and self._meeting.over is None:
            raise CallerError("You are visible already. End that first, or wait for its end.")
        reachable = self._node.direct is not None and self._node.direct[0] != NEARBY_HOST
        if not reachable and not self._node.relays():
            raise CallerError(
                "You have no relay yet, so nobody could become a contact: add one with 'kassiber relays add ADDRESS'."
            )
        told = await self._node.read(lambda reader: reader.name())
        chosen = clean_name(name if name is not None else told or "")
        self._meeting = Meeting(self._node, self._entropy, self._timing, chosen)
        self._start(self._meeting.run)
        return self._meeting.state()

    def now(self) -> Meeting:
        """The one that goes on, or the last one. Raises CallerError."""
        if self._meeting is None:
            raise CallerError("You are not visible. Begin: kassiber meet")
        return self._meeting


def _as_contact(name: str) -> str | None:
    """What to call a contact who is called so here; None: no contact can be."""
    try:
        return clean_name(name)
    except CallerError:
        return None
