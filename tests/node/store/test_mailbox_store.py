"""One contract for every version of a mailbox: what SQLite answers, dicts answer, orders included."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from node.store.database import open_database, open_in_memory
from node.store.mailbox import SCHEMA, MailboxStore
from protocol.keys import SHARED, MessageId, RelayKey
from protocol.mailbox import (
    Change,
    ChangeKind,
    Contact,
    Head,
    HostTrouble,
    ItemKind,
    Joining,
    Message,
    OutgoingItem,
    OwnInvitation,
    OwnQueue,
    Partial,
    PeerRoute,
    PersonalTransaction,
    Profile,
    SealedEnvelope,
    Seen,
    Session,
    Skipped,
)
from protocol.relays.kept import FollowedList, RelayHealth
from simulations.mailbox import DictMailboxStore

TABLES: dict[str, tuple[type[Struct], tuple[str, ...]]] = {
    "profile": (Profile, ("id",)),
    "queues": (OwnQueue, ("id",)),
    "invitations": (OwnInvitation, ("id",)),
    "joining": (Joining, ("id",)),
    "contacts": (Contact, ("id",)),
    "sessions": (Session, ("contact",)),
    "routes": (PeerRoute, ("id",)),
    "items": (OutgoingItem, ("id",)),
    "envelopes": (SealedEnvelope, ("id",)),
    "messages": (Message, ("id",)),
    "heads": (Head, ("contact", "message_id")),
    "partials": (Partial, ("contact", "message_id", "index")),
    "skipped": (Skipped, ("contact", "turn", "number")),
    "seen": (Seen, ("contact", "turn", "number")),
    "troubles": (HostTrouble, ("relay", "group")),
    "relay_lists": (FollowedList, ("id",)),
    "relay_health": (RelayHealth, ("relay",)),
    "changes": (Change, ("number",)),
}
NUMBERED = [name for name in TABLES if TABLES[name][1] in (("id",), ("number",)) and name != "profile"]
FIXED = ("contact", "message_id", "relay")
"""Fields that the machine never updates, and that must name one row."""
IDS = tuple(bytes((number,)) * 16 for number in range(3))

INTEGERS = st.integers(1, 3)
TIMES = st.sampled_from([0.0, 1.0, 2.0, 3.0])
BYTES = st.sampled_from(IDS)


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Few values of each kind, so that rows meet."""
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return st.sampled_from(list(hint))
    hint = getattr(hint, "__supertype__", hint)
    kinds: dict[Any, st.SearchStrategy[Any]] = {
        int: INTEGERS, bool: st.booleans(), float: TIMES, str: st.sampled_from(["a", "b"]), bytes: BYTES,
        type(None): st.none(),
    }  # fmt: skip
    return kinds[hint] if hint in kinds else st.one_of([values_of(part) for part in get_args(hint)])


def fields_of(name: str) -> dict[str, st.SearchStrategy[Any]]:
    record, _ = TABLES[name]
    hints = get_type_hints(record)
    return {field: values_of(hints[field]) for field in record.__struct_fields__}


FIELDS = {name: fields_of(name) for name in TABLES}
NAMES = st.sampled_from(["messages", "items", "envelopes", *TABLES])
Action = Callable[[PersonalTransaction], Any]


def records(name: str) -> st.SearchStrategy[Struct]:
    return st.builds(TABLES[name][0], **FIELDS[name])


def keys(name: str) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(*(st.integers(1, 9) if name in NUMBERED else FIELDS[name][field] for field in TABLES[name][1]))


def conditions(name: str) -> st.SearchStrategy[dict[str, Any]]:
    fields = FIELDS[name]
    return st.lists(st.sampled_from(sorted(fields)), unique=True, max_size=3).flatmap(
        lambda chosen: st.fixed_dictionaries({field: fields[field] for field in chosen})
    )


def adding(name: str, record: Any) -> Action:
    def act(tx: Any) -> Any:
        if name == "messages" and tx.messages.by_id(record.contact, record.message_id) is not None:
            return None
        return getattr(tx, name).add(record)

    return act


def on(table: str, method: str, /, *given: Any, **equal: Any) -> Action:
    return lambda tx: getattr(getattr(tx, table), method)(*given, **equal)


@st.composite
def writes(draw: st.DrawFn) -> tuple[str, Action]:
    name = draw(NAMES)
    kind = draw(st.sampled_from(["add", "add", "add", "update", "update", "remove", "remove where", "forget"]))
    if kind == "forget":
        before = draw(TIMES)
        return f"forget {before}", lambda tx: tx.forget(before)
    if kind == "add":
        record = draw(records(name))
        if name in NUMBERED:
            return f"add {record}", adding(name, record)
        return f"save {record}", on(name, "save", record)
    if kind == "update":
        key, changed = draw(keys(name)), draw(conditions(name))
        changed = {field: value for field, value in changed.items() if field not in (*FIXED, *TABLES[name][1])}
        if changed:
            return f"update {name} {key} {changed}", on(name, "update", *key, **changed)
    if kind == "remove where":
        equal = draw(conditions(name))
        if equal:
            return f"remove from {name} {equal}", on(name, "remove_where", **equal)
    key = draw(keys(name))
    return f"remove {name} {key}", on(name, "remove", *key)


