"""The catalogue of mutants fits the code as it is, and worlds notice what they must."""

import ast
from pathlib import Path

import pytest
from msgspec.structs import replace

from protocol.errors import CallerError
from simulations.mutants.catalogue import CATALOGUE
from simulations.mutants.ledger import Ledger, code_digest
from simulations.mutants.mutant import Mutant, changed_text, copy_code
from simulations.mutants.probe import Finding
from simulations.mutants.report import Result, render
from simulations.mutants.run import probe_copy, run, tasks

BY_NAME = {mutant.name: mutant for mutant in CATALOGUE}


@pytest.mark.parametrize("mutant", CATALOGUE, ids=lambda mutant: mutant.name)
def test_every_mutant_fits_the_code_and_is_code_itself(mutant: Mutant) -> None:
    ast.parse(changed_text(mutant), mutant.file)


def test_there_are_enough_mutants_and_each_has_a_name_of_its_own() -> None:
    assert len(BY_NAME) == len(CATALOGUE) >= 50


def test_a_mutant_that_no_longer_fits_is_refused_by_name() -> None:
    drifted = replace(CATALOGUE[0], old="a line that nobody wrote")
    with pytest.raises(CallerError, match=CATALOGUE[0].name):
        changed_text(drifted)


def test_a_mutant_is_put_into_a_copy_and_nowhere_else(tmp_path: Path) -> None:
    mutant = CATALOGUE[0]
    before = changed_text(mutant)
    copy_code(tmp_path, mutant)
    assert (tmp_path / mutant.file).read_text("utf-8") == before
    assert changed_text(mutant) == before


@pytest.mark.parametrize("name", ["ratchet-not-saved-when-sealing", "parents-not-waited-for", "fragments-overlap"])
def test_worlds_notice_a_mutant(name: str) -> None:
    finding = probe_copy(BY_NAME[name], 12, "toy")
    assert finding.checker, name
    assert finding.checker != "hang"


def test_a_run_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    first, second = CATALOGUE[:2]
    finding = Finding(3, "delivery", "lost")
    Ledger(tmp_path / "ledger").add(first.name, first, 10, finding)
    again = Ledger(tmp_path / "ledger")
    assert again.find(first.name, first, 10) == finding
    assert again.find(first.name, first, 20) is None
    assert again.find(first.name, replace(first, new=first.new + "  # changed"), 10) is None
    assert again.find(second.name, second, 10) is None
    assert list(run(tasks([first], 10, as_it_is=False), 1, again)) == [(first.name, finding)]


def test_what_a_finding_depends_on_is_all_code_but_the_mutants_own(tmp_path: Path) -> None:
    copy_code(tmp_path, None)
    before = code_digest(tmp_path)
    (tmp_path / "simulations/mutants/catalogue.py").write_text("CATALOGUE = ()\n")
    assert code_digest(tmp_path) == before == code_digest()
    (tmp_path / "protocol/limits.py").write_text("MORE = 1\n")
    assert code_digest(tmp_path) != before


def test_the_page_of_results_explains_who_was_not_noticed() -> None:
    caught, missed = CATALOGUE[0], replace(CATALOGUE[1], survives="No world has a disk so full.")
    page = render("0123", 10, {}, [Result(caught, Finding(3, "delivery", "lost")), Result(missed, Finding(10, "", ""))])
    assert "1 of 2 noticed (50.0%)" in page
    assert f"* `{missed.name}`: No world has a disk so full." in page
