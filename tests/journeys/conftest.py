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
