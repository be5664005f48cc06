"""Worlds full of faults in which everybody reaches relays by an entry only: every promise holds, and nobody is seen."""

from collections import Counter

import pytest

from protocol.wire.commands import Claim, Command, Deposit
from simulations.host import NOT_THE_MACHINES
from simulations.mischief import CheatingRelay
from simulations.network import End
from simulations.script import Shape, draw
from simulations.trial import carry_out
from simulations.world import World


@pytest.mark.parametrize("seed", range(3))
def test_every_promise_holds_by_way_of_entries_and_no_relay_is_met_in_person(seed: int) -> None:
    heard: Counter[str] = Counter()
    seen: list[Command] = []

    def note(relay: CheatingRelay, end: End, command: Command) -> None:
        del relay, end
        heard[type(command).__name__] += 1
        if isinstance(command, Deposit | Claim) and command.request < NOT_THE_MACHINES:
            seen.append(command)

    def forward(world: World) -> None:
        for relay in world.relays:
            relay.forward, relay.relays, relay.notes = True, world.relay_of, note
        for person in world.people:
            person.forward = True

    outcome = carry_out(draw(seed, Shape()), forward)
    assert outcome.violation == ""
    assert outcome.accepted >= 50
    assert seen == []
    assert heard["Onion"] > heard["Forward"] > outcome.accepted, "dummies, and what was forwarded"
