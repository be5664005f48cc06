"""Whoever moves to another relay takes all contacts along, and the old relay need not be alive."""

from functools import partial
from typing import Any

from protocol.operations import Accept, Invite, RemoveContact
from protocol.timing import Timing
from simulations.host import PersonHost
from simulations.migration import Migration

HOUR = 3_600.0
DAY = 24 * HOUR


def test_two_hundred_contacts_half_of_them_offline_follow_within_their_next_hour_online_and_none_is_lost() -> None:
    world = Migration(contacts=200)
    world.introduce()
    offline = world.chance.sample(world.contacts, 100)
    online = [contact for contact in world.contacts if contact not in offline]

    world.mover.die()
    for contact in world.contacts:
        world.write_from(contact)
    world.run(60.0)  # all of it is in the old relay's custody, where the mover will never fetch it
    for contact in offline:
        contact.die()
    world.old.die()
    world.mover.boot()
    for contact in world.contacts:
        world.write_to(contact)
    for contact in online:
        world.write_from(contact)
    world.run(600.0)
    world.move(world.new)
    for contact in world.contacts:
        world.write_to(contact)
    for contact in online:
        world.write_from(contact)
    world.run(HOUR)
    assert not [what for contact in online for what in world.trouble(contact)]

    troubles: list[str] = []

    def look(contact: PersonHost) -> None:
        troubles.extend(world.trouble(contact))

    for contact in offline:
        back_at = world.engine.time + world.chance.uniform(0.0, 10 * HOUR)
        world.engine.at(back_at, contact.boot)
        world.engine.at(back_at, partial(world.write_from, contact))
        world.engine.at(back_at, partial(world.write_to, contact))
        world.engine.at(back_at + HOUR, partial(look, contact))
    world.run(11.5 * HOUR)
    assert not troubles
    assert not [what for contact in world.contacts for what in world.trouble(contact)]
    assert sum(len(texts) for texts in world.written.values()) == 200 + 200 + 100 + 200 + 100 + 100 + 100


RARELY = Timing(keep_alive_seconds=6 * HOUR)
"""So that quiet months cost little."""


def test_a_contact_that_was_away_for_longer_than_relays_keep_anything_follows_too() -> None:
    world = Migration(contacts=3, timing=RARELY)
    world.introduce()
    away = world.contacts[0]
    away.die()
    world.old.die()
    world.move(world.new)
    for contact in world.contacts:
        world.write_to(contact)
    world.run(31 * DAY)
    away.boot()
    world.write_from(away)
    world.run(HOUR)
    assert not [what for contact in world.contacts for what in world.trouble(contact)]
    world.run(5 * DAY)
    assert world.listens_at() == {world.new.name}, "a relay that is gone for good is dialled for ever"


def test_the_old_queue_is_kept_for_whoever_is_not_known_to_have_the_new_one() -> None:
    world = Migration(contacts=2, timing=RARELY, kinds=1)
    world.introduce()
    away, _ = world.contacts
    away.die()
    world.move(world.new)
    world.run(9 * DAY)
    for relay in world.relays[2:]:
        relay.die()  # what lies there for the contact, with the new routes, it cannot have now
    away.boot()
    world.write_from(away)
    world.run(HOUR)
    assert world.has(away) == 1
    for relay in world.relays[2:]:
        relay.boot()
    world.run(2 * HOUR)
    assert not [what for contact in world.contacts for what in world.trouble(contact)]
    assert world.listens_at() == {world.new.name}


def test_nobody_is_sent_to_a_relay_that_does_not_take_the_queue_yet() -> None:
    world = Migration(contacts=6)
    world.introduce()
    world.new.die()
    world.move(world.new)
    world.run(HOUR)
    for contact in world.contacts:
        world.write_from(contact)
    world.run(300.0)
    assert [world.has(contact) for contact in world.contacts] == [1] * 6
    world.new.boot()
    world.run(HOUR)
    assert not [what for contact in world.contacts for what in world.trouble(contact)]


def test_whoever_accepts_an_invitation_from_before_the_move_follows_as_well() -> None:
    world = Migration(contacts=2)
    world.introduce()
    answers: list[Any] = []
    world.mover.ask(Invite(1_440, None), answers.append)
    world.run(10.0)
    world.move(world.new)
    world.run(10.0)
    joiner = world.contacts[0]
    joiner.ask(RemoveContact(1), lambda answer: None)  # to meet the mover a second time
    world.run(1.0)
    joiner.ask(Accept(answers[0].link, None, None), answers.append)
    world.run(60.0)
    with joiner.disk.look() as tx:
        assert [route.relay for route in tx.routes.find(contact=answers[1].contact)] == [world.new.key]
