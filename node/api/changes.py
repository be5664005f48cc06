"""GET /v1/changes?after=N: everything that happens, from any point on, as newline-delimited JSON.

The cursor is the `change` of the last complete line that a client has read. Nothing is pushed from memory: the stream
reads the mailbox, so what a client missed is what it asks for next.
"""

import msgspec
import trio

from node.api.contract import Call, Lines, Node
from node.api.limits import CHANGES_PAGE_ROWS, HEARTBEAT_SECONDS

_encoder = msgspec.json.Encoder()


async def follow(call: Call) -> Lines:
    """Every change above `after`, then each as it comes; an empty line where nothing does."""
    return Changes(call.node, call.number("after", 0))


class Changes:
    """One client's place in the changes."""

    def __init__(self, node: Node, after: int) -> None:
        self._node = node
        self._after = after

    async def next(self) -> bytes:
        """Complete lines; only an empty one after 15 s without a change."""
        after = self._after
        with trio.move_on_after(HEARTBEAT_SECONDS):
            while True:
                rows = await self._node.read(lambda reader: reader.changes(after, CHANGES_PAGE_ROWS))
                if rows:
                    self._after = rows[-1].change
                    return _encoder.encode_lines(rows)
                await self._node.changed(after)
        return b"\n"
