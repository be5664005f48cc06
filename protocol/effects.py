"""All that a machine may ask for. Performed only after the commit: save, then send, then tell."""

from typing import Any, TypeAlias

from msgspec import Struct

from protocol.errors import Code
from protocol.keys import SHARED, Connection, Group, QueueNumber, RelayKey
from protocol.traffic.policies import Stream
from protocol.wire.commands import Command


class _Effect(Struct, frozen=True, gc=False):
    pass


class Send(_Effect, frozen=True):
    """Queue a command on a connection's link."""

    connection: Connection
    command: Command
    stream: Stream = Stream.PAYLOAD
    """At a tick of which stream it leaves; of the others, the last one only."""


class Disconnect(_Effect, frozen=True):
    """Close a connection, telling the peer why."""

    connection: Connection
    code: Code


class Wake(_Effect, frozen=True):
    """This queue has changed: `Woken` follows after the commit."""

    queue: QueueNumber


class Answer(_Effect, frozen=True, gc=True):
    """The one answer to a `Requested`: a value, or an exception that says what to do.

    An exception knows the frames that it came through, and those this answer: the garbage collector must see it.
    """

    request: int
    result: Any


class Announce(_Effect, frozen=True):
    """Rows up to this change number are there to be read."""

    change: int


class Dial(_Effect, frozen=True):
    """Connect to a host (`ws://name:port` or `wss://…`) and expect this key. `Opened` or `Unreachable` follows."""

    relay: RelayKey
    host: str
    timeout_seconds: float
    group: Group = SHARED
    """One session a host and group."""


class Alarm(_Effect, frozen=True):
    """A relay of this node's own seems to drop what it is given: the person should know."""

    host: str


class HangUp(_Effect, frozen=True):
    """Close what was dialled for this host and group; `Closed` follows where it was open."""

    relay: RelayKey
    group: Group = SHARED


Effect: TypeAlias = Send | Disconnect | Wake | Answer | Announce | Dial | HangUp | Alarm
