"""Changes of the node's inbox and of the stores of mailboxes and relays."""

from simulations.mutants.mutant import Mutant

_INBOX = "node/inbox.py"
_CORE = "node/core.py"
_TRANSACTION = "node/store/transaction.py"
_TABLE = "node/store/table.py"
_RELAY = "node/store/relay.py"
_MAILBOX = "node/store/mailbox.py"

OF_STORES = (
    Mutant(
        "waiting-events-dropped",
        _INBOX,
        "Every event of a connection is handled, in its order.",
        "            if waiting:\n                self._busy[source] = waiting",
        "            if waiting and len(batch) <= 3:\n                self._busy[source] = waiting",
    ),
    Mutant(
        "timers-once-a-minute",
        _CORE,
        "What is due is done when it is due.",
        "            due = min(due, wake)\n",
        "            due = max(due, wake)\n",
    ),
    Mutant(
        "cache-outlives-a-failed-transaction",
        _TRANSACTION,
        "What was read or gathered in a transaction that failed is forgotten with it.",
        '                self.connection.execute("ROLLBACK")\n            self.after_end(committed)',
        '                self.connection.execute("ROLLBACK")\n            self.after_end(True)',
    ),
    Mutant(
        "failed-event-half-done",
        _TRANSACTION,
        "An event that fails leaves nothing behind.",
        '            connection.execute("ROLLBACK TO event")\n',
        "",
    ),
    Mutant(
        "counters-outlive-an-undone-event",
        _RELAY,
        "What an undone event counted is not counted.",
        "        self._forget()\n        self.known.update(mark)\n        self.changed.update(mark)\n",
        "",
    ),
    Mutant(
        "stale-row-after-an-update",
        _TABLE,
        "A transaction reads what it wrote.",
        "            self._known[key] = replace(known, **changes)",
        "            self._known[key] = known",
    ),
    Mutant(
        "sequence-reused",
        _RELAY,
        "A sequence is never used twice.",
        "                sequence=sequence or queue.sequence,",
        "                sequence=sequence or (0 if queue.stored + queue.markers + by == 0 else queue.sequence),",
    ),
    Mutant(
        "digest-not-remembered",
        _RELAY,
        "A relay stores an envelope once, however often it is deposited.",
        "        return None if added else self.minute(number, digest)",
        "        return None",
    ),
    Mutant(
        "erased-envelopes-counted",
        _RELAY,
        "What was acknowledged no longer counts against the quota.",
        "            self._count(self._transaction.queue(number), -1, counted)\n        return bool(rows)",
        "            self._count(self._transaction.queue(number), 0, counted)\n        return bool(rows)",
    ),
    Mutant(
        "dropped-queue-keeps-entries",
        _RELAY,
        "A queue that is dropped goes with all that is in it.",
        '        self._execute("DELETE FROM entries WHERE place BETWEEN ? AND ?", (first, first + _SEQUENCES - 1))\n',
        "",
    ),
    Mutant(
        "one-entry-too-few",
        _RELAY,
        "A subscriber is pushed the oldest entry too.",
        "            (first + min(sequence, _SEQUENCES), first + _SEQUENCES, limit),",
        "            (first + min(sequence + (limit < 8), _SEQUENCES), first + _SEQUENCES, limit),",
    ),
    Mutant(
        "claimed-key-not-stored",
        _RELAY,
        "A claim is durable before it is answered.",
        '        self._execute("UPDATE queues SET sender_key = ? WHERE number = ?", (sender_key, number))\n',
        "",
    ),
    Mutant(
        "old-fragments-forgotten",
        _MAILBOX,
        "Parts of a content are kept for 35 days.",
        '            self.connection.execute(f"DELETE FROM {table} WHERE at < ?", (before,))',
        '            self.connection.execute(f"DELETE FROM {table} WHERE at < ? + 35 * 86400", (before,))',
    ),
    Mutant(
        "custody-of-half-a-message",
        _MAILBOX,
        "Relayed means that every fragment was in custody.",
        "kind = 1 AND stored = 0 LIMIT 1",
        'kind = 1 AND stored = 0 AND \\"index\\" = 0 LIMIT 1',
    ),
    Mutant(
        "due-contacts-passed-over",
        _MAILBOX,
        "Whatever is due is sent, to whomever it goes.",
        'WHERE due <= ? AND {_WAITING} ORDER BY contact"',
        'WHERE due <= ? AND {_WAITING} ORDER BY contact LIMIT 0"',
    ),
)  # fmt: skip
