"""Who runs which relay, as far as the lists say that this node follows (Spec 11 §3)."""

from functools import lru_cache

from protocol.keys import RelayKey
from protocol.relays.relay_list import RelayList, parse_list
from protocol.relays.selection import KnownRelay, merge
from protocol.step import Step


def current_lists(step: Step) -> list[RelayList]:
    """Those that hold now, each as it was read when it came."""
    lists = [parse_list(row.encoded) for row in step.tx.relay_lists.find()]
    return [value for value in lists if step.now.minute < value.expires]


def of_one_operator(step: Step, relay: RelayKey) -> frozenset[RelayKey]:
    """All relays of whoever runs this one, itself too; lists that are over are still believed in this."""
    known = _known(tuple(row.encoded for row in step.tx.relay_lists.find()))
    names = next((one.operators for one in known if one.key == relay), frozenset[str]())
    return frozenset({relay, *(one.key for one in known if one.operators & names)})


@lru_cache(maxsize=2)
def _known(lists: tuple[bytes, ...]) -> tuple[KnownRelay, ...]:
    """Asked for every contact in turn when relays change."""
    return tuple(merge([parse_list(encoded) for encoded in lists]))
