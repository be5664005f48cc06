"""A small machine and store for tests of the shell, so that they do not depend on what a relay decides."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Self

from msgspec import Struct

from protocol.crypto.suite import RealSuite
from protocol.effects import Answer, Disconnect, Effect, Send
from protocol.envelope.envelope import parse_envelope, seal_envelope
from protocol.errors import CallerError, Code, StoreError
from protocol.events import Event, Failed, Now, Received, Requested, TimePassed
from protocol.keys import Connection, Minute, RelayKey, Request, SendId, SigningKey
from protocol.keys import Sequence as Number
from protocol.machines.contract import Core
from protocol.wire.commands import Accepted, Ack, Delivery, Deposit, Drop, Subscribe

SUITE = RealSuite()
KEY: SigningKey = SUITE.signing_key(b"\x07" * 32)
RELAY = RelayKey(KEY[32:])
ENVELOPE, DIGEST = seal_envelope(SUITE, SUITE.signing_key(b"\x08" * 32), SendId(bytes(16)), bytes(3_840))


class Memory:
    """A store that remembers its commits; `broken` makes the next one fail."""

    def __init__(self) -> None:
        self.commits = 0
        self.service = 0.0
        self.closed = False
        self.broken: StoreError | None = None

    def transaction(self) -> Self:
        return self

    def read(self) -> AbstractContextManager[Self]:
        return nullcontext(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None and self.broken is not None:
            raise self.broken
        self.commits += 1

    def savepoint(self) -> AbstractContextManager[None]:
        return nullcontext()

    def service_offset(self) -> float:
        return self.service

    def save_service(self, service: float) -> None:
        self.service = service

    def fold_log(self) -> None:
        """There is none."""


class Say(Struct, frozen=True):
    """An operation: carry out these effects and answer with `result`."""

    effects: tuple[Any, ...] = ()
    result: Any = None


class Echo:
    """Answers deposits; pushes as many deliveries as a subscription's number says; carries out what it is told to."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.next_wake: float | None = None
        self.wake_at: list[float] = []

    def handle(self, event: Event, tx: Memory, now: Now) -> Sequence[Effect]:
        self.events.append(event)
        match event:
            case Received(connection, commands):
                return [effect for command in commands for effect in self._reply(connection, command, now)]
            case Requested(number, operation):
                if isinstance(operation.result, CallerError):
                    raise operation.result
                return [*operation.effects, Answer(number, operation.result)]
            case TimePassed():
                self.wake_at.append(now.service)
                self.next_wake = None
            case Failed(Requested(number, _), _):
                return [Answer(number, CallerError("not stored"))]
        return []

    def _reply(self, connection: Connection, command: object, now: Now) -> Sequence[Effect]:
        match command:
            case Deposit(request, envelope):
                return [Send(connection, Accepted(request, parse_envelope(envelope).digest, Minute(5)))]
            case Subscribe(_, subscription, _):
                deliveries = [Delivery(subscription, Number(n + 1), ENVELOPE) for n in range(subscription)]
                return [Send(connection, delivery) for delivery in deliveries]
            case Ack(subscription, _) if subscription == 0:
                raise RuntimeError("a bug of the machine's")
            case Drop():
                return [Disconnect(connection, Code.REPLACED)]
        return []

    def of(self, kind: type[Any]) -> list[Any]:
        """The events of one kind."""
        return [event for event in self.events if type(event) is kind]


def making(machine: Echo, store: Memory) -> Callable[[], AbstractContextManager[Core[Any]]]:
    """For `open_core`."""

    @contextmanager
    def make() -> Iterator[Core[Any]]:
        yield Core(machine, store)
        store.closed = True

    return make


def deposit(number: int) -> Deposit:
    return Deposit(Request(number), ENVELOPE)


def accepted(number: int) -> Accepted:
    return Accepted(Request(number), DIGEST, Minute(5))
