"""Reading a mailbox costs what is shown, not what there is."""

import os
from pathlib import Path

from node.store.mailbox import MailboxStore
from node.store.reader import MailboxReader
from protocol.mailbox import MessageState

MESSAGES = 5_000
KEY = bytes(32)
CONTACT = 7


def conversation(path: Path) -> None:
    """One contact's messages, two of each height, as two people who write at once leave them."""
    store = MailboxStore(path, KEY)
    with store.transaction() as tx:
        tx.connection.execute("INSERT INTO contacts VALUES (?,'x',1,x'',2,1,0,x'',x'',0,0,0,0,0,0,0,x'')", (CONTACT,))
        tx.connection.executemany(
            "INSERT INTO messages VALUES (?, ?, ?, ?, ?, x'', 0, ?, ?, ?, NULL, 0, 0)",
            (
                (
                    number,
                    CONTACT,
                    os.urandom(16),
                    number % 2,
                    f"text {number}",
                    number // 2,
                    MessageState.RECEIVED,
                    number,
                )
                for number in range(1, MESSAGES + 1)
            ),
        )
    store.close()


def test_the_end_of_a_long_conversation_is_read_without_its_beginning(tmp_path: Path) -> None:
    conversation(tmp_path / "mailbox.db")
    reader = MailboxReader(tmp_path / "mailbox.db", KEY)
    thousands = []
    reader._connection.set_progress_handler(lambda: thousands.append(1), 1_000)
    rows = reader.latest(CONTACT, 50)
    assert len(thousands) < 10, "SQLite went through more than is shown"
    shown = sorted(range(1, MESSAGES + 1), key=_place)
    assert [row.text for row in rows] == [f"text {number}" for number in shown[-50:]]
    reader.close()


def _place(number: int) -> tuple[int, bool]:
    """By height; of two of one height the inviter's first, and this node's person is the inviter."""
    return number // 2, number % 2 == 0
