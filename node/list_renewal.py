"""Asks the relays that offered this node's lists for the next ones, about once a day (Spec 11 §5)."""

import logging

import trio

from node.api.contract import Node
from protocol.entropy import Entropy
from protocol.errors import CallerError, WorldError
from protocol.operations import FollowList
from protocol.relays.links import parse_source
from protocol.timing import Timing

log = logging.getLogger(__name__)

_FIRST = 1 / 24
"""Of the time between two askings: a node that never runs for a day asks, too."""


async def renew_lists(node: Node, entropy: Entropy, timing: Timing) -> None:
    """Until cancelled. What goes wrong is kept for people to see; the log names no relay."""
    await trio.sleep(timing.list_renewal_seconds * _FIRST * entropy.uniform())
    while True:
        for row in await node.read(lambda reader: reader.relay_lists()):
            if row.source is None:
                continue
            source = parse_source(row.source)
            try:
                encoded = await node.ask_for_list(source.host, source.relay)
                await node.request(FollowList(encoded, source.publisher, (str(source.host), source.relay)))
                node.list_errors.pop(row.list, None)
            except (CallerError, WorldError) as error:
                log.info("list %d of relays was not renewed", row.list)
                node.list_errors[row.list] = str(error)
        await trio.sleep(timing.list_renewal_seconds * (0.5 + entropy.uniform()))
