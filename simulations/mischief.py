"""A relay that cheats, as far as a relay can (Spec 1): it withholds, repeats, reorders, lies, delays, refuses."""

from collections.abc import Callable, Iterable
from typing import Any

from protocol.envelope.envelope import parse_envelope
from protocol.errors import Code
from protocol.keys import Minute
from protocol.store import Queue
from protocol.wire.commands import Accepted, Ack, Command, Delivery, Deposit, Refused
from simulations.host import NOT_THE_MACHINES, RelayHost
from simulations.network import End
from simulations.script import FaultKind

_AGAIN_SECONDS = 2.0


class CheatingRelay(RelayHost):
    """Honest until told otherwise: `cheats` says how often each trick is still to be played."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.cheats: dict[FaultKind, int] = {}
        self.played: Callable[[FaultKind], None] = lambda kind: None
        """Told of each trick."""
        self.late_seconds = 0.0
        self.notes: Callable[[CheatingRelay, End, Command], None] | None = None
        """What it writes down of each command that it is given: it sees them, whatever it promises."""
        self.refusals = 0
        """How often it said no."""
        self.found_stored = 0
        """Envelopes in the longest of its queues when its quota was lowered, or its disk was exchanged since."""
        self.thrown_away: set[bytes] = set()
        """Bodies of the envelopes that it withheld and, as if they had been read, forgot."""
        self._overtaken: tuple[End, Command] | None = None

    def behave(self) -> None:
        """From now on honest."""
        self.cheats.clear()
        self.late_seconds = 0.0
        self._release()

    def forget(self) -> None:
        super().forget()
        self._overtaken = None

    def hear(self, end: End, commands: list[Command]) -> Iterable[Command]:
        if self.notes is not None:
            for command in commands:
                self.notes(self, end, command)
        kept = [command for command in commands if not self._answered_falsely(end, command)]
        if len(kept) < len(commands):
            end.flush()
        if not self.late_seconds or not kept:
            return kept
        self.played(FaultKind.LATE)
        self.engine.after(self.late_seconds, lambda: end.hand_over(kept))
        return ()

    def _answered_falsely(self, end: End, command: Command) -> bool:
        if not isinstance(command, Deposit) or not self.cheats or command.request >= NOT_THE_MACHINES:
            return False
        if self._plays(FaultKind.LIE_STORED):
            digest = parse_envelope(command.envelope).digest
            end.link.queue(Accepted(command.request, digest, Minute(int(self.wall()) // 60)))
            return True
        if self._plays(FaultKind.FORGED_CUSTODY):
            self._sign_as_another(end, command)
            return True
        if self._plays(FaultKind.REFUSE):
            end.link.queue(Refused(command.request, Code.REFUSED))
            return True
        return False

    def _sign_as_another(self, end: End, command: Deposit) -> None:
        """Custody of what is not stored, under a key that the other end does not know."""
        link: Any = end.link
        true_key, link._key = link._key, self.suite.signing_key(bytes(32))
        digest = parse_envelope(command.envelope).digest
        link.queue(Accepted(command.request, digest, Minute(int(self.wall()) // 60)))
        end.flush()
        link._key = true_key

    def most_stored(self) -> int:
        """Envelopes in the longest of its queues."""
        return max((queue.stored for queue in self.queues()), default=0)

    def queues(self) -> list[Queue]:
        """All that it has."""
        with self.disk.look() as tx:
            return [tx.queues.by_number(number) for number in self.disk.queue_numbers()]

    def say(self, end: End, command: Command) -> Iterable[Command]:
        self.refusals += isinstance(command, Refused)
        if not isinstance(command, Delivery) or not (self.cheats or self._overtaken):
            return (command,)
        if self._overtaken is not None:
            self._release()
        elif self._plays(FaultKind.REORDER):
            self._overtaken = end, command
            return ()
        if self._plays(FaultKind.WITHHOLD):
            self.thrown_away.add(parse_envelope(command.envelope).body)
            self.engine.after(0.0, lambda: end.hand_over((Ack(command.subscription, command.sequence),)))
            return ()
        if self._plays(FaultKind.REPLAY):
            self.engine.after(_AGAIN_SECONDS, lambda: self._again(end, command))
            return (command, command)
        return (command,)

    def _again(self, end: End, command: Command) -> None:
        if not end.closed:
            end.link.queue(command)
            end.flush()

    def _release(self) -> None:
        if self._overtaken is not None:
            (end, command), self._overtaken = self._overtaken, None
            self.engine.after(0.0, lambda: self._again(end, command))

    def _plays(self, kind: FaultKind) -> bool:
        left = self.cheats.get(kind, 0)
        if not left:
            return False
        if left == 1:
            del self.cheats[kind]
        else:
            self.cheats[kind] = left - 1
        self.played(kind)
        return True
