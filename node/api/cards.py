"""/v1/cards: under which names this person is found at relays (Spec 13)."""

from msgspec import Struct

from node.api.contract import Call, Reply


class NewCard(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    relay: str | None = None
    """Its address, or host:port of one that this node knows; nil: its first."""


async def list_cards(call: Call) -> Reply:
    """GET."""
    return Reply({"cards": await call.node.read(lambda reader: reader.cards())})


async def publish(call: Call) -> Reply:
    """POST: answers once the relay keeps it. The same again renews it."""
    wanted = call.read_body(NewCard)
    await call.node.cards.publish(wanted.name, wanted.relay)
    return Reply({}, 201)


async def withdraw(call: Call) -> Reply:
    """PUT /v1/cards/withdrawn: found so no more, at this relay or at all of them."""
    wanted = call.read_body(NewCard)
    await call.node.cards.withdraw(wanted.name, wanted.relay)
    return Reply({})
