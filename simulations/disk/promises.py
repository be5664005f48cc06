"""What a node or relay said to the outside before a fault, and what must therefore be so after it.

A fact is noted when its effect is performed, so after the commit. Whatever happens to the disk afterwards, within what
SQLite promises, each fact binds: an answered text is there once, a shown one stays, a state never goes back, an
accepted envelope is handed out until its recipient acknowledged it, and no message key ever seals a second payload.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from msgspec import Struct, msgpack

from node.store.database import store_error
from node.store.mailbox import MailboxStore
from node.store.relay import RelayStore
from protocol.envelope.envelope import parse_envelope
from protocol.limits import ENVELOPE_BYTES
from protocol.mailbox import MessageState


class _Fact(Struct, frozen=True, array_like=True, tag=True):
    pass


class Queued(_Fact, frozen=True):
    """The person was answered that this text is durable."""

    person: str
    text: str


class Shown(_Fact, frozen=True):
    """The person's timeline was announced with this text in it."""

    person: str
    text: str


class Reached(_Fact, frozen=True):
    """A state of an own text was announced."""

    person: str
    text: str
    state: int


class Accepted(_Fact, frozen=True):
    """The relay said *stored* of the envelope with this digest."""

    digest: bytes


class Fetched(_Fact, frozen=True):
    """The recipient acknowledged it: the relay may erase it."""

    digest: bytes


class Sealed(_Fact, frozen=True):
    """An envelope left whose payload was sealed under `key`; `tag` is the payload's, 16 bytes."""

    key: bytes
    tag: bytes


class Acquainted(_Fact, frozen=True):
    """The person was answered that the contact is made."""

    person: str


Fact: TypeAlias = Queued | Shown | Reached | Accepted | Fetched | Sealed | Acquainted
encode_facts = msgpack.Encoder().encode
decode_facts = msgpack.Decoder(list[Fact]).decode


class Broken(AssertionError):
    """A promise that was not kept, in words."""


class Damaged(Broken):
    """The file itself is no longer one, and says so: nobody is handed wrong data."""


class Promises:
    """All that binds, from facts in their order."""

    def __init__(self, facts: Iterable[Fact] = ()) -> None:
        self.queued: dict[str, set[str]] = {}
        self.shown: dict[str, set[str]] = {}
        self.reached: dict[tuple[str, str], int] = {}
        self.accepted: set[bytes] = set()
        self.fetched: set[bytes] = set()
        self.acquainted: set[str] = set()
        self._sealed: dict[bytes, bytes] = {}
        self.count = 0
        for fact in facts:
            self.note(fact)

    def note(self, fact: Fact) -> None:
        """Raises Broken where a message key sealed a second payload."""
        self.count += 1
        match fact:
            case Queued():
                self.queued.setdefault(fact.person, set()).add(fact.text)
            case Shown():
                self.shown.setdefault(fact.person, set()).add(fact.text)
            case Reached():
                key = fact.person, fact.text
                self.reached[key] = max(fact.state, self.reached.get(key, 0))
            case Accepted():
                self.accepted.add(fact.digest)
            case Fetched():
                self.fetched.add(fact.digest)
            case Acquainted():
                self.acquainted.add(fact.person)
            case Sealed():
                if self._sealed.setdefault(fact.key, fact.tag) != fact.tag:
                    raise Broken("a message key sealed two payloads")

    def check_mailbox(self, person: str, rows: Sequence[tuple[str, bool, int]], contacts: int) -> int:
        """`rows`: text, whether it is the person's own, state. How many facts were compared. Raises Broken."""
        texts = Counter(text for text, _, _ in rows)
        for text, count in texts.items():
            _hold(count == 1, f"{person} has {text[:20]!r} {count} times")
        own = {text: state for text, mine, state in rows if mine}
        for text in self.queued.get(person, ()):
            _hold(text in own, f"{person} was answered {text[:20]!r}, and it is gone")
        for text in self.shown.get(person, ()):
            _hold(text in texts, f"{person} was shown {text[:20]!r}, and it is gone")
        for (name, text), state in self.reached.items():
            if name == person:
                _hold(own.get(text, 0) >= state, f"{person} saw {text[:20]!r} {MessageState(state).name}, and no more")
        _hold(contacts >= (person in self.acquainted), f"{person} made a contact, and it is gone")
        return sum(len(kind.get(person, ())) for kind in (self.queued, self.shown)) + len(self.reached)

    def check_delivered(self, person: str, peers_texts: set[str]) -> None:
        """What the person saw delivered is at the peer. Raises Broken."""
        for (name, text), state in self.reached.items():
            if name == person and state == MessageState.DELIVERED:
                _hold(text in peers_texts, f"{person} saw {text[:20]!r} delivered, and the peer lacks it")

    def check_relay(self, bodies: Sequence[bytes], digests: set[bytes]) -> int:
        """`bodies`: of all entries; `digests`: the first 16 bytes of each kept one. Raises Broken."""
        held: Counter[bytes] = Counter(parse_envelope(body).digest for body in bodies if len(body) == ENVELOPE_BYTES)
        for digest, count in held.items():
            _hold(count == 1, f"the relay holds one envelope {count} times")
            _hold(digest[:16] in digests, "the relay holds an envelope whose digest it forgot")
        for promised in self.accepted:
            _hold(promised[:16] in digests, "the relay accepted an envelope and forgot its digest")
            _hold(promised in held or promised in self.fetched, "the relay accepted an envelope, and it is gone")
        return len(self.accepted)


def check_mailbox(promises: Promises, person: str, store: MailboxStore) -> tuple[int, set[str]]:
    """A mailbox as it was opened. How many facts were compared, and the texts that it has."""
    _check_file(store.connection, person)
    with store.read() as tx:
        rows = [(row.text, row.mine, int(row.state)) for row in tx.messages.find()]
        contacts = tx.contacts.count()
    return promises.check_mailbox(person, rows, contacts), {text for text, _, _ in rows}


def check_relay(promises: Promises, store: RelayStore) -> int:
    """A relay's store as it was opened. How many facts were compared."""
    _check_file(store.read().connection, "the relay")
    with store.read() as tx:
        bodies = [row[0] for row in tx.connection.execute("SELECT body FROM entries")]
        digests = {row[0] for row in tx.connection.execute("SELECT digest FROM digests")}
        miscounted = tx.connection.execute(
            "SELECT number FROM queues q WHERE stored != (SELECT count(*) FROM entries WHERE counted = 1"
            " AND place >> 32 = q.number) OR markers != (SELECT count(*) FROM entries WHERE counted = 0"
            " AND place >> 32 = q.number)"
        ).fetchall()
    _hold(not miscounted, "a queue's counters are not what it holds")
    return promises.check_relay(bodies, digests)


def _check_file(connection: sqlite3.Connection, owner: str) -> None:
    found = damage(connection)
    if found:
        raise Damaged(f"the file of {owner} is damaged: {found}")


def damage(connection: sqlite3.Connection) -> str:
    """What SQLite's and SQLCipher's own checks find; empty where all is well. Folds the log into the file."""
    try:
        found = connection.execute("PRAGMA integrity_check").fetchall()
        if found != [("ok",)]:
            return str(found[:3])
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the next one looks at the file alone
        found = connection.execute("PRAGMA cipher_integrity_check").fetchall()  # no rows where nothing is encrypted
    except Exception as error:
        meant = store_error(error)
        if meant is None:
            raise
        return str(meant)
    return str(found[:3]) if found else ""


def _hold(condition: bool, words: str) -> None:
    if not condition:
        raise Broken(words)
