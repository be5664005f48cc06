"""The same scripts over real sockets, in real time: relays with listeners, nodes that dial, databases in files.

Texts and restarts only, on a clock that runs `SPEED` times as fast: every duration of the timing is as much shorter.
"""

from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio
from msgspec.structs import asdict, replace

from node.entropy import SystemEntropy
from node.relay import ServedRelay, open_relay
from node.runtime import Running, open_core
from node.store.database import open_reader
from node.store.mailbox import SCHEMA, MailboxStore
from node.transport.contract import Connect, Use
from node.transport.dialer import dial
from protocol.crypto.suite import RealSuite
from protocol.delivery.contacts import new_profile
from protocol.errors import WorldError
from protocol.keys import Group, RelayKey
from protocol.machines.contract import Core
from protocol.machines.personal import Personal
from protocol.mailbox import ChangeKind, MessageState
from protocol.operations import Accept, Configure, Invite, Operation, SendText
from protocol.timing import Timing
from protocol.traffic.policies import rates
from protocol.wire.commands import Preset
from simulations.faithful.trial import NotHereError
from simulations.log import Log, read_log
from simulations.script import Fault, FaultKind, Say, Script
from simulations.world import SCALED, person_name, text_of

SPEED = 4.0
"""Virtual seconds a real one."""
_DELIVERY_SECONDS = 30.0
_LONGEST_DOWN_SECONDS = 15.0
_TRY_AGAIN_SECONDS = 1.0
_STATES = """
    SELECT c.state FROM changes c JOIN messages m ON m.id = c.row
    WHERE m.message_id = ? AND c.kind <= ? ORDER BY c.number
"""
_suite = RealSuite()
_entropy = SystemEntropy()


def hurried(timing: Timing, speed: float = SPEED) -> Timing:
    """Every duration in seconds divided by `speed`, and ticks as much oftener."""
    known = {name: value for name, value in asdict(timing).items() if name.endswith("_seconds") and value is not None}
    shorter = {name: value / speed for name, value in known.items()}
    return replace(timing, pace=timing.pace * speed, **shorter)


async def carry_out(script: Script, place: Path) -> Log:
    """Its log, the states without instants; databases lie in `place`. Raises NotHereError, trio.TooSlowError."""
    odd = sorted({line.kind for line in script.lines if isinstance(line, Fault)} - {FaultKind.RESTART})
    if odd:
        raise NotHereError(f"Real sockets carry out texts and restarts, not these faults: {', '.join(odd)}.")
    town = Town(script, place, hurried(SCALED))
    with trio.fail_after((script.seconds / SPEED) + _DELIVERY_SECONDS):
        async with trio.open_nursery() as nursery:
            for house in (*town.relays, *town.people):
                await nursery.start(house.live)
            await town.settle()
            began = trio.current_time()
            async with trio.open_nursery() as doings:
                for line in script.lines:
                    doings.start_soon(town.perform, line, began + line.at / SPEED)
            while not await town.all_delivered():  # noqa: ASYNC110 - what is waited for lies in files
                await trio.sleep(_TRY_AGAIN_SECONDS / SPEED)
            nursery.cancel_scope.cancel()
    return town.log()


