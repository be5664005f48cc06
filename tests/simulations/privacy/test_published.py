"""What is published of the presets is one and the same everywhere: data, page, picture, spec, README."""

import re

import pytest

from node.privacy import picture, read_figures
from protocol.traffic.policies import NAMES as PRESETS
from simulations.privacy.__main__ import PAGE
from simulations.privacy.figures import NAMES, judge
from simulations.privacy.page import write_page
from simulations.privacy.picture import draw
from tests.repository.tree import ROOT

MEASURED = read_figures()


def test_every_preset_has_its_figures_from_ten_seeds_or_more() -> None:
    assert list(MEASURED.presets) == list(PRESETS.values())
    for figures in MEASURED.presets.values():
        assert set(figures) <= set(NAMES)
        assert {"idle_megabytes", "text_p50_seconds", "timing_auc_900", "receipts_colluding"} <= set(figures)
        assert all(figure.runs >= MEASURED.seeds >= 10 for figure in figures.values())


def test_the_page_is_what_the_figures_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == write_page(MEASURED)


def test_the_picture_names_every_preset_and_can_be_drawn_again() -> None:
    for drawn in (picture(), draw(MEASURED)):
        assert [name for name in PRESETS.values() if f">{name}<".encode() not in drawn] == []


def test_what_was_asked_is_kept_by_the_figures_that_came_with_the_program() -> None:
    assert [one for one in judge(MEASURED.presets) if not one.kept] == []


def _row(name: str) -> list[str]:
    text = (ROOT / "specs" / "10-traffic.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| \d \| {name} \| (.*) \|$", text, re.MULTILINE)
    return [cell.strip() for cell in row.split("|")]


@pytest.mark.parametrize("name", PRESETS.values())
def test_the_table_of_spec_10_has_the_measured_figures(name: str) -> None:
    _, budget, conversation, alone = _row(name)
    figures = MEASURED.presets[name]
    assert figures["idle_megabytes"].mean <= float(budget.split()[0])
    for cell, kind in ((conversation, "text"), (alone, "alone")):
        said = [float(part) for part in cell.removesuffix(" s").split(" / ")]
        for place, share in enumerate(("p50", "p99")):
            assert said[place] == pytest.approx(figures[f"{kind}_{share}_seconds"].mean, abs=0.051, rel=0.02)
