"""Whether what people were shown is true: against each other, and against what lies on the disks."""

from pathlib import Path
from typing import Any

from protocol.mailbox import MessageState
from tests.journeys.follower import Follower
from tests.journeys.mailbox import Mailbox, relay_digests

ORDER = {"queued": 0, "relayed": 1, "delivered": 2}


def check_states(place: Path, name: str, other: str) -> None:
    """At any moment: *relayed* only where a relay stored it, *delivered* only where the other's mailbox holds it.

    What claims is read before what must bear it out, so that it does not matter who is running meanwhile.
    """
    mailbox = Mailbox(place / name)
    states, custody, unstored = mailbox.states(), mailbox.in_custody(), mailbox.relayed_but_unstored()
    stored = set().union(*(relay_digests(place / relay) for relay in ("relay-1", "relay-2")))
    held = Mailbox(place / other).received()
    delivered = {message_id for message_id, state in states.items() if state is MessageState.DELIVERED}
    assert delivered <= held, f"{name} was told of deliveries that did not happen: {delivered - held}"
    assert custody <= stored, f"{name} believes in custody that no relay took"
    assert not unstored, f"{name} shows messages as relayed of which a part is at no relay: {unstored}"


def check_end(mine: list[dict[str, Any]], theirs: list[dict[str, Any]], follower: Follower, texts: list[str]) -> None:
    """One side, once all is quiet: `mine` and `theirs` are the two inboxes, `follower` what was shown live."""
    rows = [row for row in mine if row["mine"]]
    assert [row["text"] for row in rows] == texts, "own texts: each once, in the order in which they were said"
    assert {row["state"] for row in rows} == {"delivered"}
    identical = ("change", "message_id", "text", "mine")
    assert [[row[name] for name in identical] for row in follower.shown] == [
        [row[name] for name in identical] for row in mine
    ], "what was shown live is what the inbox shows, under the same change numbers"
    assert sorted(row["message_id"] for row in mine) == sorted(row["message_id"] for row in theirs)
    assert len({row["message_id"] for row in mine}) == len(mine)
    assert {row["message_id"]: row["text"] for row in mine} == {row["message_id"]: row["text"] for row in theirs}
    assert not any(row["missing_parent"] for row in mine)
    check_order(mine, theirs)
    for row in rows:
        told = [ORDER[state] for state in follower.states[row["message_id"]]]
        assert told == sorted(set(told)), f"the states of a message went back or came twice: {told}"
        assert told[-1] == ORDER["delivered"]


def check_order(mine: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    """What this side had been shown or had said before it said something, the other side is shown before it too."""
    place = {row["message_id"]: position for position, row in enumerate(theirs)}
    latest = -1
    for row in mine:
        position = place[row["message_id"]]
        if row["mine"]:
            assert position > latest, f"{row['text']!r} was shown before something that it came after"
        latest = max(latest, position)
