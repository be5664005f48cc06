"""/v1/relay-lists: signed lists of relays that this node follows (Spec 11)."""

from msgspec import Struct
from msgspec.structs import asdict

from node.api.contract import Call, Reply
from node.api.errors import ApiError
from protocol.operations import ChooseRelays, FollowList, ListTaken, RelaysChosen, UnfollowList
from protocol.operations import ChosenRelay as Chosen
from protocol.relays.links import format_publisher, from_file, parse_publisher, parse_source
from protocol.wire.addresses import Host, format_address


class NewList(Struct, frozen=True, forbid_unknown_fields=True):
    """Either `list`, the bytes of a file (base64), or `source`: a list link or a relay's address."""

    list: bytes | None = None
    source: str | None = None
    publisher: str | None = None
    """Whose it must be, 43 characters."""


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    relays: int
    """How many this node is to have."""


class ChosenRow(Struct, frozen=True):
    address: str
    operators: tuple[str, ...]


class Taken(Struct, frozen=True):
    list: int
    publisher: str
    first: bool
    chosen: tuple[ChosenRow, ...]
    too_few: str | None


async def list_lists(call: Call) -> Reply:
    """GET: all that are followed; `error`: why the relay that offers it gave no next one when it was asked last."""
    rows = await call.node.read(lambda reader: reader.relay_lists())
    return Reply({"lists": [asdict(row) | {"error": call.node.list_errors.get(row.list)} for row in rows]})


async def show(call: Call) -> Reply:
    """GET /v1/relay-lists/N: the relays that it names."""
    number = call.arguments[0]
    listed = await call.node.read(lambda reader: reader.listed_relays(number))
    if listed is None:
        raise ApiError("not_found", f"There is no list number {number}. See: kassiber relays lists")
    return Reply({"relays": listed})


async def follow(call: Call) -> Reply:
    """POST: take a list, or a newer one of the same publisher. Where the node has no relay it takes two."""
    wanted = call.read_body(NewList)
    publisher = parse_publisher(wanted.publisher) if wanted.publisher is not None else None
    if wanted.source is not None and wanted.list is None:
        source = parse_source(wanted.source)
        if publisher is not None and source.publisher not in (None, publisher):
            raise ApiError("refused", "The link names another publisher than the one that was given.")
        encoded = await call.node.ask_for_list(source.host, source.relay)
        operation = FollowList(encoded, publisher or source.publisher, (str(source.host), source.relay))
    elif wanted.list is not None and wanted.source is None:
        operation = FollowList(from_file(wanted.list), publisher, None)
    else:
        raise ApiError("bad_request", "Either list or source is wanted.")
    taken: ListTaken = await call.node.request(operation)
    chosen = tuple(map(_row, taken.chosen))
    return Reply(Taken(taken.number, format_publisher(taken.publisher), taken.first, chosen, taken.too_few), 201)


async def unfollow(call: Call) -> Reply:
    """DELETE /v1/relay-lists/N: forget it; relays that were taken from it stay."""
    await call.node.request(UnfollowList(call.arguments[0]))
    return Reply({})


async def choose(call: Call) -> Reply:
    """POST /v1/relays: take relays of different operators from the lists."""
    chosen: RelaysChosen = await call.node.request(ChooseRelays(call.read_body(Wanted).relays))
    return Reply({"chosen": tuple(map(_row, chosen.relays))}, 201)


def _row(chosen: Chosen) -> ChosenRow:
    return ChosenRow(format_address(Host.parse(chosen.host), chosen.relay), chosen.operators)
