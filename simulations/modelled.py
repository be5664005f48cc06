"""A study carried out by the vectorised model of traffic: the same people and texts as the machines get."""

import numpy as np

from simulations.host import STEP_SECONDS
from simulations.measures import Seen
from simulations.observation import join
from simulations.population import community
from simulations.population.model import carry_community
from simulations.population.observing import Truth, Watched, deposits, observe
from simulations.population.scenario import scenario_of
from simulations.steady import draw_workload
from simulations.study import Study
from simulations.workload import DAY_SECONDS
from simulations.world import JITTER


def carry_out(study: Study, seed: int) -> Seen:
    """One run: everybody as one community."""
    contacts, texts = draw_workload(study, seed)
    people, relays = study.topology.people, study.topology.relays
    days = study.workload.hours * 3_600.0 / DAY_SECONDS
    scenario = scenario_of(study.policy.preset, people)._replace(
        days=days, contacts=study.topology.contacts, relays=relays, community=people,
        latency_seconds=study.topology.latency_seconds, jitter=JITTER, step_seconds=STEP_SECONDS,
        receipt_mean_seconds=study.policy.receipt_seconds,
    )  # fmt: skip
    rng = np.random.default_rng((seed, 3))
    directions = community.place(contacts, relays, rng)
    letters, rows = community.from_workload(contacts, people, texts)
    carried = carry_community(scenario, letters, directions, people, rng)
    direction = letters.direction
    truth = Truth(
        letters.time, carried.delivered, direction,
        directions.sender_link[direction], directions.recipient_link[direction],
    )  # fmt: skip
    inside = deposits(carried, scenario)
    wires = (observe(carried, scenario, rng),) if _shows_wires(study) else ()
    watched = Watched(join((*wires, inside)), truth, people, relays)
    lengths = texts.length[rows].astype(np.int64)
    return Seen(watched, lengths, carried.delivered - letters.time, days * DAY_SECONDS)


def _shows_wires(study: Study) -> bool:
    """Whether anybody looks at them: relays that look for answers do not, and frames of many days are many."""
    return study.adversary.measures != ("receipts",) or not {"local", "global"}.isdisjoint(study.adversary.observers)
