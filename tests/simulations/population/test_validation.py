"""The model says what the machines do: a small slice of `python -m simulations.population.validation`."""

import pytest
from msgspec.structs import replace

from simulations import modelled
from simulations.measures import Seen
from simulations.population.validation import Held, hold, render, scenario
from simulations.study import Study

SLICE = scenario(people=16, hours=1.0, texts_per_day=400.0)


@pytest.fixture(scope="module")
def found() -> list[Held]:
    return hold(SLICE, 10)


def test_the_model_says_of_few_people_what_the_machines_do(found: list[Held]) -> None:
    assert [held.figure for held in found if not held.kept] == []
    assert {held.figure for held in found} >= {
        "megabytes a person a day", "frames a person a day", "frames a text", "envelopes a text", "delay p50, s",
        "delay p99, s", "texts that came",
    }  # fmt: skip


def test_a_page_has_a_line_for_each_figure(found: list[Held]) -> None:
    page = list(render(SLICE, found))
    assert sum("| kept |" in line for line in page) == len(found)
    assert "16 people with 4 contacts each on 2 relays" in " ".join(page[0].split())


def test_a_model_that_is_wrong_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its ticks are ten times as far apart, so that fewer come between texts; and its letters take twice the time."""
    right = modelled.carry_out

    def wrong(study: Study, seed: int) -> Seen:
        topology = replace(study.topology, latency_seconds=2.0 * study.topology.latency_seconds)
        policy = replace(study.policy, receipt_mean_seconds=10.0 * study.policy.receipt_seconds)
        return right(replace(study, topology=topology, policy=policy), seed)

    monkeypatch.setattr(modelled, "carry_out", wrong)
    missed = {held.figure for held in hold(SLICE, 10) if not held.kept}
    assert {"envelopes a text", "delay p50, s"} <= missed
    assert "texts that came" not in missed
