"""`python -m simulations.population`: what each policy costs and hides; `--speed`: how fast that is found."""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np

from protocol.wire.commands import Preset
from simulations.adversaries import mixnet, timing
from simulations.anchors.mixes import travel
from simulations.population import attacks, community, model
from simulations.population.attacks import ReceiptFigures
from simulations.population.observing import Watched, watch
from simulations.population.scenario import Policy, Scenario, scenario_of
from simulations.statistics import LEAST_RUNS, student_interval

WATCHED_USERS = 120
RECEIPT_SPAN_SECONDS = 60.0
"""In which an answer is looked for: people answer within it, and a longer one finds less."""


def main(arguments: Sequence[str]) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m simulations.population", description=__doc__)
    parser.add_argument("--users", type=int, default=20_000, help="for costs; default 20,000")
    parser.add_argument("--runs", type=int, default=LEAST_RUNS, help="seeds for what is hidden; at least 10")
    parser.add_argument("--policy", choices=[policy.value for policy in Policy], help="this one alone")
    parser.add_argument("--speed", action="store_true", help="a million users for a day, and the mixnet")
    chosen = parser.parse_args(arguments)
    policies = [policy for policy in Policy if chosen.policy in {None, policy.value}]
    lines = _speed(policies) if chosen.speed else _report(policies, chosen.users, max(LEAST_RUNS, chosen.runs))
    for line in lines:
        print(line, flush=True)
    return 0


def _speed(policies: Sequence[Policy]) -> Iterator[str]:
    """Seconds of CPU of one core."""
    model.simulate(Scenario(Policy.DIRECT, 4_000), 1)  # tables are made once
    for policy in policies:
        began = time.process_time()
        traffic = model.simulate(Scenario(policy, 1_000_000), 1)
        seconds = time.process_time() - began
        yield f"{policy.value}: 1,000,000 users, 1 day, {traffic.texts:,} texts: {seconds:.1f} s of CPU"
    rng = np.random.default_rng(1)
    entered = np.sort(rng.random(100_000)) * 20.0
    routes, came, left = travel(entered, 3, 10, 0.27, rng)
    targets = rng.choice(np.flatnonzero((entered > 6.0) & (entered < 9.0)), 32, replace=False)
    began = time.process_time()
    mixnet.measure(mixnet.follow(targets, routes, came, left), targets)
    seconds = time.process_time() - began
    yield f"Poisson mixnet of 3 layers, exact posterior of 32 targets: {len(entered) / seconds:,.0f} messages a second"


def _report(policies: Sequence[Policy], users: int, runs: int) -> Iterator[str]:
    for policy in policies:
        scenario = scenario_of(Preset[policy.name], users)
        yield f"\n{policy.value} ({users:,} users, one day; of one link a day, both ways; synthetic texts)"
        for name, value in model.summarise(model.simulate(scenario, 1), scenario.days)._asdict().items():
            yield f"  {name.replace('_', ' ')}: {value:,.2f}"
        yield f"  what is seen ({WATCHED_USERS} people, {runs} seeds, mean ± 95 %):"
        yield from _hidden(scenario._replace(users=WATCHED_USERS), runs)


def _hidden(scenario: Scenario, runs: int) -> Iterator[str]:
    figures: dict[str, list[float]] = {}
    for seed in range(runs):
        rng = np.random.default_rng([seed, 1])
        for name, value in _figures(watch(scenario, seed), scenario, rng).items():
            figures.setdefault(name, []).append(value)
    for name, values in figures.items():
        interval = student_interval(values)
        yield f"    {name}: {interval.mean:.3f} ± {interval.half_width:.3f}"


def _figures(watched: Watched, scenario: Scenario, rng: np.random.Generator) -> dict[str, float]:
    figures: dict[str, float] = {}
    for seconds in timing.WINDOWS_SECONDS:
        found = attacks.correlate(watched, scenario, seconds, rng)
        figures[f"timing after {seconds / 60:.0f} min: AUC"] = found.auc
        figures[f"timing after {seconds / 60:.0f} min: TPR at FPR 0.001"] = found.true_positive_rate
    span = RECEIPT_SPAN_SECONDS
    both: dict[str, ReceiptFigures] = {
        "receipts, colluding relays: correspondents found": attacks.join_queues(watched, span, rng),
        "receipts, global observer: correspondents found": attacks.find_hosts(watched, span, rng),
    }
    figures.update({name: figure.found for name, figure in both.items()})
    stands = attacks.stand(watched, community.span_seconds(scenario), rng)
    figures["trilemma: share of certain exclusions"] = stands.measured
    figures["trilemma: floor of δ"] = stands.floor
    return figures


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
