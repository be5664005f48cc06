"""By what two contacts recognise each other on a local network: secrets, told through the ratchet (Spec 9 §1).

Only where both ends list it as a feature: to all others a node says nothing that version 1 does not have.
"""

from msgspec.structs import replace

from protocol.delivery.items import queue_pair, queue_profile
from protocol.envelope.items import DISCOVERY, Discovery
from protocol.keys import PairSecret
from protocol.mailbox import ContactState, ItemKind, Pair, PersonalTransaction
from protocol.step import Step

_DAY_SECONDS = 86_400.0


def begin(step: Step) -> None:
    """A process starts: contacts that were not told yet learn that this node takes part."""
    if not step.features & DISCOVERY:
        return
    for contact in step.tx.contacts.find(state=ContactState.ACTIVE):
        pair = _pair(step, contact.id)
        if not pair.told:
            step.tx.pairs.save(replace(pair, told=True))
            queue_profile(step, contact.id)
        _offer(step, contact.id)


def learn_features(step: Step, contact: int, features: int) -> None:
    """What a contact's profile lists."""
    pair = step.tx.pairs.get(contact)
    if pair is None and not features:
        return
    step.tx.pairs.save(replace(pair or _pair(step, contact), features=features))
    _offer(step, contact)


def take(step: Step, contact: int, item: Discovery) -> bool:
    """Whether the contact's secret is a new one; the one before is still looked for."""
    pair = _pair(step, contact)
    if item.version <= pair.theirs_version:
        return False
    before = pair.theirs
    step.tx.pairs.save(replace(pair, theirs=item.secret, theirs_before=before, theirs_version=item.version))
    return True


def renew(step: Step) -> set[int]:
    """Secrets that are old are replaced, what a contact needs no more is forgotten; the contacts to tell."""
    touched: set[int] = set()
    for pair in step.tx.pairs.find():
        if pair.own is None or _is_waiting(step.tx, pair.contact):
            continue
        if pair.own_before is not None:
            pair = replace(pair, own_before=None)  # noqa: PLW2901
            step.tx.pairs.save(pair)
        if step.features & DISCOVERY and step.now.service >= pair.own_since + step.timing.pair_days * _DAY_SECONDS:
            _make(step, pair)
            touched.add(pair.contact)
    return touched


def item_of(step: Step, contact: int) -> Discovery | None:
    """What a contact is to be told now."""
    pair = step.tx.pairs.get(contact)
    return Discovery(pair.own_version, pair.own) if pair is not None and pair.own is not None else None


def tagged_with(tx: PersonalTransaction, pair: Pair) -> PairSecret | None:
    """By what the contact recognises this node now: the new secret once it has come."""
    if pair.own_before is not None and _is_waiting(tx, pair.contact):
        return pair.own_before
    return pair.own


def looked_for(pair: Pair) -> tuple[PairSecret, ...]:
    """By what the contact is recognised: its newest secret, and the one before."""
    return tuple(secret for secret in (pair.theirs, pair.theirs_before) if secret is not None)


def _pair(step: Step, contact: int) -> Pair:
    return step.tx.pairs.get(contact) or Pair(contact, 0, False, None, None, 0, 0.0, None, None, 0)


def _offer(step: Step, contact: int) -> None:
    pair = _pair(step, contact)
    if step.features & DISCOVERY and pair.features & DISCOVERY and pair.own is None:
        _make(step, pair)


def _make(step: Step, pair: Pair) -> None:
    fresh = PairSecret(step.entropy.secret(32))
    step.tx.pairs.save(
        replace(pair, own=fresh, own_before=pair.own, own_version=pair.own_version + 1, own_since=step.now.service)
    )
    queue_pair(step, pair.contact)


def _is_waiting(tx: PersonalTransaction, contact: int) -> bool:
    """Whether the contact is not known to have the newest secret."""
    return bool(tx.items.find(contact=contact, kind=ItemKind.PAIR))
