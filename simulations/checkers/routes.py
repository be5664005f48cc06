"""Once all is whole, each knows where the other is reached now (Spec 6 §3, §4)."""

from protocol.delivery.queues import announced
from protocol.keys import ReceiveId, RelayKey
from protocol.mailbox import QueueState
from simulations.checkers import Violation
from simulations.checkers.conversations import Side, conversations
from simulations.world import World


def all_routed(world: World) -> bool:
    """Whether it holds already: a relay that lost queues is told of them anew as soon as it is reached."""
    try:
        check_routes(world)
    except Violation:
        return False
    return True


def check_routes(world: World) -> None:
    """The routes that one has are the queues that the other announces, in their order. Raises Violation."""
    for pair in conversations(world):
        for owner, user in (pair, pair[::-1]):
            wanted, known = _announced(world, owner), _known(world, user)
            if wanted != known:
                raise Violation("routes", f"{user.name} reaches {owner.name} at {known}, who is at {wanted}")


def _announced(world: World, side: Side) -> list[str]:
    """What is made at a relay that is still there."""
    with side.person.disk.look() as tx:
        queues = announced(tx.queues.find(contact=side.contact.id))
    return [
        queue.send_id.hex()[:8]
        for queue in queues
        if queue.state is QueueState.READY and _kept(world, queue.relay, queue.receive_id, side)
    ]


def _kept(world: World, key: RelayKey, receive_id: ReceiveId, side: Side) -> bool:
    relay = world.relay_of(key)
    if relay is None or relay.index in world.gone:
        return False
    with relay.disk.look() as tx:
        if tx.queues.by_receive_id(receive_id) is None:
            raise Violation("routes", f"{relay.name} has no queue that {side.person.name} announces")
    return True


def _known(world: World, side: Side) -> list[str]:
    with side.person.disk.look() as tx:
        routes = sorted(tx.routes.find(contact=side.contact.id), key=lambda route: route.position)
    relays = {route.id: world.relay_of(route.relay) for route in routes}
    there = [route for route in routes if (relay := relays[route.id]) is not None and relay.index not in world.gone]
    return [route.send_id.hex()[:8] for route in there]
