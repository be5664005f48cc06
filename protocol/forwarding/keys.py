"""The keys to which onions for a relay are sealed: a new one each week, two in use, older ones gone (Spec 12 §4).

The newest is named in the descriptor; the one before opens what was sealed under an older descriptor.
"""

from protocol.crypto.suite import Suite
from protocol.entropy import Entropy
from protocol.events import Now
from protocol.forwarding.descriptor import sign_descriptor
from protocol.keys import DhPrivate, DhPublic, Minute, SigningKey
from protocol.limits import ONION_KEY_DAYS
from protocol.store import OnionKey, RelayTransaction
from protocol.wire.commands import Descriptor

_DAY_SECONDS = 86_400.0
_AGE_SECONDS = ONION_KEY_DAYS * _DAY_SECONDS
_MARGIN_SECONDS = 3_600.0
"""A descriptor ends so long before its key does: what is under way then still opens."""
_EPOCHS = 256


class OnionKeys:
    """Read from the store at each change; volatile otherwise."""

    def __init__(self, suite: Suite, entropy: Entropy, signing: SigningKey) -> None:
        self._suite = suite
        self._entropy = entropy
        self._signing = signing
        self._keys: list[OnionKey] = []
        """Newest first."""
        self._publics: dict[DhPrivate, DhPublic] = {}
        """Of the same: to compute one takes as long as a signature, and each onion needs it."""

    def renew(self, tx: RelayTransaction, service: float) -> float:
        """Make the key that is due, and erase those that are over. When this is wanted next, in service seconds."""
        keys = sorted(tx.onion_keys.all(), key=lambda key: -key.since)
        for key in keys:
            if key.since + 2 * _AGE_SECONDS <= service:
                tx.onion_keys.remove(key.epoch)
        keys = [key for key in keys if service < key.since + 2 * _AGE_SECONDS]
        if not keys or keys[0].since + _AGE_SECONDS <= service:
            epoch = (keys[0].epoch + 1) % _EPOCHS if keys else int(self._entropy.uniform() * _EPOCHS)
            key = OnionKey(epoch, DhPrivate(self._entropy.secret(32)), service)
            if tx.room:
                tx.onion_keys.add(key)
                keys.insert(0, key)
        self._take(keys)
        nexts = [key.since + 2 * _AGE_SECONDS for key in keys] + [keys[0].since + _AGE_SECONDS for _ in keys[:1]]
        return min(nexts, default=service + _MARGIN_SECONDS)

    def load(self, tx: RelayTransaction) -> None:
        """What the store has, after a step that was undone."""
        self._take(sorted(tx.onion_keys.all(), key=lambda key: -key.since))

    def pair(self, epoch: int) -> tuple[DhPrivate, DhPublic] | None:
        """The key of an onion's epoch, and its public half."""
        return next(((key.private, self._publics[key.private]) for key in self._keys if key.epoch == epoch), None)

    def _take(self, keys: list[OnionKey]) -> None:
        self._keys = keys
        known = self._publics
        self._publics = {key.private: known.get(key.private) or self._suite.dh_public(key.private) for key in keys}

    def describe(self, now: Now) -> Descriptor | None:
        """Of the newest key; None while there is none."""
        if not self._keys:
            return None
        newest = self._keys[0]
        left = newest.since + 2 * _AGE_SECONDS - _MARGIN_SECONDS - now.service
        until = Minute(min(max(int((now.wall + left) // 60), 0), 2**32 - 1))
        return sign_descriptor(self._suite, self._signing, newest.epoch, self._publics[newest.private], until)
