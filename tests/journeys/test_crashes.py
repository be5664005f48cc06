"""Nothing is lost, nothing is shown twice, no state is shown before it is true: whatever is killed, and when."""

import random
from pathlib import Path

import pytest

from tests.journeys.crashes import Plan, talk_through_crashes

pytestmark = pytest.mark.journey


def test_messages_survive_kills_of_everybody(tmp_path: Path) -> None:
    print(talk_through_crashes(tmp_path, Plan(random.SystemRandom().randrange(2**32), messages=80, kills=16)))


@pytest.mark.slow
def test_500_messages_each_way_survive_100_kills(tmp_path: Path) -> None:
    print(talk_through_crashes(tmp_path, Plan(random.SystemRandom().randrange(2**32), messages=500, kills=100)))
