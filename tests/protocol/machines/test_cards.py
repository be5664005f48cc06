"""A person's own cards, and whose invitation may come out of somebody's card."""

from pathlib import Path

import pytest

from protocol.crypto.suite import RealSuite
from protocol.errors import CallerError
from protocol.keys import Identity, Minute
from protocol.limits import MAX_OWN_CARDS
from protocol.operations import Accept, CardBrought, CardSigned, ForgetCard, Invite, Invited, SignCard
from protocol.relays.card import Card, read_card
from tests.protocol.machines.world import START, Person, RelayHost, World

SUITE = RealSuite()
NOW = Minute(int(START // 60))


def signed(person: Person, relay: RelayHost, name: str = "alice", links: int = 1) -> tuple[CardSigned, Card]:
    listed = []
    for _ in range(links):
        invited: Invited = person.get(Invite(60, None))
        listed.append((invited.invitation, invited.link))
    made: CardSigned = person.get(SignCard(name, relay.host, relay.key, tuple(listed)))
    return made, read_card(SUITE, made.card, relay.key, NOW)


def brought(person: Person) -> list[tuple[str, int, bool]]:
    with person.store.read() as tx:
        return [(row.name, row.id, row.brought) for row in tx.cards.find()]


@pytest.fixture
def alice(tmp_path: Path) -> Person:
    world = World(tmp_path, 1)
    relay = world.relay("first")
    person = world.person("alice")
    person.use(relay)
    return person


def first_relay(person: Person) -> RelayHost:
    return next(iter(person.world.relays.values()))


def test_each_card_of_a_name_is_later_than_the_last_within_one_minute_too(alice: Person) -> None:
    relay = first_relay(alice)
    (one, first), (two, second) = signed(alice, relay), signed(alice, relay, links=2)
    (three, withdrawn) = signed(alice, relay, links=0)
    assert (one.number, two.number, three.number) == (1, 1, 1)
    assert NOW <= first.serial < second.serial < withdrawn.serial
    assert [len(card.links) for card in (first, second, withdrawn)] == [1, 2, 0]
    assert first.identity == second.identity


def test_a_card_counts_as_brought_until_the_next_is_signed(alice: Person) -> None:
    relay = first_relay(alice)
    signed(alice, relay)
    assert brought(alice) == [("alice", 1, False)]
    alice.get(CardBrought(1))
    assert brought(alice) == [("alice", 1, True)]
    signed(alice, relay)
    assert brought(alice) == [("alice", 1, False)]
    alice.get(ForgetCard(1))
    alice.get(CardBrought(1))
    assert brought(alice) == []


def test_names_that_are_none_and_too_many_cards_are_refused(alice: Person) -> None:
    relay = first_relay(alice)
    for number in range(MAX_OWN_CARDS):
        signed(alice, relay, f"alice-{number}", 0)
    with pytest.raises(CallerError, match="kassiber card withdraw"):
        alice.get(SignCard("one-more", relay.host, relay.key, ()))
    signed(alice, relay, "alice-0", 0)
    for name in ("", "Alice", "a" * 33, "-a", "a@b", "\u00e4"):
        with pytest.raises(CallerError, match="cannot be a card's name"):
            alice.get(SignCard(name, relay.host, relay.key, ()))


def test_an_invitation_of_somebody_else_than_the_cards_owner_makes_no_contact(alice: Person) -> None:
    """A relay that reads a card knows what its invitations are sealed with, and may put in another."""
    bob = alice.world.person("bob")
    invited: Invited = alice.get(Invite(60, None))
    with pytest.raises(CallerError, match="somebody else's than the card"):
        bob.get(Accept(invited.link, None, None, Identity(bytes(64))))
    with bob.store.read() as tx:
        assert (tx.contacts.count(), tx.joining.count()) == (0, 0)
    again: Invited = alice.get(Invite(60, None))
    _, card = signed(alice, first_relay(alice), links=0)
    bob.get(Accept(again.link, None, None, card.identity))
    with bob.store.read() as tx:
        assert tx.contacts.count() == 1
