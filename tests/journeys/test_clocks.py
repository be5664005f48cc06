"""A clock that jumps a year, either way: nothing expires early, nothing is lost, the conversation goes on."""

import signal
from pathlib import Path

import pytest

from tests.journeys.journey import Journey

pytestmark = pytest.mark.journey

YEAR_SECONDS = 365 * 86_400
ALL = ("relay-1", "relay-2", "alice", "bob")


class Clocks:
    """How wrong each process' clock is."""

    def __init__(self, journey: Journey) -> None:
        self._paths: dict[str, Path] = {}
        for name in (*ALL, "carol"):
            self._paths[name] = journey.place / f"{name}.clock"
            journey.launch(name, "--clock", str(self._paths[name]))
            self.jump(name, 0)

    def jump(self, name: str, seconds: float) -> None:
        """At once, also in a running process."""
        draft = self._paths[name].with_suffix(".draft")
        draft.write_text(str(seconds), encoding="ascii")
        draft.replace(self._paths[name])


@pytest.fixture
def clocks(journey: Journey) -> Clocks:
    """Two relays, Alice and Bob, contacts, and power over their time."""
    clocks = Clocks(journey)
    journey.set_up()
    journey.befriend("alice", "bob")
    return clocks


def test_a_conversation_goes_on_whoevers_clock_jumps(journey: Journey, clocks: Clocks) -> None:
    said = []
    for whose in (["alice"], ["bob"], ["relay-1", "relay-2"], list(ALL)):
        for years in (1, -1):
            for name in whose:
                clocks.jump(name, years * YEAR_SECONDS)
            lines = [(name, f"{name} when {' and '.join(whose)} jumped {years}") for name in ("alice", "bob")]
            journey.talk(*lines)
            said += [text for _, text in lines]
        for name in whose:
            clocks.jump(name, 0)
    for one in ("alice", "bob"):
        assert journey.texts(one) == said


@pytest.mark.parametrize("years", [1, -1])
def test_what_relays_hold_outlives_a_year_that_was_none(journey: Journey, clocks: Clocks, years: int) -> None:
    """Texts, and an invitation; through a jump while all run, and through restarts with wrong clocks."""
    journey.stop_politely("bob")
    link = journey.invite("alice")
    for text in ("one", "two"):
        journey.say("alice", text)
        journey.arrives("alice", text, "relayed")
    for name in ALL:
        clocks.jump(name, years * YEAR_SECONDS)
    journey.say("alice", "three")
    journey.arrives("alice", "three", "relayed")
    for name in ("relay-1", "relay-2"):
        journey.stop(name, signal.SIGKILL)
        journey.start_relay(name)
    journey.stop_politely("alice")
    journey.start_node("alice")
    journey.start_node("bob")
    journey.arrives("alice", "three")
    assert journey.texts("bob") == ["one", "two", "three"]
    journey.make_person("carol")
    journey.start_node("carol")
    journey.accept("carol", link, "alice")
