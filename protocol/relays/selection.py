"""Which relays a node may use, and which of them it does (Spec 11 §3 and §4)."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from protocol.entropy import Entropy
from protocol.errors import CallerError
from protocol.keys import RelayKey
from protocol.relays.relay_list import RelayList


class KnownRelay(Struct, frozen=True):
    """A relay that some list names. `operators`: all names of whoever runs it, as far as lists tie them together."""

    host: str
    key: RelayKey
    operators: frozenset[str]


def merge(lists: Sequence[RelayList]) -> list[KnownRelay]:
    """All relays of all lists, each once, in the order of their keys; the order of the lists means nothing.

    Where lists differ about a host, the one issued last is right; about an operator, all are: relays are one
    operator's if a chain of lists says so. So a list can make relays look less different, never more.
    """
    hosts: dict[RelayKey, str] = {}
    named: dict[RelayKey, set[str]] = {}
    for one in sorted(lists, key=lambda value: (value.issued, value.publisher, value.serial)):
        for relay in one.relays:
            hosts[relay.key] = relay.host
            named.setdefault(relay.key, set()).add(relay.operator)
    groups = _joined(named.values())
    return [KnownRelay(hosts[key], key, groups[min(named[key])]) for key in sorted(hosts)]


def choose(
    entropy: Entropy, relays: Sequence[KnownRelay], count: int, in_use: Iterable[RelayKey] = ()
) -> list[KnownRelay]:
    """`count` relays of as many operators, none of them an operator of a relay `in_use`; in random order.

    Each operator is as likely as any other, however many relays it has. Raises CallerError where there are too few.
    """
    used = set(in_use)
    taken = frozenset[str]().union(*(relay.operators for relay in relays if relay.key in used))
    free: dict[str, list[KnownRelay]] = {}
    for relay in relays:
        if relay.key not in used and not relay.operators & taken:
            free.setdefault(min(relay.operators), []).append(relay)
    if len(free) < count:
        raise CallerError(
            f"{count} relays of different operators are wanted, and your lists have {len(free)} more: "
            "add a list, or name relays yourself with 'kassiber relays add ADDRESS'."
        )
    chosen: list[KnownRelay] = []
    for _ in range(count):
        operator = sorted(free)[int(entropy.uniform() * len(free))]
        of_operator = free.pop(operator)
        chosen.append(of_operator[int(entropy.uniform() * len(of_operator))])
    return chosen


def _joined(sets: Iterable[set[str]]) -> dict[str, frozenset[str]]:
    """For each name, all names that a chain of sets ties to it."""
    groups: dict[str, set[str]] = {}
    for names in sets:
        whole = set(names).union(*(groups[name] for name in names if name in groups))
        for name in whole:
            groups[name] = whole
    return {name: frozenset(group) for name, group in groups.items()}
