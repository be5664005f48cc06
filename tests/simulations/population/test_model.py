"""The vectorised model against the same rules played one event after the other."""

import math

import numpy as np
import pytest

from simulations import workload
from simulations.population import community, model
from simulations.population.model import Carried
from simulations.population.scenario import Policy, Scenario
from simulations.statistics import Interval, student_interval
from tests.simulations.population.reference import Outcome, Reference

USERS = 60
RUNS = 10


def run_both(policy: Policy, seed: int, gap: float | None = None) -> tuple[Carried, Outcome]:
    """The same texts in the model, without keep-alives, and in the reference."""
    scenario = Scenario(policy, USERS, contacts=6, receipt_gap_seconds=gap)
    rng = np.random.default_rng(seed)
    contacts = community.people(scenario, USERS, rng)
    directions = community.place(contacts, scenario.relays, rng)
    texts = community.write(scenario, contacts, USERS, rng)
    silent = scenario._replace(keep_alive_seconds=1e9)
    carried = model.carry_community(silent, texts, directions, USERS, rng)
    return carried, Reference(scenario, texts, directions, seed).run()


def compare(policy: Policy, gap: float | None = None) -> dict[str, tuple[Interval, Interval]]:
    """Student intervals over seeds of each figure: the model's and the reference's."""
    ours: dict[str, list[float]] = {}
    theirs: dict[str, list[float]] = {}
    for seed in range(RUNS):
        carried, outcome = run_both(policy, seed, gap)
        traffic, texts = carried.traffic, carried.traffic.texts
        figures = {
            "frames up": (traffic.up.frames.sum(), outcome.frames_up),
            "frames down": (traffic.down.frames.sum(), outcome.frames_down),
            "slots up": (traffic.up.slots.sum(), outcome.slots_up),
            "slots down": (traffic.down.slots.sum(), outcome.slots_down),
            "receipts alone": (traffic.receipt_envelopes, outcome.receipts_alone),
        }
        for name, (one, other) in figures.items():
            ours.setdefault(name, []).append(float(one) / texts)
            theirs.setdefault(name, []).append(float(other) / texts)
        for share in (50, 99):
            ours.setdefault(f"delay p{share}", []).append(float(np.percentile(traffic.delays, share)))
            theirs.setdefault(f"delay p{share}", []).append(float(np.percentile(outcome.delays, share)))
    return {name: (student_interval(ours[name]), student_interval(theirs[name])) for name in ours}


@pytest.mark.parametrize("policy", [Policy.DIRECT, Policy.BATCHED])
def test_the_model_and_the_reference_agree_within_their_intervals(policy: Policy) -> None:
    apart = {name: pair for name, pair in compare(policy).items() if not pair[0].overlaps(pair[1])}
    assert apart == {}


@pytest.mark.parametrize("gap", [None, 200.0])
def test_queues_of_the_constant_policy_wait_as_long_in_both(gap: float | None) -> None:
    found = compare(Policy.CONSTANT, gap)
    apart = {name: found[name] for name in ("receipts alone", "delay p50", "delay p99")
             if not found[name][0].overlaps(found[name][1])}  # fmt: skip
    assert apart == {}


def test_direct_delivers_after_two_latencies_and_four_frames_an_envelope() -> None:
    carried, outcome = run_both(Policy.DIRECT, 1)
    traffic = carried.traffic
    assert traffic.delays == pytest.approx(0.1)
    letters = traffic.texts + traffic.receipt_envelopes
    assert traffic.up.frames.sum() == 2 * letters
    assert traffic.down.frames.sum() == 2 * letters
    assert 0.5 * traffic.texts < traffic.receipt_envelopes < 0.8 * traffic.texts
    assert outcome.frames_up == outcome.frames_down == 2 * (traffic.texts + outcome.receipts_alone)


def test_a_constant_link_sends_the_same_whether_anybody_writes_or_not() -> None:
    busy = model.simulate(Scenario(Policy.CONSTANT, 200, community=200), 1)
    idle = model.simulate(
        Scenario(Policy.CONSTANT, 200, community=200, rhythm=workload.Rhythm(texts_per_user_day=0.5)), 1
    )
    expected = 0.077 * 86_400
    for traffic in (busy, idle):
        assert traffic.up.frames.mean() == pytest.approx(expected, rel=0.005)
        assert traffic.down.frames.mean() == pytest.approx(expected, rel=0.005)
        assert traffic.up.slots.tolist() == traffic.up.frames.tolist()


def test_an_idle_link_costs_its_keep_alives() -> None:
    rhythm = workload.Rhythm(texts_per_user_day=0.02)
    traffic = model.simulate(Scenario(Policy.DIRECT, 500, community=500, rhythm=rhythm), 1)
    assert traffic.up.keep_alives.mean() == pytest.approx(86_400 / 300 - 0.5, rel=0.01)
    assert (traffic.up.payload_bytes.mean() + traffic.down.payload_bytes.mean()) / 1e6 == pytest.approx(2.36, rel=0.02)


def test_one_seed_gives_one_result_and_communities_add_up() -> None:
    scenario = Scenario(Policy.BATCHED, 250, community=100)
    first, again, other = (model.simulate(scenario, seed) for seed in (1, 1, 2))
    assert first.users == 250
    assert len(first.up.frames) == 500
    assert first.up.frames.tolist() == again.up.frames.tolist()
    assert first.texts != other.texts


def test_a_workload_made_elsewhere_is_carried_text_by_text() -> None:
    rng = np.random.default_rng(1)
    contacts = workload.contact_graph(USERS, 6, rng)
    texts = workload.bursty(contacts, USERS, rng)
    letters, _ = community.from_workload(contacts, USERS, texts)
    assert sorted(letters.time.tolist()) == texts.time.tolist()
    directions = community.place(contacts, 2, rng)
    order = np.argsort(letters.time, kind="stable")
    assert (directions.sender_link[letters.direction[order]] // 2).tolist() == texts.sender.tolist()
    assert (directions.recipient_link[letters.direction[order]] // 2).tolist() == texts.recipient.tolist()


def test_the_two_directions_of_a_pair_lie_on_two_relays() -> None:
    rng = np.random.default_rng(1)
    directions = community.place(workload.contact_graph(USERS, 6, rng), 3, rng)
    relay = directions.sender_link % 3
    assert (relay == directions.recipient_link % 3).all()
    assert (relay[0::2] != relay[1::2]).all()


def test_a_summary_is_of_one_link_and_one_day() -> None:
    scenario = Scenario(Policy.DIRECT, 300, days=2.0, community=300)
    summary = model.summarise(model.simulate(scenario, 1), scenario.days)
    assert summary.delay_p50 == pytest.approx(0.1)
    assert math.isclose(summary.frames_up - summary.keep_alives_up, 40 * summary.envelopes_per_text, rel_tol=0.1)
