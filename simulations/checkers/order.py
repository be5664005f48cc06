"""Both ends show one conversation in one order, and nothing before what its author had seen (Spec 6 §6)."""

from itertools import pairwise

from protocol.mailbox import Message
from simulations.checkers import Violation
from simulations.checkers.conversations import Side, conversations
from simulations.world import World


def check_order(world: World) -> None:
    """After everything has healed. Raises Violation."""
    for inviter, joiner in conversations(world):
        for side in (inviter, joiner):
            _check_causes(side)
            _check_own(side)
        for author, reader in ((inviter, joiner), (joiner, inviter)):
            _check_authors_order(author, reader)
        first, second = _sorted(inviter, inviters=True), _sorted(joiner, inviters=False)
        if first != second:
            at = next(place for place, (one, other) in enumerate(zip(first, second, strict=False)) if one != other)
            raise Violation("order", f"{inviter.name} and {joiner.name} differ at message {at} of {len(first)}")


def _check_own(side: Side) -> None:
    """Whatever an author writes names what it wrote before."""
    own = sorted((message for message in side.messages if message.mine), key=lambda message: message.id)
    for before, message in pairwise(own):
        if before.message_id not in _parents(message):
            raise Violation("order", f"{side.name} wrote {message.text[:40]!r} as if nothing had been before it")


def _check_causes(side: Side) -> None:
    places: dict[bytes, int | None] = {message.message_id: message.change for message in side.messages}
    heights: dict[bytes, int] = {message.message_id: message.height for message in side.messages}
    for message in side.messages:
        for parent in _parents(message):
            if heights.get(parent, 0) >= message.height:
                raise Violation("order", f"{side.name} has {message.text[:40]!r} no higher than what it answers")
            place = places.get(parent)
            late = place is None or (message.change is not None and place > message.change)
            if late and message.change is not None and not message.missing_parent:
                raise Violation("order", f"{side.name} was shown {message.text[:40]!r} before what it answers")


def _check_authors_order(author: Side, reader: Side) -> None:
    """Unless a parent was missing for too long, the reader was shown what the author wrote as it was written."""
    if any(message.missing_parent for message in reader.messages):
        return
    written = [message.message_id for message in _as_shown(author) if message.mine]
    shown = [message.message_id for message in _as_shown(reader) if not message.mine]
    if written != shown:
        raise Violation("order", f"{reader.name} was shown what {author.name} wrote in another order")


def _as_shown(side: Side) -> list[Message]:
    return sorted(side.messages, key=lambda message: message.change or 0)


def _parents(message: Message) -> list[bytes]:
    return [message.parents[at : at + 16] for at in range(0, len(message.parents), 16)]


def _sorted(side: Side, *, inviters: bool) -> list[bytes]:
    def place(message: Message) -> tuple[int, bool, bytes]:
        by_inviter = message.mine is inviters
        return message.height, not by_inviter, message.message_id

    return [message.message_id for message in sorted(side.messages, key=place)]