class House:
    """A process that is restarted now and then: `open` is left and entered again."""

    def __init__(self) -> None:
        self.stay = trio.CancelScope()
        self.down_seconds = 0.0
        self.up = trio.Event()

    async def open(self, stack: AsyncExitStack) -> None:
        """Enter what this one consists of."""
        raise AssertionError("a subclass says what")

    async def live(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled."""
        while True:
            with trio.CancelScope() as self.stay:
                async with AsyncExitStack() as stack:
                    await self.open(stack)
                    self.up.set()
                    task_status.started()
                    task_status = trio.TASK_STATUS_IGNORED
                    try:
                        await trio.sleep_forever()
                    finally:
                        self.up = trio.Event()
            await trio.sleep(self.down_seconds)

    def restart(self, down_seconds: float) -> None:
        """Stop as if asked to, and start so much later."""
        if self.up.is_set():
            self.down_seconds = down_seconds
            self.stay.cancel()


class RelayHouse(House):
    """`node.relay`, at the same port in every life (0: any); it carries for others on this machine too."""

    def __init__(self, place: Path, timing: Timing, port: int = 0) -> None:
        super().__init__()
        self._place = place
        self._timing = timing
        self._port = port
        self.served: ServedRelay | None = None

    async def open(self, stack: AsyncExitStack) -> None:
        opening = open_relay(self._place, [f"127.0.0.1:{self._port}"], timing=self._timing, forward="any")
        self.served = await stack.enter_async_context(opening)
        (self._port,) = self.served.ports

    @property
    def address(self) -> tuple[str, RelayKey]:
        """As a person's settings name it."""
        assert self.served is not None
        return f"ws://127.0.0.1:{self._port}", self.served.key


async def _dial(_relay: RelayKey, host: str, use: Use, _group: Group) -> None:
    await dial(host, use)


class PersonHouse(House):
    """A mailbox, its machine, and real dials."""

    def __init__(
        self, index: int, place: Path, timing: Timing, preset: Preset = Preset.DIRECT, connect: Connect = _dial
    ) -> None:
        super().__init__()
        self.index = index
        self.place = place
        self.preset = preset
        self.connect = connect
        self.running: Running | None = None
        self._timing = timing
        if not place.exists():
            store = MailboxStore(place, bytes(32))
            with store.transaction() as tx:
                tx.profile.save(new_profile(_suite, _entropy, person_name(index)))
            store.close()

    async def open(self, stack: AsyncExitStack) -> None:
        core = open_core(
            self._make, suite=_suite, entropy=_entropy, timing=self._timing, connect=self.connect,
            preset=lambda _: self.preset,
        )  # fmt: skip
        self.running = await stack.enter_async_context(core)

    async def ask(self, operation: Operation) -> Any:
        """The machine's answer, once it is up. Raises CallerError, WorldError."""
        await self.up.wait()
        assert self.running is not None
        return await self.running.request(operation)

    @contextmanager
    def _make(self) -> Iterator[Core[Any]]:
        store = MailboxStore(self.place, bytes(32))
        constant = rates(self.preset, to_relay=True) is not None
        try:
            yield Core(Personal(_suite, _entropy, self._timing, constant=constant), store)
        finally:
            store.close()

    @contextmanager
    def mailbox(self) -> Iterator[MailboxStore]:
        """To read with, beside the node."""
        connection = open_reader(self.place, SCHEMA, bytes(32))
        try:
            yield MailboxStore.over(connection)
        finally:
            connection.close()


class Town:
    """Everybody."""

    def __init__(self, script: Script, place: Path, timing: Timing) -> None:
        place.mkdir(exist_ok=True)
        self.script = script
        self.relays = [RelayHouse(place / f"relay{number}", timing) for number in range(script.relays)]
        self.people = [PersonHouse(number, place / f"{number}.db", timing) for number in range(script.people)]
        self.numbers: dict[tuple[int, int], int] = {}

    async def settle(self) -> None:
        """Everybody uses every relay, and knows whom the script says."""
        for person in self.people:
            await person.ask(Configure(tuple(relay.address for relay in self.relays), None))
        for one, other in self.script.contacts:
            invited = await self.people[one].ask(Invite(1_440, None))
            made = await self.people[other].ask(Accept(invited.link, None, None))
            self.numbers[other, one] = made.contact
            while (one, other) not in self.numbers:
                await trio.sleep(0.02)
                known = {number for (person, _), number in self.numbers.items() if person == one}
                with self.people[one].mailbox() as store, store.read() as tx:
                    fresh = [contact.id for contact in tx.contacts.find() if contact.id not in known]
                if fresh:
                    self.numbers[one, other] = fresh[0]

    async def perform(self, line: Say | Fault, at: float) -> None:
        """At its time."""
        await trio.sleep_until(at)
        if isinstance(line, Say):
            await self._say(line)
        else:
            houses: list[House] = [*self.people, *self.relays]
            houses[line.target].restart(min(line.seconds, _LONGEST_DOWN_SECONDS) / SPEED)

    async def _say(self, line: Say) -> None:
        """People try again: until their node is up and has the text in its outbox."""
        sender, text = self.people[line.sender], text_of(line)
        while True:
            try:
                await sender.ask(SendText(self.numbers[line.sender, line.recipient], text))
                return
            except WorldError:
                await trio.sleep(_TRY_AGAIN_SECONDS / SPEED)
                with sender.mailbox() as store, store.read() as tx:
                    if any(message.text == text for message in tx.messages.find()):
                        return

    async def all_delivered(self) -> bool:
        """Whether every node knows of each of its messages that it has arrived."""
        for person in self.people:
            await trio.lowlevel.checkpoint()
            with person.mailbox() as store, store.read() as tx:
                mine = [message for message in tx.messages.find() if message.mine]
            if any(message.state < MessageState.DELIVERED for message in mine):
                return False
        return True

    def log(self) -> Log:
        """From the files."""
        with ExitStack() as stack:
            stores = [stack.enter_context(person.mailbox()) for person in self.people]
            return read_log({number: store.read() for number, store in enumerate(stores)}, partial(_states, stores))


def _states(stores: list[MailboxStore], person: int, message_id: bytes) -> tuple[tuple[MessageState, float], ...]:
    rows = stores[person].connection.execute(_STATES, (message_id, int(ChangeKind.STATE))).fetchall()
    return tuple((MessageState(state), 0.0) for (state,) in rows)
