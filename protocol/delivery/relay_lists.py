"""The lists of relays that this node follows, and its own relays out of them (Spec 11 §2 to §4)."""

from protocol.delivery import contacts
from protocol.delivery.hosts import Hosts
from protocol.delivery.operators import current_lists
from protocol.delivery.own import own_profile, own_relays
from protocol.errors import CallerError, PeerError
from protocol.keys import PublisherKey, RelayKey
from protocol.limits import MAX_FOLLOWED_LISTS
from protocol.operations import ChosenRelay, Configure, FollowList, ListTaken
from protocol.relays.kept import FollowedList
from protocol.relays.links import format_publisher
from protocol.relays.refusals import refusal
from protocol.relays.relay_list import HeldList, RelayList, parse_list, read_list
from protocol.relays.selection import choose, merge
from protocol.step import Step

WANTED_RELAYS = 2
"""What a node without relays takes: two, so that either may die."""
MOST_CHOSEN = 8


def follow(step: Step, hosts: Hosts, operation: FollowList) -> ListTaken:
    """Keep a list that is its publisher's, holds now, and is not older than what is kept of the same publisher.

    Raises CallerError that says what is wrong with it, by whom, and the way out; nothing is changed then.
    """
    profile = own_profile(step)
    publisher = _publisher(step, operation)
    kept = _of(step, publisher)
    held = HeldList(kept.serial, kept.digest) if kept is not None else None
    try:
        value, found = read_list(step.suite, operation.encoded, publisher, held, step.now.minute)
    except PeerError as error:
        raise refusal(error, "This list", format_publisher(publisher)) from None
    host, relay = operation.offered_by or ((kept.host, kept.relay) if kept is not None else (None, None))
    number = kept.id if kept is not None else _new_number(step, publisher)
    row = FollowedList(number, publisher, found.serial, found.digest, operation.encoded, host, relay)
    step.tx.relay_lists.save(row)
    if kept is not None:
        _follow_hosts(step, hosts, parse_list(kept.encoded), value)
    chosen: tuple[ChosenRelay, ...] = ()
    too_few = None
    if not any(not own.direct for own in own_relays(profile)):
        try:
            chosen = choose_relays(step, hosts, WANTED_RELAYS)
        except CallerError as error:
            too_few = str(error)
    return ListTaken(number, value.publisher, kept is None, chosen, too_few)


def unfollow(step: Step, number: int) -> None:
    """Raises CallerError: there is no such list."""
    if step.tx.relay_lists.get(number) is None:
        raise CallerError(f"There is no list number {number}. See: kassiber relays lists")
    step.tx.relay_lists.remove(number)


def choose_relays(step: Step, hosts: Hosts, count: int) -> tuple[ChosenRelay, ...]:
    """Add relays until this node has `count` of its own, of as many operators as far as lists name them.

    Raises CallerError: it has so many, or the lists have too few; nothing is changed then.
    """
    own = own_relays(own_profile(step))
    used = [RelayKey(relay.relay) for relay in own if not relay.direct]
    if not len(used) < count <= MOST_CHOSEN:
        raise CallerError(
            f"This node has {len(used)} relays; {count} were wanted, of at most {MOST_CHOSEN}. "
            "See: kassiber relays. One that is to go: kassiber relays remove ADDRESS"
        )
    taken = choose(step.entropy, merge(current_lists(step)), count - len(used), used)
    relays = [*((relay.host, RelayKey(relay.relay)) for relay in own if not relay.direct)]
    relays += [(relay.host, relay.key) for relay in taken]
    direct = next(((relay.host, RelayKey(relay.relay)) for relay in own if relay.direct), None)
    contacts.configure(step, hosts, Configure(tuple(relays), direct))
    return tuple(ChosenRelay(relay.host, relay.key, tuple(sorted(relay.operators))) for relay in taken)


def _follow_hosts(step: Step, hosts: Hosts, before: RelayList, after: RelayList) -> None:
    """Own relays that are where their list said, and are elsewhere by the next one, are elsewhere now."""
    old = {relay.key: relay.host for relay in before.relays}
    new = {relay.key: relay.host for relay in after.relays}
    own = own_relays(own_profile(step))
    relays = tuple(
        (new.get(relay.relay, relay.host) if old.get(relay.relay) == relay.host else relay.host, relay.relay)
        for relay in own
        if not relay.direct
    )
    direct = next(((relay.host, relay.relay) for relay in own if relay.direct), None)
    contacts.configure(step, hosts, Configure(relays, direct))


def _publisher(step: Step, operation: FollowList) -> PublisherKey:
    """Whose the list must be. Raises CallerError: it is none."""
    if operation.publisher is not None:
        return operation.publisher
    if operation.offered_by is not None:
        for row in step.tx.relay_lists.find(relay=operation.offered_by[1]):
            return row.publisher
    try:
        return parse_list(operation.encoded).publisher
    except PeerError as error:
        raise refusal(error, "This", "its publisher") from None


def _of(step: Step, publisher: PublisherKey) -> FollowedList | None:
    found = step.tx.relay_lists.find(publisher=publisher)
    return found[0] if found else None


def _new_number(step: Step, publisher: PublisherKey) -> int:
    if step.tx.relay_lists.count() >= MAX_FOLLOWED_LISTS:
        raise CallerError(
            f"This node follows {MAX_FOLLOWED_LISTS} lists, which is the most. Forget one first: "
            "kassiber relays unfollow NUMBER"
        )
    return step.tx.relay_lists.add(FollowedList(0, publisher, 0, b"", b"", None, None))
