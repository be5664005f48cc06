"""Two links that follow a preset: what their wires show, and what comes through."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.keys import Digest, Minute, Request, Subscription
from protocol.keys import Sequence as Number
from protocol.limits import (
    MAX_IN_FLIGHT_DEPOSITS,
    MAX_QUEUED_COMMAND_BYTES,
    MAX_UNACKNOWLEDGED_PER_CONNECTION,
    SLOT_BYTES,
)
from protocol.link.initiator import InitiatorLink
from protocol.link.link import Link
from protocol.link.responder import ResponderLink
from protocol.timing import Timing
from protocol.wire.commands import Accepted, Ack, Command, Delivery, Done, Preset
from tests.protocol.link.test_link import KEY, RELAY, SUITE, Dice

HOUR = 3_600.0
CONSTANT = [Preset.CONSTANT, Preset.CONSTANT_4, Preset.CONSTANT_16]
Given = Sequence[tuple[float, Command]]


def connected(preset: Preset) -> tuple[InitiatorLink, ResponderLink]:
    node = InitiatorLink(SUITE, Dice(1), Timing(), RELAY, 0.0, preset)
    relay = ResponderLink(SUITE, Dice(2), Timing(), KEY, 0.0)
    for one, other in ((node, relay), (relay, node)):
        message = one.transmit(0.0)
        assert message is not None
        other.receive(message, 0.0)
    return node, relay


def run(
    preset: Preset, to_relay: Given = (), to_node: Given = (), until: float = HOUR
) -> tuple[list[list[tuple[float, int]]], list[list[Command]]]:
    """Of each direction, to the relay and to the node: seconds and bytes of its messages, and the commands in them."""
    node, relay = connected(preset)
    wires: list[list[tuple[float, int]]] = [[], []]
    heard: list[list[Command]] = [[], []]
    waiting = [sorted(to_relay, key=lambda one: one[0]), sorted(to_node, key=lambda one: one[0])]
    now = 0.0
    while now <= until:
        ends: list[tuple[Link[Any], Link[Any]]] = [(node, relay), (relay, node)]
        for direction, (writer, reader) in enumerate(ends):
            while waiting[direction] and waiting[direction][0][0] <= now:
                writer.queue(waiting[direction].pop(0)[1])
            while (message := writer.transmit(now)) is not None:
                writer.taken(now)
                wires[direction].append((now, len(message)))
                heard[direction] += reader.receive(message, now)
        coming = [rest[0][0] for rest in waiting if rest]
        now = max(min(node.next_wake, relay.next_wake, *coming), now + 1e-9)
    return wires, heard


def acks(times: Sequence[float]) -> list[tuple[float, Command]]:
    return [(time, Ack(Subscription(1), Number(place + 1))) for place, time in enumerate(times)]


def deliveries(times: Sequence[float]) -> list[tuple[float, Command]]:
    return [(time, Delivery(Subscription(1), Number(place + 1), bytes(3_929))) for place, time in enumerate(times)]


moments = st.lists(st.floats(60.0, 600.0), max_size=40)
"""After `shape` has come: before, a node has asked for nothing that a relay would answer."""


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(CONSTANT[:2]), moments, moments)
def test_a_constant_link_shows_the_same_whatever_it_carries(preset: Preset, up: list[float], down: list[float]) -> None:
    silent, _ = run(preset, until=900.0)
    busy, _ = run(preset, acks(up), deliveries(down), until=900.0)
    assert busy == silent
    assert {size for wire in busy for _, size in wire} == {SLOT_BYTES}


@pytest.mark.parametrize("preset", list(Preset))
def test_all_that_is_sent_comes_through_in_order(preset: Preset) -> None:
    dice = random.Random(5)
    up, down = acks([dice.random() * 300 for _ in range(50)]), deliveries([dice.random() * 60 for _ in range(12)])
    _, heard = run(preset, up, down)
    assert heard[0] == [command for _, command in sorted(up, key=lambda one: one[0])]
    assert heard[1] == [command for _, command in sorted(down, key=lambda one: one[0])]


def test_a_relay_that_was_told_nothing_answers_at_once() -> None:
    wires, _ = run(Preset.DIRECT, to_node=deliveries([100.0]), until=200.0)
    assert wires[1] == [(100.0, SLOT_BYTES)]


def test_batches_of_both_sides_wait_for_their_ticks() -> None:
    wires, heard = run(Preset.BATCHED, acks([50.0, 50.1]), deliveries([60.0, 60.01, 60.02]), until=200.0)
    assert [len(one) for one in heard] == [2, 3]
    assert [size for _, size in wires[1]] == [4 * SLOT_BYTES]
    assert wires[1][0][0] > 60.02


def test_a_receipt_and_its_custody_fit_a_constant_slot() -> None:
    node, relay = connected(Preset.CONSTANT)
    stored = [Accepted(Request(n), Digest(bytes([n]) * 32), Minute(1)) for n in range(3)]
    while not _shaped(node, relay):
        pass
    for one in stored:
        relay.queue(one)
    relay.queue(Done(Request(9)))
    message = None
    while message is None:
        message = relay.transmit(relay.next_frame)
    assert len(message) == SLOT_BYTES
    assert relay.queued_bytes == 0


def test_most_that_a_relay_pushes_and_answers_does_not_stop_its_reader() -> None:
    """A relay whose reader waits for its own pushes would not hear the acks, on a link that takes an hour for them."""
    _, relay = connected(Preset.CONSTANT)
    for number in range(MAX_UNACKNOWLEDGED_PER_CONNECTION):
        relay.queue(Delivery(Subscription(2**32 - 1), Number(2**62 + number), bytes(3_929)))
    for number in range(MAX_IN_FLIGHT_DEPOSITS):
        relay.queue(Accepted(Request(number), Digest(bytes(32)), Minute(1)))
    assert relay.queued_bytes <= MAX_QUEUED_COMMAND_BYTES // 2


def _shaped(node: Link[bytes], relay: ResponderLink) -> bool:
    message = node.transmit(node.next_frame)
    if message is None:
        return False
    relay.receive(message, 0.0)
    return relay.next_frame < float("inf")


@pytest.mark.parametrize("preset", list(Preset))
def test_a_link_knows_what_was_cover_and_what_was_real(preset: Preset) -> None:
    """The handshake and what holds commands is real; keep-alives and cover are not."""
    node, _ = connected(preset)
    assert node.real
    sent: list[bool] = []
    now = 0.0
    while now < HOUR and len(sent) < 100:
        if not sent and preset is Preset.DIRECT:
            node.queue(Ack(Subscription(1), Number(1)))  # elsewhere `shape` waits
        if node.transmit(now) is not None:
            sent.append(node.real)
        now = max(node.next_wake if not node.queued_bytes else min(node.next_wake, now + 1.0), now + 1e-3)
    assert sum(sent) == 1
    assert len(sent) > 5
