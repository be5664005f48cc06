"""Contacts and the profile as their person changes them (Spec 6 §7)."""

import unicodedata

from msgspec import msgpack
from msgspec.structs import replace

from protocol.crypto.suite import Suite
from protocol.delivery import queues, routes
from protocol.delivery.hosts import Hosts
from protocol.delivery.items import queue_profile
from protocol.delivery.own import own_profile, own_relays
from protocol.entropy import Entropy
from protocol.errors import CallerError
from protocol.keys import RelayKey
from protocol.limits import MAX_NAME_BYTES
from protocol.mailbox import ChangeKind, Contact, ContactState, OwnRelay, Profile
from protocol.operations import Configure, MarkSeen, SetContact
from protocol.session.identity import make_identity
from protocol.step import Step


def clean_name(name: str) -> str:
    """NFC, without surrounding space. Raises CallerError: empty, too long, or with control characters."""
    cleaned = unicodedata.normalize("NFC", name.strip())
    if not cleaned:
        raise CallerError("A name needs at least one character.")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in cleaned):
        raise CallerError("A name cannot have control characters.")
    if len(cleaned.encode()) > MAX_NAME_BYTES:
        raise CallerError(f"The name {cleaned!r} is too long: at most {MAX_NAME_BYTES} bytes.")
    return cleaned


def new_profile(suite: Suite, entropy: Entropy, name: str) -> Profile:
    """A person's first row: fresh identity, no relays."""
    keys = make_identity(suite, entropy)
    return Profile(1, keys.signing, keys.dh, keys.identity, clean_name(name), msgpack.encode(()))


def existing(step: Step, contact: int) -> Contact:
    """Raises CallerError where there is no such contact."""
    row = step.tx.contacts.get(contact)
    if row is None:
        raise CallerError(f"There is no contact number {contact}.")
    return row


def writable(step: Step, contact: int) -> Contact:
    """A contact that can be written to. Raises CallerError."""
    row = existing(step, contact)
    if row.state is ContactState.REFUSED:
        raise CallerError(f"The invitation of {row.name} was used by someone else; ask for a new one.")
    return row


def changed(step: Step, contact: int) -> None:
    """Number a change of what people see of a contact."""
    row = existing(step, contact)
    step.change(ChangeKind.CONTACT, contact, row.state)


def learn_name(step: Step, contact: Contact, name: str) -> None:
    """What a contact calls itself, unless its person was given a name here."""
    if contact.name_given or contact.name == name:
        return
    try:
        step.tx.contacts.update(contact.id, name=clean_name(name))
    except CallerError:
        return
    changed(step, contact.id)


def set_own_name(step: Step, name: str) -> None:
    """Change this person's name and tell every contact; the first name makes the profile, with a fresh identity."""
    profile = step.tx.profile.get(1)
    if profile is None:
        step.tx.profile.save(new_profile(step.suite, step.entropy, name))
        return
    step.tx.profile.update(profile.id, name=clean_name(name))
    for contact in step.tx.contacts.find(state=ContactState.ACTIVE):
        queue_profile(step, contact.id)


def set_contact(step: Step, operation: SetContact) -> None:
    """Rename or verify. Raises CallerError."""
    row = existing(step, operation.contact)
    if operation.name is not None:
        row = replace(row, name=clean_name(operation.name), name_given=True)
    if operation.verified is not None:
        if row.state is ContactState.WAITING:
            raise CallerError(f"{row.name} has not answered yet; there is nothing to verify.")
        row = replace(row, verified=operation.verified)
    step.tx.contacts.save(row)
    changed(step, row.id)


def mark_seen(step: Step, operation: MarkSeen) -> None:
    """Never goes back."""
    row = existing(step, operation.contact)
    if operation.change > row.seen_change:
        unread = step.tx.messages.unread(row.id, operation.change)
        step.tx.contacts.update(row.id, seen_change=operation.change, unread=unread)


def remove(step: Step, hosts: Hosts, contact: int) -> None:
    """Forget a contact: its queues are dropped at their relays, its messages and keys here."""
    existing(step, contact)
    for queue in step.tx.queues.find(contact=contact):
        queues.drop(step, hosts, replace(queue, contact=None, invitation=None))
    step.tx.contacts.remove(contact)
    step.tx.sessions.remove(contact)
    step.tx.pairs.remove(contact)
    for table in (
        step.tx.routes, step.tx.items, step.tx.envelopes, step.tx.messages, step.tx.heads, step.tx.partials,
        step.tx.skipped, step.tx.seen,
    ):  # fmt: skip
        table.remove_where(contact=contact)
    step.change(ChangeKind.CONTACT, contact, 0)


def configure(step: Step, hosts: Hosts, operation: Configure) -> list[RelayKey]:
    """Take over the list of own relays: every contact gets a queue on each, and is told. Returns hosts now unused."""
    profile = own_profile(step)
    before = own_relays(profile)
    relays = [OwnRelay(host, relay, False) for host, relay in operation.relays]
    if operation.direct is not None:
        relays.insert(0, OwnRelay(*operation.direct, True))
    if len({relay.relay for relay in relays}) != len(relays):
        raise CallerError("The same relay is named twice.")
    if tuple(relays) == before:
        return []
    step.tx.profile.update(profile.id, relays=msgpack.encode(tuple(relays)))
    for contact in step.tx.contacts.find():
        if contact.state in (ContactState.ACTIVE, ContactState.WAITING):
            queues.sync_contact(step, hosts, contact.id, relays, routes.primary(step, contact.id))
    still_used = {queue.relay for queue in step.tx.queues.find()} | {relay.relay for relay in relays}
    return [RelayKey(relay.relay) for relay in before if relay.relay not in still_used]
