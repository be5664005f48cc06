"""A relay's directory: cards under names, for whoever knows the name (Spec 13 §3).

Looking up is bounded for each session and for the relay as a whole, before the name is looked at; so what it costs and
when it is refused say nothing of which names there are.
"""

from protocol.bucket import Bucket
from protocol.crypto.suite import Suite
from protocol.errors import Code, PeerError
from protocol.keys import RelayKey
from protocol.limits import (
    LOOKUPS_AT_ONCE,
    LOOKUPS_PER_SECOND,
    MAX_CARDS,
    MAX_LOOKUPS_PER_SESSION,
    MAX_PUBLISHES_PER_SESSION,
)
from protocol.machines.queue_commands import Step
from protocol.relays.card import read_card
from protocol.store import KeptCard
from protocol.wire.commands import Done, Kept, Lookup, Publish


class Directory:
    """One relay's. How many lookups are left is volatile: a restart gives them anew."""

    def __init__(self, suite: Suite, relay_key: RelayKey) -> None:
        self._suite = suite
        self._relay_key = relay_key
        self._lookups = Bucket(0.0, LOOKUPS_AT_ONCE, LOOKUPS_PER_SECOND)

    def carry_out(self, command: Publish | Lookup, step: Step) -> None:
        """Raises PeerError LIMIT: too much for one session."""
        if isinstance(command, Publish):
            self._publish(command, step)
        else:
            self._look_up(command, step)

    def _publish(self, command: Publish, step: Step) -> None:
        """Keep a card, the first under its name or a later one of the same owner."""
        step.session.publishes += 1
        if step.session.publishes > MAX_PUBLISHES_PER_SESSION:
            raise PeerError(Code.LIMIT, "too many cards in one session")
        code = self._keep(command.card, step)
        if code is None:
            step.reply(Done(command.request))
        else:
            step.refuse(command.request, code)

    def _keep(self, encoded: bytes, step: Step) -> Code | None:
        try:
            card = read_card(self._suite, encoded, self._relay_key, step.minute)
        except PeerError:
            return Code.REFUSED
        cards, service = step.tx.cards, step.now.service
        expires = service + (card.expires - step.minute) * 60.0
        kept = cards.get(card.name)
        if kept is not None and kept.expires > service:
            if kept.identity != card.identity or card.serial < kept.serial:
                return Code.REFUSED
            if card.serial == kept.serial:
                return None if kept.card == (encoded if card.links else None) else Code.REFUSED
            expires = max(expires, kept.expires)  # what was signed before must not come back
        elif kept is None and cards.count() >= MAX_CARDS:
            return Code.FULL
        if not step.tx.room:
            return Code.UNAVAILABLE
        cards.put(card.name, KeptCard(card.identity, card.serial, expires, encoded if card.links else None))
        step.erase_by = expires if step.erase_by is None else min(step.erase_by, expires)
        return None

    def _look_up(self, command: Lookup, step: Step) -> None:
        step.session.lookups += 1
        if step.session.lookups > MAX_LOOKUPS_PER_SESSION:
            raise PeerError(Code.LIMIT, "too many lookups in one session")
        if not self._lookups.take(step.now.service):
            step.refuse(command.request, Code.UNAVAILABLE)
            return
        kept = step.tx.cards.get(command.name)
        if kept is None or kept.card is None or kept.expires <= step.now.service:
            step.refuse(command.request)
        else:
            step.reply(Kept(command.request, kept.card))
