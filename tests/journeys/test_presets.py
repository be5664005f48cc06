"""Real nodes whose links have ticks, over real sockets and in real time."""

import pytest

from protocol.traffic.policies import RECEIPT_GAP_SECONDS
from protocol.wire.commands import Preset
from tests.journeys.journey import Journey, free_port

pytestmark = pytest.mark.journey

RECEIPT_SECONDS = 20 * RECEIPT_GAP_SECONDS[Preset.CONSTANT_16]
"""A tick, drawn with that mean and not scaled, is as late as this once in 500 million times."""


def test_nodes_with_constant_links_exchange_texts(friends: Journey) -> None:
    friends.traffic = "constant-16"
    for name in ("alice", "bob"):
        friends.stop_politely(name)
        friends.start_node(name)
    for name, text in (("alice", "Meet me at nine."), ("bob", "At the bridge.")):
        friends.say(name, text)
        friends.arrives(name, text, seconds=RECEIPT_SECONDS)


def test_what_a_node_with_constant_links_sends_to_itself_comes_back(journey: Journey) -> None:
    for relay in ("relay-1", "relay-2"):
        journey.start_relay(relay, "--forward", "any")
    journey.make_person("alice", *(journey.addresses[relay] for relay in ("relay-1", "relay-2")))
    journey.traffic = "constant-16"
    journey.start_node("alice")

    def returned() -> list[int]:
        return [relay["loops_returned"] for relay in journey.ask("alice", "GET", "/v1/relays")["relays"]]

    journey.until(lambda: min(returned()) >= 2, "loops do not come back", 120.0)
    assert b" of " in journey.done("alice", "relays")


def test_a_preset_that_there_is_not_is_refused_before_anything_starts(friends: Journey) -> None:
    friends.stop_politely("alice")
    refused = friends.kassiber("alice", "up", "--traffic", "constant-8")
    assert refused.returncode != 0
    assert b"direct, batched, constant, constant-4, constant-16" in refused.stderr


def test_a_running_node_tells_what_it_sent_real_and_cover(friends: Journey) -> None:
    before = friends.ask("alice", "GET", "/v1/traffic")["sent"]
    assert before["real_frames"] > 0
    friends.talk(("alice", "One."), ("bob", "Two."))
    after = friends.ask("alice", "GET", "/v1/traffic")["sent"]
    assert after["real_frames"] > before["real_frames"]
    assert after["real_bytes"] == 4_096 * after["real_frames"]
    friends.traffic = "constant-16"
    friends.stop_politely("alice")
    friends.start_node("alice")
    friends.until(
        lambda: friends.ask("alice", "GET", "/v1/traffic")["sent"]["cover_frames"] >= 3, "constant links send no cover"
    )
    shown = friends.done("alice", "privacy").decode()
    assert "constant-16 *" in shown
    assert "of cover" in shown


def test_what_goes_to_the_relay_in_the_same_process_is_not_counted(journey: Journey) -> None:
    """A node that listens and has no other relay keeps its invitation on its own: nothing leaves the machine."""
    assert journey.make_profile("alice", ()).wait(20) == 0, journey.told()
    journey.start_node("alice", "--listen", f"127.0.0.34:{free_port('127.0.0.34')}")
    journey.invite("alice")
    sent = journey.ask("alice", "GET", "/v1/traffic")["sent"]
    assert (sent["real_frames"], sent["cover_frames"]) == (0, 0)
