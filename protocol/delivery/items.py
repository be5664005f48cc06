"""What waits to be sent to a contact (Spec 6 §4): rows with a due time, packed into envelopes when a route is open."""

import math

from protocol.envelope.fragments import fragment_count
from protocol.keys import MessageId
from protocol.mailbox import ContactState, ItemKind, OutgoingItem
from protocol.step import Step

TICKS = 3
"""Ticks that follow the last content of a conversation (Spec 6 §5)."""
LASTING_TICKS = 16
"""The same where ticks last: after whatever came last of the contact."""


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
    tick(step, contact, TICKS)


def queue_receipt(step: Step, contact: int, message_id: MessageId) -> None:
    """A delivery receipt of a content that is new: it leaves with whatever leaves next (Spec 6 §5)."""
    _add(step, contact, ItemKind.RECEIPT, math.inf, message_id)
    tick(step, contact, TICKS)


def receipt_again(step: Step, contact: int, message_id: MessageId) -> None:
    """The same of a content that came again, unless a receipt of it waits. Nothing new was said: one tick is enough."""
    if not step.tx.items.find(1, contact=contact, kind=ItemKind.RECEIPT, message_id=message_id, sealed=None):
        _add(step, contact, ItemKind.RECEIPT, math.inf, message_id)
        tick(step, contact, 1)


def tick(step: Step, contact_id: int, least: int) -> None:
    """At least so many ticks are to come: at each an automatic envelope leaves, with all that waits, or with nothing.

    A tick that was drawn keeps its time, so when it comes says nothing of what happened meanwhile.
    """
    contact = step.tx.contacts.get(contact_id)
    if contact is None or contact.state is not ContactState.ACTIVE:
        return
    drawn = step.tx.items.find(1, contact=contact_id, kind=ItemKind.TICK)
    if not drawn:
        _add(step, contact_id, ItemKind.TICK, _next_tick(step), index=least)
    elif drawn[0].index < least:
        step.tx.items.update(drawn[0].id, index=least)


def heard(step: Step, contact_id: int) -> None:
    """An envelope of a contact was opened, empty maybe: where ticks last, as many follow as for one that is silent."""
    if step.timing.receipt_gap_seconds is not None:
        tick(step, contact_id, LASTING_TICKS)


def begin_ticks(step: Step) -> None:
    """Ticks of the process before went on or ended; where they last, each contact has one to come from the start."""
    if step.timing.receipt_gap_seconds is not None:
        for contact in step.tx.contacts.find(state=ContactState.ACTIVE):
            tick(step, contact.id, 1)


def ticked(step: Step, item: OutgoingItem) -> None:
    """A tick's envelope was sealed: the next is drawn, if any is left or anything did not fit."""
    waiting = step.tx.items.waiting(item.contact, step.now.service, 2)
    left = max(item.index - 1, int(any(other.kind is not ItemKind.TICK for other in waiting)))
    if left <= 0:
        step.tx.items.remove(item.id)
        return
    due = _next_tick(step)
    step.tx.items.update(item.id, index=left, due=due)
    step.wake_at(due)


def _next_tick(step: Step) -> float:
    mean = step.timing.receipt_mean_seconds
    assert mean is not None, "whoever makes a machine says which mean its preset has"
    gap = step.timing.receipt_gap_seconds
    if gap is not None:
        mean = max(mean, gap * step.tx.contacts.count(state=ContactState.ACTIVE))
    return step.now.service - mean * math.log(1.0 - step.entropy.uniform())


def announce_routes(step: Step, contact_id: int) -> None:
    """Tell a contact where this node is reached now; what is sent is read when it is packed."""
    contact = step.tx.contacts.get(contact_id)
    if contact is None:
        return
    step.tx.contacts.update(contact.id, own_routes_version=contact.own_routes_version + 1)
    step.tx.items.remove_where(contact=contact_id, kind=ItemKind.ROUTES)
    _add(step, contact_id, ItemKind.ROUTES, step.now.service)


def queue_pair(step: Step, contact: int) -> None:
    """Tell a contact by what this node is recognised, in answer to its profile: at a tick, as every answer.

    What is sent is read when it is packed.
    """
    step.tx.items.remove_where(contact=contact, kind=ItemKind.PAIR)
    _add(step, contact, ItemKind.PAIR, math.inf)
    tick(step, contact, 1)


def queue_profile(step: Step, contact: int) -> None:
    """Tell a contact this node's name."""
    step.tx.items.remove_where(contact=contact, kind=ItemKind.PROFILE)
    _add(step, contact, ItemKind.PROFILE, step.now.service)
