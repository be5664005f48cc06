"""Files as a disk may hand them back: opened by the store that they belong to, and used."""

import shutil
from pathlib import Path
from typing import Any

from node.store.mailbox import MailboxStore
from node.store.relay import RelayStore
from protocol.errors import CallerError, StoreError
from simulations.disk.fault import Setting
from simulations.disk.platter import Operation, Write
from simulations.disk.promises import damage
from simulations.disk.recording import picture
from simulations.disk.world import PEOPLE, RELAY, Habits, World, hold_room


def look(setting: Setting, habits: Habits, victim: str, contents: dict[str, bytes]) -> tuple[bytes | None, str]:
    """The picture of a store whose files hold this; None and why where it does not open or is damaged."""
    directory = setting.directory / "found"
    directory.mkdir()
    try:
        return _look(directory / f"{victim}.db", habits, contents)
    finally:
        shutil.rmtree(directory)


def _look(path: Path, habits: Habits, contents: dict[str, bytes]) -> tuple[bytes | None, str]:
    for name, content in contents.items():
        if name.startswith(path.name):
            path.with_name(name).write_bytes(content)
    store: Any
    try:
        if path.name.startswith(RELAY):
            hold_room(path)
            store = RelayStore(path, habits.key)
        else:
            store = MailboxStore(path, habits.key)
    except (StoreError, CallerError) as error:
        return None, f"it does not open: {error}"
    connection = store.read().connection
    try:
        found = damage(connection)
        return (None, f"it is damaged: {found}") if found else (picture(connection), "")
    finally:
        connection.close()


def blank(setting: Setting, habits: Habits, victim: str) -> bytes:
    """The picture of a new store."""
    found, words = look(setting, habits, victim, {})
    assert found is not None, words
    return found


def use(setting: Setting, habits: Habits, contents: dict[str, bytes], now: float) -> str:
    """How a world fares whose files hold this: empty where it lives or says what is wrong, else what came instead."""
    directory = setting.directory / "used"
    directory.mkdir()
    for name, content in contents.items():
        (directory / name).write_bytes(content)
    world = World(directory, setting.seed, habits, lambda _: None, 1, now)
    try:
        world.start()
        for name in PEOPLE:
            world.say(name, "is anybody there?")
        world.run(5)
    except (StoreError, CallerError):
        return ""
    except Exception as error:  # noqa: BLE001 - what must not come is what is looked for
        return f"{type(error).__name__}: {error}"
    finally:
        world.abandon()
        shutil.rmtree(directory)
    return ""


def is_folded(operations: list[Operation], victim: str) -> bool:
    """Whether pages went to the file since its log was last begun."""
    for operation in reversed(operations):
        if isinstance(operation, Write) and operation.path.endswith(f"{victim}.db"):
            return True
        if isinstance(operation, Write) and operation.path.endswith(f"{victim}.db-wal") and operation.offset == 0:
            return False
    return False
