"""One conversation as both ends show it (Spec 6 §6): each message under one change number, after its parents.

Order = (height, inviter before joiner, message id); height = 1 + the highest parent's, computed, never sent. No
clock is trusted for it.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from protocol.envelope.content import Text
from protocol.errors import CallerError
from protocol.keys import MessageId, Minute
from protocol.limits import MAX_HIDDEN_PER_CONTACT, MAX_PARENTS, MAX_TEXT_BYTES
from protocol.mailbox import ChangeKind, Contact, Head, Message, MessageState
from protocol.step import Step


def check_text(text: str) -> None:
    """Raises CallerError: empty, too long, or not Unicode text."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise CallerError(
            f"The text has half of a surrogate pair at character {error.start}; it is not Unicode."
        ) from None
    if size == 0:
        raise CallerError("The text is empty; there is nothing to send.")
    if size > MAX_TEXT_BYTES:
        raise CallerError(f"The text has {size:,} bytes; at most {MAX_TEXT_BYTES:,} can be sent in one message.")


def add_own(step: Step, contact: Contact, text: str) -> tuple[Message, int]:
    """A message of this node's person: queued, shown at once; with its change number."""
    heads = step.tx.heads.find(contact=contact.id)
    parents = [contact.last_own] if contact.last_own is not None else []
    parents += [head.message_id for head in heads if head.message_id not in parents][: MAX_PARENTS - len(parents)]
    message_id = MessageId(step.entropy.secret(16))
    message = Message(
        id=0,
        contact=contact.id,
        message_id=message_id,
        mine=True,
        text=text,
        parents=b"".join(parents),
        minute=Minute(step.now.minute),
        height=contact.height + 1,
        state=MessageState.QUEUED,
        change=None,
        show_at=None,
        missing_parent=False,
        resent=0,
    )
    message = replace(message, id=step.tx.messages.add(message))
    step.tx.contacts.update(contact.id, last_own=message_id)
    return message, _show(step, message, missing=False)


def add_received(step: Step, contact: Contact, content: Text) -> bool:
    """A contact's message; shown now, or when its parents are. False where it was there already."""
    if step.tx.messages.by_id(contact.id, content.message_id) is not None:
        return False
    message = Message(
        id=0,
        contact=contact.id,
        message_id=content.message_id,
        mine=False,
        text=content.text,
        parents=b"".join(content.parents),
        minute=content.minute,
        height=0,
        state=MessageState.RECEIVED,
        change=None,
        show_at=step.now.service + step.timing.missing_parent_seconds,
        missing_parent=False,
        resent=0,
    )
    message = replace(message, id=step.tx.messages.add(message))
    if _may_show(step, message):
        _show(step, message, missing=False)
        _show_children(step, message)
    elif step.tx.messages.count(contact=contact.id, change=None) > MAX_HIDDEN_PER_CONTACT:
        _show(step, message, missing=True)
    else:
        assert message.show_at is not None
        step.wake_at(message.show_at)
    return True


def show_overdue(step: Step) -> None:
    """Show, marked, what has waited for a parent long enough."""
    due = step.tx.messages.next_show()
    if due is not None and due <= step.now.service:
        for overdue in step.tx.messages.overdue(step.now.service):
            message = step.tx.messages.get(overdue.id)
            if message is not None and message.change is None:
                _show(step, message, missing=True)
                _show_children(step, message)
        due = step.tx.messages.next_show()
    if due is not None:
        step.wake_at(due)


def advance(step: Step, contact: int, message_ids: Iterable[MessageId], state: MessageState) -> list[MessageId]:
    """Own messages reach a state; never back. Those that changed."""
    changed = []
    for message_id in message_ids:
        message = step.tx.messages.by_id(contact, message_id)
        if message is not None and message.mine and message.state < state:
            step.tx.messages.update(message.id, state=state)
            step.change(ChangeKind.STATE, message.id, state)
            changed.append(message_id)
    return changed


def _parents(message: Message) -> list[MessageId]:
    return [MessageId(message.parents[at : at + 16]) for at in range(0, len(message.parents), 16)]


def _may_show(step: Step, message: Message) -> bool:
    found = (step.tx.messages.by_id(message.contact, parent) for parent in _parents(message))
    return all(parent is not None and parent.change is not None for parent in found)


def _show(step: Step, message: Message, missing: bool) -> int:
    """Give the message its one place in the timeline."""
    contact = step.tx.contacts.get(message.contact)
    assert contact is not None
    parents = _parents(message)
    heights = [0]
    for name in parents:
        parent = step.tx.messages.by_id(message.contact, name)
        if parent is not None:
            heights.append(parent.height)
        step.tx.heads.remove(message.contact, name)
    height = 1 + max(heights)
    number = step.change(ChangeKind.MESSAGE, message.id, message.state)
    step.tx.messages.update(message.id, change=number, height=height, show_at=None, missing_parent=missing)
    step.tx.heads.save(Head(message.contact, message.message_id, message.mine))
    unread = contact.unread + (not message.mine)
    if height > contact.height or unread > contact.unread:
        step.tx.contacts.update(contact.id, height=max(height, contact.height), unread=unread)
    return number


def _show_children(step: Step, shown: Message) -> None:
    """Show what waited for this message, and what waited for that."""
    ready = [shown]
    while ready:
        parent = ready.pop()
        for message in step.tx.messages.hidden(parent.contact):
            if parent.message_id in _parents(message) and _may_show(step, message):
                _show(step, message, missing=False)
                ready.append(message)
