"""Worlds full of faults in which contacts share no session: promises hold, and no session concerns two of them."""

from collections import defaultdict

import pytest

from protocol.envelope.envelope import parse_envelope
from protocol.keys import SendId
from protocol.limits import EACH_CONTACT
from protocol.mailbox import OwnQueue
from protocol.wire.commands import Command, Deposit
from simulations.host import NOT_THE_MACHINES, PersonHost
from simulations.mischief import CheatingRelay
from simulations.network import End
from simulations.script import Shape, draw
from simulations.trial import carry_out
from simulations.world import World


def _queues(person: PersonHost) -> list[OwnQueue]:
    with person.disk.look() as tx:
        found: list[OwnQueue] = tx.queues.find()
    return found


@pytest.mark.parametrize("seed", range(3))
def test_every_promise_holds_and_what_is_written_to_two_contacts_shares_no_session(seed: int) -> None:
    queues: dict[End, set[SendId]] = defaultdict(set)
    worlds: list[World] = []

    def note(relay: CheatingRelay, end: End, command: Command) -> None:
        del relay
        if isinstance(command, Deposit) and command.request < NOT_THE_MACHINES:
            queues[end].add(parse_envelope(command.envelope).send_id)

    def isolate(world: World) -> None:
        worlds.append(world)
        for relay in world.relays:
            relay.notes = note
        for person in world.people:
            person.groups = EACH_CONTACT

    outcome = carry_out(draw(seed, Shape()), isolate)
    assert outcome.violation == ""
    assert outcome.accepted >= 50
    owners = {queue.send_id: (person.index, queue.contact) for person in worlds[0].people for queue in _queues(person)}
    served = [{owners[send_id] for send_id in named if send_id in owners} for named in queues.values()]
    assert max(map(len, served)) == 1
    assert len(served) >= 2 * len(worlds[0].script.contacts)
