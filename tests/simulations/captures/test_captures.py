"""Captures of real nodes and relays agree with the simulator, and one that does not is told."""

import pytest

from protocol.wire.commands import Preset
from simulations.captures import comparing
from simulations.captures.__main__ import PAGE
from simulations.captures.comparing import Compared, Plan, Row
from simulations.privacy.plans import Extent

pytestmark = pytest.mark.journey
SMALL = Plan((Preset.CONSTANT,), Extent(6, 0.25, 1_000.0, 2), 0.5, 80.0)
TRIES = 3
"""In real time: a machine that others kept from running for a while is given two more."""


@pytest.fixture(scope="module")
def compared() -> Compared:
    """One capture of each preset with texts, and one without."""
    found = comparing.compare(SMALL)
    for _ in range(1, TRIES):
        if not found.agree:
            found = comparing.compare(SMALL)
    return found


def test_captures_of_real_traffic_are_runs_of_the_simulators(compared: Compared) -> None:
    outside = [
        (preset.name, row.figure, row.capture, row.mean, row.half_width(compared.figures))
        for preset, rows in compared.rows.items()
        for row in rows
        if not row.kept(compared.figures)
    ]
    assert outside == []
    assert compared.agree
    assert compared.texts > 20
    assert {row.figure for row in compared.rows[Preset.CONSTANT]} == {
        "MB a day and relay, nothing said",
        "MB a day and relay, with texts",
        "envelopes beside a text, loops too, each way",
        "bits of a text's length, to who watches wires",
        "a text: p50, s",
        "a text: p99, s",
        "who talks with whom, after 15 min: AUC",
    }


def test_a_capture_of_another_preset_is_none_of_the_simulators_runs(compared: Compared) -> None:
    ours = {row.figure: row for row in compared.rows[Preset.CONSTANT]}
    swapped = [
        Row(row.figure, row.capture, ours[row.figure].simulated)
        for row in compared.rows[Preset.DIRECT]
        if row.figure in ours
    ]
    outside = {row.figure for row in swapped if not row.kept(compared.figures)}
    assert outside >= {"MB a day and relay, nothing said", "MB a day and relay, with texts"}


def test_what_is_published_lies_within() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.count("| within |") >= 17
    assert "outside" not in text
