"""What waits to be sent to a contact (Spec 6 §4): rows with a due time, packed into envelopes when a route is open."""

import math

from protocol.envelope.fragments import fragment_count
from protocol.keys import MessageId
from protocol.mailbox import ItemKind, OutgoingItem
from protocol.step import Step


def _add(
    step: Step, contact: int, kind: ItemKind, due: float, message_id: MessageId | None = None, index: int = 0
) -> None:
    step.tx.items.add(OutgoingItem(0, contact, kind, message_id, index, due, None, False, False))
    step.wake_at(due)


def queue_content(step: Step, contact: int, message_id: MessageId, content: bytes) -> None:
    """Every fragment of a content, due now: the caller pumps, so nobody need be woken for it."""
    for index in range(fragment_count(content)):
        fragment = OutgoingItem(0, contact, ItemKind.FRAGMENT, message_id, index, step.now.service, None, False, False)
        step.tx.items.add(fragment)


def queue_receipt(step: Step, contact: int, message_id: MessageId, *, first: bool = False) -> None:
    """A delivery receipt: it rides on the next content, else leaves after an exponential delay (Spec 6 §5).

    `first`: the content is new, so no other receipt of it can be waiting.
    """
    if not first and any(
        item.sealed is None
        for item in step.tx.items.find(contact=contact, kind=ItemKind.RECEIPT, message_id=message_id)
    ):
        return
    _add(step, contact, ItemKind.RECEIPT, step.now.service + _delay(step), message_id)


def queue_confirmation(step: Step, contact: int) -> None:
    """Have the contact told that its routes have come: somebody with nothing to say would never tell, and whoever
    moved could not leave the old ones."""
    step.tx.items.remove_where(contact=contact, kind=ItemKind.CONFIRMATION)
    _add(step, contact, ItemKind.CONFIRMATION, step.now.service + _delay(step))


def queue_report(step: Step, contact: int) -> None:
    """Say what is missing, unless until then something else leaves that says it too, or nothing is missing any more."""
    if not step.tx.items.count(contact=contact, kind=ItemKind.REPORT, sealed=None):
        _add(step, contact, ItemKind.REPORT, step.now.service + step.timing.gap_seconds + _delay(step))


def _delay(step: Step) -> float:
    return -step.timing.receipt_mean_seconds * math.log(1.0 - step.entropy.uniform())


def announce_routes(step: Step, contact_id: int) -> None:
    """Tell a contact where this node is reached now; what is sent is read when it is packed."""
    contact = step.tx.contacts.get(contact_id)
    if contact is None:
        return
    step.tx.contacts.update(contact.id, own_routes_version=contact.own_routes_version + 1)
    step.tx.items.remove_where(contact=contact_id, kind=ItemKind.ROUTES)
    _add(step, contact_id, ItemKind.ROUTES, step.now.service)


def queue_pair(step: Step, contact: int) -> None:
    """Tell a contact by what this node is recognised; what is sent is read when it is packed."""
    step.tx.items.remove_where(contact=contact, kind=ItemKind.PAIR)
    _add(step, contact, ItemKind.PAIR, step.now.service)


def queue_profile(step: Step, contact: int) -> None:
    """Tell a contact this node's name."""
    step.tx.items.remove_where(contact=contact, kind=ItemKind.PROFILE)
    _add(step, contact, ItemKind.PROFILE, step.now.service)
