"""From an envelope to items (Spec 6 §5): opened on a copy; committed whole, or acknowledged and dropped."""

from enum import Enum, auto

from msgspec import Struct

from protocol.delivery import outbox
from protocol.delivery.items import heard, receipt_again
from protocol.envelope.content import Text, decode_content
from protocol.envelope.envelope import Envelope
from protocol.envelope.fragments import join_fragments
from protocol.envelope.items import Fragment, Item, unpad_items
from protocol.errors import Code, PeerError
from protocol.limits import (
    CHUNK_BYTES,
    MAX_PARTIAL_BYTES_PER_CONTACT,
    MAX_SKIPPED_PER_CONTACT,
    MAX_SKIPPED_PER_PROFILE,
)
from protocol.mailbox import Contact, ContactState, Partial, Seen, Skipped
from protocol.session import ratchet
from protocol.step import Step

_DIGEST_BYTES = 16


class Fate(Enum):
    """What became of an envelope that is acknowledged."""

    OPENED = auto()
    DUPLICATE = auto()
    FORKED = auto()
    UNREADABLE = auto()


class Outcome(Struct, frozen=True):
    """The fate of an envelope, and its items where it was opened."""

    fate: Fate
    items: tuple[Item, ...] = ()


def open_envelope(step: Step, contact: Contact, envelope: Envelope) -> Outcome:
    """Open an envelope of a contact and save the ratchet, all in this step; a refusal saves nothing.

    What is refused is acknowledged all the same: one envelope never stops a queue, and its sender keeps the content.
    """
    state = outbox.load_ratchet(step, contact.id)
    digest = envelope.digest[:_DIGEST_BYTES]

    def skipped(turn: int, number: int) -> bytes | None:
        row = step.tx.skipped.get(contact.id, turn, number)
        return row.key if row is not None else None

    try:
        opened = ratchet.open_body(step.suite, state, envelope.body, skipped)
        _check_room(step, contact, len(opened.skipped))
    except PeerError as error:
        if error.code is not Code.DUPLICATE:
            return Outcome(Fate.UNREADABLE)
        position = ratchet.duplicate_position(step.suite, state, envelope.body)
        seen = step.tx.seen.get(contact.id, *position) if position is not None else None
        return Outcome(Fate.DUPLICATE if seen is None or seen.digest == digest else Fate.FORKED)
    _commit(step, contact, opened, digest)
    try:
        items = unpad_items(opened.payload)
    except PeerError:
        return Outcome(Fate.UNREADABLE)
    if contact.state is not ContactState.ACTIVE:  # whoever writes has not refused, whatever a relay said
        step.tx.contacts.update(contact.id, state=ContactState.ACTIVE)
    heard(step, contact.id)
    return Outcome(Fate.OPENED, tuple(items))


def _check_room(step: Step, contact: Contact, more: int) -> None:
    """No key is evicted for an envelope that skips too many."""
    if more and (
        step.tx.skipped.count(contact=contact.id) + more > MAX_SKIPPED_PER_CONTACT
        or step.tx.skipped.count() + more > MAX_SKIPPED_PER_PROFILE
    ):
        raise PeerError(Code.SKIPPED_FULL, f"{more} more keys would be kept")


def _commit(step: Step, contact: Contact, opened: ratchet.Opened, digest: bytes) -> None:
    outbox.save_ratchet(step, contact.id, opened.ratchet)
    for key in opened.skipped:
        step.tx.skipped.save(Skipped(contact.id, key.turn, key.number, key.index, key.key, step.now.service))
    if opened.used is not None:
        step.tx.skipped.remove(contact.id, *opened.used)
        turn, number = opened.used
    else:
        turn, number = opened.ratchet.turn, opened.ratchet.receive_number - 1
    step.tx.seen.save(Seen(contact.id, turn, number, digest, step.now.service))


def take_fragment(step: Step, contact: Contact, fragment: Fragment) -> Text | None:
    """Keep a fragment; the content once it is whole. A content that is there already is receipted again.

    Raises PeerError where the whole is not a content; its parts are removed.
    """
    if step.tx.messages.by_id(contact.id, fragment.message_id) is not None:
        receipt_again(step, contact.id, fragment.message_id)
        return None
    if fragment.count == 1:
        return _content(fragment.chunk, fragment)
    parts = step.tx.partials.count(contact=contact.id)
    if parts * CHUNK_BYTES >= MAX_PARTIAL_BYTES_PER_CONTACT:
        return None
    step.tx.partials.save(
        Partial(contact.id, fragment.message_id, fragment.index, fragment.count, fragment.chunk, step.now.service)
    )
    if step.tx.partials.count(contact=contact.id, message_id=fragment.message_id) < fragment.count:
        return None
    rows = step.tx.partials.find(contact=contact.id, message_id=fragment.message_id)
    step.tx.partials.remove_where(contact=contact.id, message_id=fragment.message_id)
    if any(row.count != fragment.count for row in rows):
        return None
    return _content(join_fragments([row.chunk for row in sorted(rows, key=lambda row: row.index)]), fragment)


def _content(data: bytes, fragment: Fragment) -> Text:
    content = decode_content(data)
    if content.message_id != fragment.message_id:
        raise PeerError(Code.MALFORMED, "a content under another message's id")
    return content
