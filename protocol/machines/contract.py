"""The interface of a machine and the one synchronous step that runtime and simulations share.

Events that are ready are handled in one transaction, each in a savepoint of its own; after the commit a read step looks
at the queues that were woken; only then are the effects performed.
"""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Generic, Protocol, TypeVar

from protocol.effects import Answer, Disconnect, Effect, Wake
from protocol.errors import CallerError, Code, DiskBrokenError, DiskFullError, PeerError, StoreError
from protocol.events import Event, Failed, Now, Opened, Received, Requested, Woken
from protocol.store import Store, Transaction

TX = TypeVar("TX", bound=Transaction)
TX_contra = TypeVar("TX_contra", bound=Transaction, contravariant=True)

log = logging.getLogger(__name__)


class Machine(Protocol[TX_contra]):
    """Relay or Personal. What matters lives in the store; the rest is rebuilt by `Started` or by peers reconnecting."""

    @property
    def next_wake(self) -> float | None:
        """Service seconds at which a TimePassed is wanted."""

    def handle(self, event: Event, tx: TX_contra, now: Now) -> Sequence[Effect]: ...


class Core(Generic[TX]):
    """A machine with its store, stepped by one thread."""

    def __init__(self, machine: Machine[TX], store: Store[TX]) -> None:
        self.machine = machine
        self.store = store

    def step(self, batch: Sequence[Event], now: Now) -> list[Effect]:
        """Handle a batch, commit it, and return what may be performed. Raises DiskBrokenError only."""
        effects: list[Effect] = []
        try:
            tx = self.store.transaction()
            if len(batch) == 1:  # undoing it is undoing the transaction
                effects += self._one(batch[0], tx, tx, now)
            else:
                with tx:
                    for event in batch:
                        effects += self._one(event, tx.savepoint(), tx, now)
        except DiskBrokenError:
            raise
        except StoreError as error:
            log.warning("a batch of %d events could not be stored: %s", len(batch), error)
            return self._failed(batch, now, isinstance(error, DiskFullError))
        woken = tuple(dict.fromkeys([effect.queue for effect in effects if type(effect) is Wake]))
        if woken:
            with self.store.read() as tx:
                effects += self.machine.handle(Woken(woken), tx, now)
        return effects

    def _one(self, event: Event, undone: AbstractContextManager[object], tx: TX, now: Now) -> Sequence[Effect]:
        """One event; its failure undoes what is done in `undone` alone, and costs only its own connection."""
        try:
            with undone:
                return self.machine.handle(event, tx, now)
        except (PeerError, CallerError) as error:
            return self._blame(event, error)
        except StoreError:
            raise
        except Exception as error:  # containment: a bug met by one peer's event must not reach another peer
            log.exception("an event of kind %s failed", type(event).__name__)
            return self._blame(event, error)

    def _blame(self, event: Event, error: Exception) -> Sequence[Effect]:
        if isinstance(event, Received | Opened):
            return (Disconnect(event.connection, error.code if isinstance(error, PeerError) else Code.INTERNAL),)
        if isinstance(event, Requested):
            return (Answer(event.request, error),)
        return ()

    def _failed(self, batch: Sequence[Event], now: Now, full: bool) -> list[Effect]:
        with self.store.read() as tx:
            return [effect for event in batch for effect in self.machine.handle(Failed(event, full), tx, now)]
