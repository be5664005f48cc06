"""One step of the personal machine: what a subject's functions are handed, and where they put what they want done."""

from collections.abc import Callable

from protocol.crypto.suite import Suite
from protocol.effects import Announce, Effect, Send
from protocol.entropy import Entropy
from protocol.events import Now
from protocol.keys import Connection
from protocol.mailbox import Change, ChangeKind, PersonalTransaction
from protocol.timing import Timing
from protocol.wire.commands import Command


class Step:
    """Lives for one event. Functions read and write `tx`, draw from `entropy`, leave effects for after the commit."""

    def __init__(
        self, tx: PersonalTransaction, now: Now, suite: Suite, entropy: Entropy, timing: Timing,
        wake_at: Callable[[float], None], features: int = 0,
    ) -> None:  # fmt: skip
        self.tx = tx
        self.now = now
        self.suite = suite
        self.entropy = entropy
        self.timing = timing
        self.wake_at = wake_at
        """Asks for a TimePassed at this service time; a spurious one is harmless."""
        self.features = features
        """What this node's profile lists (Spec 5 §3)."""
        self.effects: list[Effect] = []

    def send(self, connection: Connection, command: Command) -> None:
        """Queue a command for after the commit."""
        self.effects.append(Send(connection, command))

    def change(self, kind: ChangeKind, row: int, state: int) -> int:
        """Number a change that readers with a cursor must see."""
        number = self.tx.changes.add(Change(0, kind, row, state))
        self.effects.append(Announce(number))
        return number
