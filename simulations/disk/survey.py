"""Looks at what a fault left: the files as they are opened, then whether life goes on from them."""

from pathlib import Path

from protocol.errors import CallerError, StoreError
from protocol.mailbox import MessageState
from simulations.disk.promises import Broken, Damaged, Fact, Promises, check_mailbox, check_relay
from simulations.disk.world import PEOPLE, RELAY, Habits, World

LONG_SECONDS = 300.0
"""In which everything that waits for a time has its turn."""


def survey(directory: Path, seed: int, habits: Habits, facts: list[Fact], run: int, now: float) -> int:
    """Open what is in `directory`, compare it with the facts, and talk on. How many facts were compared.

    Raises Broken.
    """
    promises = Promises(facts)
    world = World(directory, seed, habits, promises.note, run, now)
    try:
        world.start()
        checked = compare(world, promises)
        go_on(world, promises, f"after {run}")
        return checked + compare(world, promises)
    except (StoreError, CallerError) as error:
        raise Damaged(str(error)) from error
    finally:
        world.abandon()


def compare(world: World, promises: Promises) -> int:
    """All three files with all facts. How many were compared. Raises Broken."""
    checked = check_relay(promises, world.participants[RELAY].store)
    texts: dict[str, set[str]] = {}
    for name in PEOPLE:
        compared, texts[name] = check_mailbox(promises, name, world.participants[name].store)
        checked += compared
    for name, peer in (PEOPLE, PEOPLE[::-1]):
        promises.check_delivered(name, texts[peer])
    return checked


def go_on(world: World, promises: Promises, label: str) -> None:
    """Let everything come to rest; then both write to each other as if nothing had been. Raises Broken."""
    world.run(60)
    met = [_contacts(world, name) == 1 for name in PEOPLE]
    if not all(met):
        if promises.acquainted:
            raise Broken("somebody accepted the invitation, and they never come together")
        return
    requests = [world.say(name, f"{label} {number} from {name}") for number in range(2) for name in PEOPLE]
    world.run(LONG_SECONDS)
    refused = [answer for request in requests if isinstance(answer := world.answers.get(request), Exception)]
    if refused:
        raise Broken(f"a text was not taken: {refused[0]}")
    check_settled(world)


def check_settled(world: World) -> None:
    """Both ends have the same texts, and each text is delivered. Raises Broken."""
    texts: dict[str, set[str]] = {}
    for name in PEOPLE:
        with world.participants[name].store.read() as tx:
            rows = tx.messages.find()
        texts[name] = {row.text for row in rows}
        waiting = [row.text[:20] for row in rows if row.mine and row.state is not MessageState.DELIVERED]
        if waiting:
            raise Broken(f"{len(waiting)} texts of {name} are never delivered, {waiting[0]!r} first")
    for name, peer in (PEOPLE, PEOPLE[::-1]):
        lacking = sorted(texts[name] - texts[peer])
        if lacking:
            raise Broken(f"{peer} never gets {len(lacking)} texts that {name} has, {lacking[0][:20]!r} first")


def _contacts(world: World, name: str) -> int:
    with world.participants[name].store.read() as tx:
        count: int = tx.contacts.count()
    return count
