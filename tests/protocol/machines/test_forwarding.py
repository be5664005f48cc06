"""Two relays, one the entry and one the destination, and a sender who never shows himself to the second (Spec 12)."""

from itertools import count
from pathlib import Path
from typing import Any

import pytest

from protocol.crypto.proofs import custody_message
from protocol.crypto.suite import RealSuite
from protocol.effects import Dial
from protocol.envelope.envelope import parse_envelope
from protocol.errors import Code
from protocol.events import Closed, Event, Opened, Received
from protocol.forwarding.descriptor import check_descriptor
from protocol.forwarding.onion import Answer, Content, open_reply, seal_onion
from protocol.keys import Minute, RelayKey, Request
from protocol.limits import MAX_FORWARDS_PER_SESSION, MAX_NEW_DESTINATIONS_PER_HOUR, REPLY_BYTES, RETENTION_DAYS
from protocol.wire.commands import (
    Command,
    Delivery,
    Deposit,
    Describe,
    Descriptor,
    Forward,
    Onion,
    Reachable,
    Refused,
    Returned,
    Via,
)
from protocol.wire.onions import Cover, OnionClaim, OnionClaimed, OnionDeposit, OnionStored, Unwanted
from tests.protocol.machines.relay_bench import Someone
from tests.protocol.machines.world import Participant, RelayHost, SeededEntropy, World

SUITE = RealSuite()


class Client(Participant):
    """No machine: what is sent to it is kept."""

    def __init__(self, world: World, name: str, relay: RelayHost) -> None:
        super().__init__(world, name)
        self.up = True
        self.entropy = SeededEntropy(f"client {name}")
        self.heard: list[Command] = []
        self.closed = False
        self.requests = map(Request, count(1))
        self.reply_keys: dict[Request, bytes] = {}
        self.h: Any = None
        world._dial(self, 0, Dial(relay.key, relay.host, 1.0))

    def step(self, event: Event) -> None:
        match event:
            case Opened():
                self.connection, self.h = event.connection, event.handshake_hash
            case Received():
                self.heard += event.commands
            case Closed():
                self.closed = True

    def send(self, *commands: Command) -> None:
        peer, theirs = self.world.ends[self.name, self.connection]
        peer.step(Received(theirs, commands))

    def via(self, relay: RelayHost, number: int = 0) -> Request:
        request = next(self.requests)
        self.send(Via(request, number, relay.host, relay.key))
        return request

    def forward(self, relay: RelayHost, descriptor: Descriptor, content: Content, number: int = 0) -> Request:
        request = next(self.requests)
        onion, self.reply_keys[request] = seal_onion(
            SUITE, self.entropy, relay.key, descriptor.epoch, descriptor.key, content
        )
        self.send(Forward(request, number, onion))
        return request

    def reply(self, request: Request) -> Command:
        (found,) = [command for command in self.heard if getattr(command, "request", None) == request]
        return found

    def answer(self, request: Request) -> Answer:
        returned = self.reply(request)
        assert isinstance(returned, Returned)
        return open_reply(SUITE, self.reply_keys[request], returned.sealed)


class Forwarded:
    """An entry, a destination with one queue, its recipient, and a sender at the entry."""

    def __init__(self, directory: Path) -> None:
        self.world = World(directory)
        self.entry, self.destination = self.world.relay("entry"), self.world.relay("destination")
        self.keys = Someone("alice")
        self.recipient = Client(self.world, "recipient", self.destination)
        self.recipient.send(self.keys.create(self.recipient.h, link=self.keys.link()), self.keys.subscribe())
        self.sender = Client(self.world, "sender", self.entry)
        self.seen: list[Command] = []

    def descriptor(self) -> Descriptor:
        request = self.sender.via(self.destination)
        self.world.run(3)
        reachable = self.sender.reply(request)
        assert isinstance(reachable, Reachable)
        check_descriptor(SUITE, self.destination.key, reachable.descriptor, START_MINUTE)
        return reachable.descriptor

    def claim(self, descriptor: Descriptor) -> Request:
        claim = self.keys.claim(self.keys.link_id, relay_key=self.destination.key)
        return self.sender.forward(
            self.destination, descriptor, OnionClaim(claim.id, claim.sender_key, claim.signature)
        )


