"""Real nodes whose links have ticks, over real sockets and in real time."""

import pytest

from tests.journeys.journey import Journey

pytestmark = pytest.mark.journey


def test_nodes_with_constant_links_exchange_texts(friends: Journey) -> None:
    friends.traffic = "constant-16"
    for name in ("alice", "bob"):
        friends.stop_politely(name)
        friends.start_node(name)
    friends.say("alice", "Meet me at nine.")
    friends.arrives("alice", "Meet me at nine.")
    friends.say("bob", "At the bridge.")
    friends.arrives("bob", "At the bridge.")


def test_a_preset_that_there_is_not_is_refused_before_anything_starts(friends: Journey) -> None:
    friends.stop_politely("alice")
    refused = friends.kassiber("alice", "up", "--traffic", "constant-8")
    assert refused.returncode != 0
    assert b"direct, batched, constant, constant-4, constant-16" in refused.stderr
