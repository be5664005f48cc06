"""The short part of fuzzing, in every test run: seeds, what was once found, and a few thousand mutants."""

from itertools import islice
from pathlib import Path
from random import Random

import pytest

from tests.fuzz.mutation import mutants
from tests.fuzz.targets import TARGETS, attempt


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_is_accepted(name: str) -> None:
    assert [seed for seed in TARGETS[name].seeds if not attempt(TARGETS[name], seed)] == []


@pytest.mark.parametrize("name", TARGETS)
def test_mutants_raise_nothing_but_what_is_listed(name: str) -> None:
    target = TARGETS[name]
    tried = 2_000 // target.share**2
    some = islice(mutants(target.seeds, target.longest, Random(name)), tried)
    assert len([attempt(target, mutant) for mutant in some]) == tried


@pytest.mark.parametrize("name", TARGETS)
def test_what_fuzzing_once_found_stays_mended(name: str) -> None:
    target = TARGETS[name]
    found = [path.read_bytes() for path in (Path(__file__).parent / "found").glob(f"{name}-*.bin")]
    accepted = sum([attempt(target, data) for data in found])
    assert accepted <= len(found)