START_MINUTE = Minute(1_800_000_000 // 60)


@pytest.fixture
def forwarded(tmp_path: Path) -> Forwarded:
    return Forwarded(tmp_path)


def test_a_claim_and_a_deposit_arrive_by_way_of_the_entry_and_are_answered_under_the_senders_key(
    forwarded: Forwarded,
) -> None:
    descriptor = forwarded.descriptor()
    claimed = forwarded.claim(descriptor)
    forwarded.world.run(30)
    assert forwarded.sender.answer(claimed) == OnionClaimed(forwarded.keys.sealed)
    envelope = forwarded.keys.envelope("hello")
    deposit = forwarded.sender.forward(forwarded.destination, descriptor, OnionDeposit(envelope))
    forwarded.world.run(30)
    stored = forwarded.sender.answer(deposit)
    assert isinstance(stored, OnionStored)
    digest = parse_envelope(envelope).digest
    signed = custody_message(stored.minute, RETENTION_DAYS, (digest,))
    assert SUITE.verify(forwarded.destination.key, signed, stored.signature)
    delivered = [command.envelope for command in forwarded.recipient.heard if isinstance(command, Delivery)]
    assert delivered == [envelope]


def test_what_was_forwarded_twice_is_stored_once_and_answered_alike(forwarded: Forwarded) -> None:
    descriptor = forwarded.descriptor()
    forwarded.claim(descriptor)
    forwarded.world.run(30)
    content = OnionDeposit(forwarded.keys.envelope("hello"))
    requests = [forwarded.sender.forward(forwarded.destination, descriptor, content) for _ in range(3)]
    forwarded.world.run(60)
    assert len({forwarded.sender.answer(request) for request in requests}) == 1
    assert sum(isinstance(command, Delivery) for command in forwarded.recipient.heard) == 1


def test_no_session_stands_behind_a_forwarded_deposit(forwarded: Forwarded) -> None:
    """Signed by another key it is refused, and so is what no queue wants; the entry cannot tell from what is stored."""
    descriptor = forwarded.descriptor()
    forwarded.claim(descriptor)
    forwarded.world.run(30)
    other = Someone("alice", sender="mallory")
    contents: list[Content] = [
        OnionDeposit(other.envelope("forged")),
        OnionDeposit(Someone("nobody").envelope("lost")),
        OnionDeposit(b"no envelope"),
        Cover(),
        OnionDeposit(forwarded.keys.envelope("good")),
    ]
    requests = [forwarded.sender.forward(forwarded.destination, descriptor, content) for content in contents]
    forwarded.world.run(60)
    answers = [forwarded.sender.answer(request) for request in requests]
    assert answers[:4] == [Unwanted(Code.REFUSED)] * 4
    assert isinstance(answers[4], OnionStored)
    replies = [forwarded.sender.reply(request) for request in requests]
    assert {len(reply.sealed) for reply in replies if isinstance(reply, Returned)} == {REPLY_BYTES}


def test_an_onion_that_does_not_open_is_refused_and_costs_nobody_else_anything(forwarded: Forwarded) -> None:
    descriptor = forwarded.descriptor()
    good, request = forwarded.claim(descriptor), next(forwarded.sender.requests)
    forwarded.sender.send(Forward(request, 0, bytes(3_994)))
    stale = Descriptor((descriptor.epoch + 1) % 256, descriptor.key, descriptor.until, descriptor.signature)
    old = forwarded.sender.forward(forwarded.destination, stale, Cover())
    forwarded.world.run(60)
    assert forwarded.sender.reply(request) == Refused(request, Code.REFUSED)
    assert forwarded.sender.reply(old) == Refused(old, Code.REFUSED)
    assert forwarded.sender.answer(good) == OnionClaimed(forwarded.keys.sealed)


def test_to_itself_under_a_number_that_is_taken_or_was_not_named_nothing_is_forwarded(forwarded: Forwarded) -> None:
    own = forwarded.sender.via(forwarded.entry)
    forwarded.sender.via(forwarded.destination, 1)
    taken = forwarded.sender.via(forwarded.world.relay("third"), 1)
    unknown = next(forwarded.sender.requests)
    forwarded.sender.send(Forward(unknown, 7, bytes(3_994)))
    forwarded.world.run(1)
    assert forwarded.sender.reply(own) == Refused(own, Code.REFUSED)
    assert forwarded.sender.reply(taken) == Refused(taken, Code.REFUSED)
    assert forwarded.sender.reply(unknown) == Refused(unknown, Code.REFUSED)


def test_an_entry_is_no_port_scanner(forwarded: Forwarded) -> None:
    nobody = [RelayKey(bytes((number,)) * 32) for number in range(1, MAX_NEW_DESTINATIONS_PER_HOUR + 3)]
    requests = []
    for number, key in enumerate(nobody):
        requests.append(next(forwarded.sender.requests))
        forwarded.sender.send(Via(requests[-1], number, "ws://10.0.0.1:1", key))
    forwarded.world.run(40)
    replies = [forwarded.sender.reply(request) for request in requests]
    assert replies == [Refused(request, Code.UNAVAILABLE) for request in requests]
    dialled = forwarded.entry.core.machine._forwarding.entry._sessions  # type: ignore[union-attr]
    (session,) = dialled.values()
    assert len(session.destinations) == MAX_NEW_DESTINATIONS_PER_HOUR


def test_a_destination_that_is_down_is_named_and_reached_once_it_is_back(
    forwarded: Forwarded,
) -> None:
    descriptor = forwarded.descriptor()
    forwarded.destination.crash()
    forwarded.world.run(5)
    lost = forwarded.claim(descriptor)
    forwarded.world.run(40)
    assert forwarded.sender.reply(lost) == Refused(lost, Code.UNAVAILABLE)
    forwarded.destination.boot()
    again = forwarded.claim(descriptor)
    forwarded.world.run(40)
    assert forwarded.sender.answer(again) == OnionClaimed(forwarded.keys.sealed)


def test_a_destination_that_goes_while_something_for_it_is_mixed_is_named(forwarded: Forwarded) -> None:
    descriptor = forwarded.descriptor()
    lost = [forwarded.claim(descriptor) for _ in range(20)]
    forwarded.world.run(0.05)
    forwarded.destination.crash()
    forwarded.world.run(60)
    assert [forwarded.sender.reply(request) for request in lost] == [
        Refused(request, Code.UNAVAILABLE) for request in lost
    ]
    (session,) = forwarded.entry.core.machine._forwarding.entry._sessions.values()  # type: ignore[union-attr]
    assert session.waiting == 0


def test_a_destination_that_takes_onions_and_says_nothing_is_not_waited_for_for_ever(forwarded: Forwarded) -> None:
    descriptor = forwarded.descriptor()
    forwarded.world.mischief = lambda command: [] if isinstance(command, Returned) else [command]
    silent = forwarded.claim(descriptor)
    forwarded.world.run(200)
    assert forwarded.sender.reply(silent) == Refused(silent, Code.UNAVAILABLE)


def test_a_sender_may_have_so_many_under_way_and_no_more(forwarded: Forwarded) -> None:
    descriptor = forwarded.descriptor()
    requests = [
        forwarded.sender.forward(forwarded.destination, descriptor, Cover())
        for _ in range(MAX_FORWARDS_PER_SESSION + 2)
    ]
    forwarded.world.run(1)
    assert [forwarded.sender.reply(request) for request in requests[-2:]] == [
        Refused(request, Code.UNAVAILABLE) for request in requests[-2:]
    ]
    forwarded.world.run(60)
    assert all(forwarded.sender.answer(request) == Unwanted(Code.REFUSED) for request in requests[:-2])
    more = forwarded.sender.forward(forwarded.destination, descriptor, Cover())
    forwarded.world.run(20)
    assert forwarded.sender.answer(more) == Unwanted(Code.REFUSED)


def test_the_destination_never_meets_the_sender_and_the_entry_holds_no_envelope(forwarded: Forwarded) -> None:
    towards: list[tuple[str, Command]] = []
    world = forwarded.world
    carry = world._carry

    def watching(who: Participant, effect: Any) -> None:
        other = world.ends.get((who.name, effect.connection))
        if other is not None and other[0] is forwarded.destination:
            towards.append((who.name, effect.command))
        carry(who, effect)

    world._carry = watching  # type: ignore[method-assign]
    descriptor = forwarded.descriptor()
    forwarded.claim(descriptor)
    envelope = forwarded.keys.envelope("hello")
    forwarded.world.run(30)
    forwarded.sender.forward(forwarded.destination, descriptor, OnionDeposit(envelope))
    forwarded.world.run(30)
    assert {who for who, _ in towards} == {"entry"}
    assert {type(command) for _, command in towards} == {Onion, Describe}
    assert {len(command.onion) for _, command in towards if isinstance(command, Onion)} == {3_994}
    rows = forwarded.entry.store.connection.execute("SELECT count(*) FROM entries").fetchone()
    assert rows == (0,)


def test_whatever_reaches_the_destination_stays_there_across_its_restart_and_its_keys_do_too(
    forwarded: Forwarded,
) -> None:
    descriptor = forwarded.descriptor()
    forwarded.destination.crash()
    forwarded.destination.boot()
    forwarded.world.run(5)
    claimed = forwarded.claim(descriptor)
    forwarded.world.run(40)
    assert forwarded.sender.answer(claimed) == OnionClaimed(forwarded.keys.sealed)


def test_keys_are_renewed_each_week_the_one_before_still_opens_and_older_ones_are_gone(forwarded: Forwarded) -> None:
    first = forwarded.descriptor()
    forwarded.world.run(8 * 86_400.0)
    world = forwarded.world
    later = Client(world, "later", forwarded.entry)
    request = later.via(forwarded.destination)
    world.run(10)
    reachable = later.reply(request)
    assert isinstance(reachable, Reachable)
    assert reachable.descriptor.epoch == (first.epoch + 1) % 256
    old = later.forward(forwarded.destination, first, Cover())
    world.run(20)
    assert later.answer(old) == Unwanted(Code.REFUSED)
    world.run(7 * 86_400.0)
    last = Client(world, "last", forwarded.entry)
    last.via(forwarded.destination)
    world.run(10)
    gone = last.forward(forwarded.destination, first, Cover())
    world.run(20)
    assert last.reply(gone) == Refused(gone, Code.REFUSED)
    epochs = forwarded.destination.store.connection.execute("SELECT count(*) FROM onion_keys").fetchone()
    assert epochs == (2,)


def test_a_forwarded_deposit_of_a_direct_command_is_no_onion(forwarded: Forwarded) -> None:
    """What is meant for a session is refused inside an onion: there is no kind for it."""
    descriptor = forwarded.descriptor()
    onion, key = seal_onion(
        SUITE, forwarded.sender.entropy, forwarded.destination.key, descriptor.epoch, descriptor.key,
        Deposit(Request(1), forwarded.keys.envelope("x")),  # type: ignore[arg-type]
    )  # fmt: skip
    del key
    request = next(forwarded.sender.requests)
    forwarded.sender.send(Forward(request, 0, onion))
    forwarded.world.run(20)
    assert forwarded.sender.reply(request) == Refused(request, Code.REFUSED)
