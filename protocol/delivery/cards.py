"""This person's own directory cards: signed here, brought to their relays by whoever runs the node (Spec 13)."""

from msgspec import msgpack

from protocol.delivery.own import own_profile
from protocol.errors import CallerError
from protocol.keys import Minute
from protocol.limits import MAX_CARD_INVITATIONS, MAX_OWN_CARDS
from protocol.operations import CardBrought, CardSigned, ForgetCard, SignCard
from protocol.relays.card import Card, check_card_name, sign_card
from protocol.relays.kept import OwnCard
from protocol.step import Step

CARD_DAYS = 14
"""A node renews it long before; one that never runs again is found for no longer."""
_DAY_MINUTES = 1_440


def sign(step: Step, operation: SignCard) -> CardSigned:
    """The next card of this name at this relay. Raises CallerError."""
    profile = own_profile(step)
    check_card_name(operation.name)
    assert len(operation.links) <= MAX_CARD_INVITATIONS
    known = next((one for one in step.tx.cards.find(name=operation.name) if one.relay == operation.relay), None)
    if known is None and step.tx.cards.count() >= MAX_OWN_CARDS:
        raise CallerError(f"You have {MAX_OWN_CARDS} cards already. Withdraw one: kassiber card withdraw NAME")
    # By the clock, so that a profile that was restored does not begin again below what the relay knows.
    serial = max(step.now.minute, known.serial + 1 if known is not None else 1)
    expires = Minute(step.now.minute + CARD_DAYS * _DAY_MINUTES)
    links = [link for _, link in operation.links]
    card = Card(operation.name, operation.relay, profile.identity, serial, expires, links)
    encoded = sign_card(step.suite, profile.signing, card)
    row = OwnCard(
        0, operation.name, operation.host, operation.relay, serial, expires, msgpack.encode(operation.links), False
    )  # fmt: skip
    if known is None:
        return CardSigned(step.tx.cards.add(row), encoded)
    step.tx.cards.update(known.id, host=row.host, serial=serial, expires=expires, links=row.links, brought=False)
    return CardSigned(known.id, encoded)


def brought(step: Step, operation: CardBrought) -> None:
    """Its relay has it."""
    if step.tx.cards.get(operation.number) is not None:
        step.tx.cards.update(operation.number, brought=True)


def forget(step: Step, operation: ForgetCard) -> None:
    """Its invitations are withdrawn by others."""
    step.tx.cards.remove(operation.number)
