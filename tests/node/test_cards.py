"""Cards are brought to relays whether or not whoever asked for it still waits."""

import pytest
import trio

from protocol.errors import WorldError
from protocol.keys import RelayKey
from protocol.limits import MAX_CARD_INVITATIONS
from protocol.operations import CancelInvitation, Invite, SignCard
from protocol.wire.addresses import Host, format_address
from tests.node.fake_node import FakeNode

ADDRESS = format_address(Host("ws", "relay.example", 1), RelayKey(bytes(32)))


def _asked(node: FakeNode, kind: type) -> int:
    return sum(isinstance(operation, kind) for operation in node.operations)


async def test_who_asked_is_told_that_the_relay_is_away_and_nothing_is_left() -> None:
    node = FakeNode()
    with pytest.raises(WorldError, match="nobody is there"):
        await node.cards.publish("ada", ADDRESS)
    assert (_asked(node, Invite), _asked(node, SignCard), _asked(node, CancelInvitation)) == (4, 1, 4)


async def test_it_is_carried_on_with_where_nobody_waits_any_more() -> None:
    node = FakeNode()
    with trio.move_on_after(0.0) as waiting:
        await node.cards.publish("ada", ADDRESS)
    assert waiting.cancelled_caught
    with trio.fail_after(5.0):
        while _asked(node, CancelInvitation) < MAX_CARD_INVITATIONS:  # noqa: ASYNC110 - tried, and taken back
            await trio.sleep(0.01)
    assert _asked(node, SignCard) == 1
