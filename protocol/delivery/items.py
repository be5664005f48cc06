"""What waits to be sent to a contact (Spec 6 §4): rows with a due time, packed into envelopes when a route is open."""

import math

from protocol.envelope.fragments import fragment_count
from protocol.keys import MessageId
from protocol.mailbox import ContactState, ItemKind, OutgoingItem
from protocol.step import Step

TICKS = 3
"""Automatic envelopes at most that follow the last content of a conversation (Spec 6 §5)."""


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
    """A delivery receipt: it rides on the next content, else leaves at the next tick (Spec 6 §5).

    `first`: the content is new, so no other receipt of it can be waiting.
    """
    if not first and any(
        item.sealed is None
        for item in step.tx.items.find(contact=contact, kind=ItemKind.RECEIPT, message_id=message_id)
    ):
        return
    _ride(step, contact, ItemKind.RECEIPT, message_id)


def content_moved(step: Step, contact: int) -> None:
    """A content was sent or came: this many ticks follow the last such event, whatever is due at them."""
    _tick(step, contact, TICKS)


def queue_report(step: Step, contact: int) -> None:
    """What is missing is said at the next tick, as in every envelope: see that there is one."""
    _tick(step, contact, 1)


def ticked(step: Step, item: OutgoingItem) -> None:
    """An automatic envelope was sealed at its tick: the next one, if any is left."""
    _tick(step, item.contact, item.index - 1)


def _tick(step: Step, contact_id: int, left: int) -> None:
    """At least so many ticks. One that runs keeps its time: when it comes says nothing of what happened meanwhile."""
    contact = step.tx.contacts.get(contact_id)
    if left <= 0 or contact is None or contact.state is not ContactState.ACTIVE:
        return
    running = step.tx.items.find(contact=contact_id, kind=ItemKind.REPORT, sealed=None)
    if not running:
        wait = -step.timing.receipt_mean_seconds * math.log(1.0 - step.entropy.uniform())
        _add(step, contact_id, ItemKind.REPORT, step.now.service + wait, index=left)
    elif running[0].index < left:
        step.tx.items.update(running[0].id, index=left)


def _ride(step: Step, contact: int, kind: ItemKind, message_id: MessageId | None = None) -> None:
    """Never due by itself: it leaves with a content or a tick, whichever is sooner."""
    step.tx.items.add(OutgoingItem(0, contact, kind, message_id, 0, math.inf, None, False, False))
    _tick(step, contact, 1)


def announce_routes(step: Step, contact_id: int) -> None:
    """Tell a contact where this node is reached now; what is sent is read when it is packed."""
    contact = step.tx.contacts.get(contact_id)
    if contact is None:
        return
    step.tx.contacts.update(contact.id, own_routes_version=contact.own_routes_version + 1)
    step.tx.items.remove_where(contact=contact_id, kind=ItemKind.ROUTES)
    _add(step, contact_id, ItemKind.ROUTES, step.now.service)


def queue_profile(step: Step, contact: int) -> None:
    """Tell a contact this node's name."""
    step.tx.items.remove_where(contact=contact, kind=ItemKind.PROFILE)
    _add(step, contact, ItemKind.PROFILE, step.now.service)