@st.composite
def questions(draw: st.DrawFn) -> tuple[str, Action]:
    contact, time, message, limit = draw(INTEGERS), draw(TIMES), MessageId(draw(BYTES)), draw(st.integers(1, 20))
    asked: list[tuple[Any, ...]] = [
        ("items", "waiting", contact, time, limit), ("items", "is_due", contact, time), ("items", "due_contacts", time),
        ("items", "next_due", None), ("items", "next_due", time), ("items", "all_stored", contact, message),
        ("envelopes", "lowest_index", contact), ("envelopes", "brief", contact), ("envelopes", "below", contact, limit),
        ("envelopes", "any_unstored"), ("envelopes", "unstored", RelayKey(message), time, limit),
        ("envelopes", "stored_before", time, limit), ("messages", "by_id", contact, message),
        ("messages", "unread", contact, limit), ("messages", "hidden", contact),
        ("messages", "missing_parents", contact), ("messages", "shown_from", contact, limit),
        ("messages", "next_show"), ("messages", "overdue", time), ("skipped", "missing", contact, limit, 3),
    ]  # fmt: skip
    name = draw(NAMES)
    asked += [(name, "get", *draw(keys(name)))] * 3
    question = draw(st.sampled_from([*asked, None, None, None, None]))
    if question is None:
        equal, most = draw(conditions(name)), draw(st.sampled_from([None, 1, 2]))
        if draw(st.booleans()):
            return f"count {name} {equal}", on(name, "count", **equal)
        return f"find {name} {equal} {most}", on(name, "find", most, **equal)
    return str(question), on(question[0], question[1], *question[2:])


class Undone(Exception):
    """What a step fails with."""


ENDS = st.sampled_from(["commit", "commit", "commit", "fail", "only read"])
EVENTS = st.lists(st.tuples(st.booleans(), st.lists(st.one_of(writes(), questions()), max_size=12)), max_size=4)


def run(store: Any, end: str, events: list[tuple[bool, list[tuple[str, Action]]]]) -> list[tuple[str, Any]]:
    """One transaction, with a savepoint for each of its events; some of them fail."""
    answers: list[tuple[str, Any]] = []
    try:
        with store.read() if end == "only read" else store.transaction() as tx:
            for fails, actions in events:
                try:
                    with tx.savepoint():
                        answers += [(words, action(tx)) for words, action in actions]
                        if fails:
                            raise Undone
                except Undone:
                    pass
            if end == "fail":
                raise Undone
    except Undone:
        pass
    return answers


def everything(store: Any) -> dict[str, list[Any]]:
    with store.read() as tx:
        return {name: getattr(tx, name).find() for name in TABLES}


CONNECTION = open_in_memory(SCHEMA)


def emptied() -> sqlite3.Connection:
    for name in (*TABLES, "sqlite_sequence"):
        CONNECTION.execute(f"DELETE FROM {name}")
    return CONNECTION


@given(st.lists(st.tuples(ENDS, EVENTS), max_size=5))
def test_dicts_answer_as_sqlite_does(
    transactions: list[tuple[str, list[tuple[bool, list[tuple[str, Action]]]]]],
) -> None:
    sql, dicts = MailboxStore.over(emptied()), DictMailboxStore()
    for end, events in transactions:
        assert run(sql, end, events) == run(dicts, end, events)
        assert everything(sql) == everything(dicts)


def filled(name: str) -> st.SearchStrategy[list[tuple[str, Action]]]:
    """More rows than a table in dicts searches without an index."""
    return st.lists(records(name).map(lambda record: ("add", adding(name, record))), min_size=24, max_size=40)


@settings(max_examples=60)
@given(st.sampled_from(["items", "envelopes", "queues"]).flatmap(filled), st.lists(st.tuples(ENDS, EVENTS), max_size=4))
def test_large_tables_answer_as_sqlite_does(
    filling: list[tuple[str, Action]], transactions: list[tuple[str, list[tuple[bool, list[tuple[str, Action]]]]]]
) -> None:
    sql, dicts = MailboxStore.over(emptied()), DictMailboxStore()
    for end, events in [("commit", [(False, filling)]), *transactions]:
        assert run(sql, end, events) == run(dicts, end, events)
        assert everything(sql) == everything(dicts)


