"""GET /v1/status: who this node is and how it stands, for people and for `doctor`."""

from importlib.metadata import PackageNotFoundError, version

from msgspec import Struct

from node.api.contract import Call, Reply
from node.store.rows import Reader, RelayRow
from protocol.operations import SetName
from protocol.traffic.policies import NAMES


class Status(Struct, frozen=True):
    version: str
    name: str | None
    relays: tuple[RelayRow, ...]
    direct: str | None
    """Where contacts may reach this node itself."""
    contacts: int
    unread: int
    waiting: int
    """Messages and envelopes that nobody has taken custody of yet. Receipts wait for their time, and do not count."""
    queued: int
    """Of these, messages."""
    last_change: int
    traffic: str
    """What links follow (Spec 10 §2)."""
    forward: bool
    """Whether contacts' relays are reached by this node's own only (Spec 12)."""
    discovery: bool
    """Whether contacts are found on local networks (Spec 9)."""
    proxy: str | None
    """By which all connections are made, in this run."""


class NewName(Struct, frozen=True, forbid_unknown_fields=True):
    name: str


async def show(call: Call) -> Reply:
    """GET: counts of the moment."""
    relays, direct = tuple(call.node.relays()), call.node.direct

    def query(reader: Reader) -> Status:
        contacts = reader.contacts()
        return Status(
            version=installed_version(),
            name=reader.name(),
            relays=relays,
            direct=direct[0] if direct else None,
            contacts=len(contacts),
            unread=sum(contact.unread for contact in contacts),
            waiting=reader.waiting(),
            queued=reader.queued(),
            last_change=reader.last_change(),
            traffic=NAMES[call.node.traffic],
            forward=call.node.forward,
            discovery=call.node.discovery,
            proxy=call.node.proxy,
        )

    return Reply(await call.node.read(query))


async def rename(call: Call) -> Reply:
    """PUT /v1/name: what contacts are told that this person is called."""
    await call.node.request(SetName(call.read_body(NewName).name))
    return Reply({})


def installed_version() -> str:
    """Of the distribution; where it runs from a checkout that was never installed, `0`."""
    try:
        return version("kassiber")
    except PackageNotFoundError:
        return "0"
