"""/v1/relays: the relays that hold this node's queues."""

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import asdict

from node.api.contract import Call, Reply
from node.store.rows import RelayHealthRow
from protocol.operations import Configure
from protocol.wire.addresses import parse_address

MAX_RELAYS = 8


class Relays(Struct, frozen=True, forbid_unknown_fields=True):
    """Addresses (`kassiber://host:port/r#key`) in order of preference."""

    relays: Annotated[tuple[str, ...], Meta(max_length=MAX_RELAYS)]


async def list_relays(call: Call) -> Reply:
    """GET: how the connection to each stands, and how it has served so far."""
    known = await call.node.read(lambda reader: reader.relay_health())
    rows = [asdict(row) | asdict(known.get(row.key, RelayHealthRow())) for row in call.node.relays()]
    return Reply({"relays": rows})


async def replace_relays(call: Call) -> Reply:
    """PUT: the whole list. What a relay that is left out still holds is fetched before its queues are dropped."""
    parsed = tuple((str(host), key) for host, key in map(parse_address, call.read_body(Relays).relays))
    await call.node.request(Configure(parsed, call.node.direct))
    return await list_relays(call)