@pytest.fixture(params=["sqlite", "sqlcipher", "dict"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if request.param == "dict":
        yield DictMailboxStore()
        return
    opened = MailboxStore(tmp_path / "mailbox.db", bytes(range(32)) if request.param == "sqlcipher" else None)
    yield opened
    opened.close()


def change(row: int) -> Change:
    return Change(0, ChangeKind.MESSAGE, row, 1)


def test_a_number_is_never_used_twice(store: Any) -> None:
    with store.transaction() as tx:
        assert [tx.changes.add(change(row)) for row in (7, 8)] == [1, 2]
        tx.changes.remove(2)
    with store.transaction() as tx:
        assert tx.changes.add(change(9)) == 3
        assert tx.changes.find() == [Change(1, ChangeKind.MESSAGE, 7, 1), Change(3, ChangeKind.MESSAGE, 9, 1)]


def test_a_failed_event_takes_back_its_own_changes_only(store: Any) -> None:
    item = OutgoingItem(0, 1, ItemKind.RECEIPT, MessageId(IDS[0]), 0, 5.0, None, False, False)
    with store.transaction() as tx:
        number = tx.items.add(item)
        with contextlib.suppress(Undone), tx.savepoint():
            tx.items.update(number, due=1.0)
            assert tx.items.next_due() == 1.0
            raise Undone
        assert tx.items.next_due() == 5.0
        assert not tx.items.is_due(1, 4.0)
    with store.read() as tx:
        assert tx.items.get(number).due == 5.0


def test_a_step_that_only_reads_leaves_nothing(store: Any) -> None:
    with store.read() as tx:
        tx.troubles.save(HostTrouble(RelayKey(bytes(32)), 1.0))
        assert tx.troubles.count() == 1
    with store.read() as tx:
        assert tx.troubles.count() == 0


def test_the_service_clock_goes_on_and_never_back(store: Any) -> None:
    assert store.service_offset() == 0.0
    store.save_service(8.5)
    store.save_service(2.0)
    assert store.service_offset() == 8.5


@pytest.mark.parametrize("version", range(1, len(SCHEMA.steps)))
def test_a_mailbox_of_an_older_version_becomes_what_a_new_one_is_and_keeps_its_messages(
    version: int, tmp_path: Path
) -> None:
    path = tmp_path / "mailbox.db"
    old = open_database(path, replace(SCHEMA, steps=SCHEMA.steps[:version]))
    old.execute(
        """INSERT INTO messages
            (contact, message_id, mine, text, parents, minute, height, state, change, missing_parent, resent)
            VALUES (1, ?, 0, 'still here', ?, 7, 1, 3, 1, 1, 0)""",
        (bytes(16), b"\x90"),
    )
    old.close()
    store = MailboxStore(path, None)
    with store.read() as tx:
        assert [message.text for message in tx.messages.missing_parents(1)] == ["still here"]
    store.close()
    described = "SELECT type, name, sql FROM sqlite_master ORDER BY type, name"
    new = open_in_memory(SCHEMA)
    brought_up = sqlite3.connect(path)
    assert brought_up.execute(described).fetchall() == new.execute(described).fetchall()
    brought_up.close()
    new.close()


def test_what_others_wrote_or_a_rollback_undid_is_read_again(tmp_path: Path) -> None:
    store = MailboxStore(tmp_path / "mailbox.db", None)
    relay = RelayKey(bytes(32))

    def read(tx: PersonalTransaction) -> list[HostTrouble | None]:
        return [*tx.troubles.find(), tx.troubles.get(relay, SHARED)]

    with store.transaction() as tx:
        tx.troubles.save(HostTrouble(relay, 1.0))
        assert read(tx) == 2 * [HostTrouble(relay, 1.0)]
    with contextlib.suppress(Undone), store.transaction() as tx:
        tx.troubles.update(relay, SHARED, since=2.0)
        assert read(tx) == 2 * [HostTrouble(relay, 2.0)]
        raise Undone
    with store.transaction() as tx:
        assert read(tx) == 2 * [HostTrouble(relay, 1.0)]
    store.connection.execute("UPDATE troubles SET since = 3")
    with store.transaction() as tx:
        assert read(tx) == 2 * [HostTrouble(relay, 3.0)]
    store.close()


def test_a_transaction_that_remembers_asks_nothing_twice(tmp_path: Path) -> None:
    store = MailboxStore(tmp_path / "mailbox.db", None)
    item = OutgoingItem(0, 1, ItemKind.RECEIPT, MessageId(IDS[0]), 0, 5.0, None, False, False)
    with store.transaction() as tx:
        tx.items.add(item)
    asked: list[str] = []

    def ask() -> int:
        asked.clear()
        with store.transaction() as tx:
            assert tx.items.is_due(1, 5.0)
            assert not tx.items.is_due(1, 4.0)
            assert len(tx.items.find(contact=1)) == 1
        return len(asked)

    store.connection.set_trace_callback(asked.append)
    assert (ask(), ask()) == (4, 2)
    store.connection.set_trace_callback(None)
    store.close()
