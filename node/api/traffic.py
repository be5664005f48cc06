"""GET /v1/traffic: what this node's links do, and what they sent in the last hour."""

from msgspec import Struct

from node.api.contract import Call, Reply
from node.traffic_meter import Sent
from protocol.traffic.policies import NAMES


class Traffic(Struct, frozen=True):
    traffic: str
    """The preset of this node's links (Spec 10 §2)."""
    forward: bool
    """Whether contacts' relays are reached by this node's own only (Spec 12)."""
    relays: int
    """Links of its own that are always there."""
    sent: Sent


async def show(call: Call) -> Reply:
    """GET: of the last hour, or since the node began."""
    node = call.node
    return Reply(Traffic(NAMES[node.traffic], node.forward, len(node.relays()), node.sent()))
