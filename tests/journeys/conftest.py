"""A journey, with and without people in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.cli.stage import opened
from tests.journeys.journey import Journey


@pytest.fixture
def journey(tmp_path: Path) -> Iterator[Journey]:
    """Nobody there yet."""
    with opened(Journey(tmp_path)) as empty:
        yield empty


@pytest.fixture
def friends(journey: Journey) -> Journey:
    """Two relays, and Alice and Bob, who are contacts; their nodes run."""
    journey.set_up()
    journey.befriend("alice", "bob")
    return journey


@pytest.fixture(scope="module")
def old_friends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    """The same, once for all tests of a module; each leaves them as it found them, but for what was said."""
    with opened(Journey(tmp_path_factory.mktemp("friends"))) as journey:
        journey.set_up()
        journey.befriend("alice", "bob")
        yield journey
