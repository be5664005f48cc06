"""What the person asks that is answered at once with more than that it is done."""

from protocol.delivery import cards, relay_lists
from protocol.delivery.hosts import Hosts
from protocol.operations import (
    CardBrought,
    CardSigned,
    Carried,
    ChooseRelays,
    FollowList,
    ForgetCard,
    ListTaken,
    Operation,
    RelaysChosen,
    SignCard,
)
from protocol.step import Step

OPERATIONS: tuple[type[Operation], ...] = (FollowList, ChooseRelays, SignCard, CardBrought, ForgetCard)


def answer(
    step: Step, hosts: Hosts, operation: FollowList | ChooseRelays | SignCard | CardBrought | ForgetCard
) -> ListTaken | RelaysChosen | CardSigned | Carried:
    """Raises CallerError."""
    match operation:
        case FollowList():
            return relay_lists.follow(step, hosts, operation)
        case ChooseRelays():
            return RelaysChosen(relay_lists.choose_relays(step, hosts, operation.count))
        case SignCard():
            return cards.sign(step, operation)
        case CardBrought():
            cards.brought(step, operation)
            return Carried()
        case ForgetCard():
            cards.forget(step, operation)
            return Carried()
