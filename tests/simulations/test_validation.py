"""Published figures come out of the instrument again. A short slice; `python -m simulations.anchors` runs the whole."""

import pytest

from simulations.anchors import disclosing, games, mixes, padding
from simulations.anchors.rows import Row

RUNS = 10


def missed(rows: list[Row]) -> list[Row]:
    assert rows
    return [row for row in rows if not row.kept]


def test_mixes_and_a_mixnet_of_two_layers_have_their_published_entropy() -> None:
    assert missed(mixes.measure(RUNS, share=0.1, layers=(2,), targets=16)) == []


def test_disclosure_finds_the_contacts_after_the_published_number_of_rounds() -> None:
    assert missed(disclosing.measure(RUNS, tuple(disclosing.FIGURES)[:2])) == []


def test_paddings_leak_what_was_published() -> None:
    assert missed(padding.measure(RUNS)) == []


def test_the_trilemmas_game_and_the_toy_links_come_out_as_published() -> None:
    assert missed(games.measure(RUNS)) == []


@pytest.mark.slow
def test_every_anchor_is_kept() -> None:
    families = (mixes.measure, disclosing.measure, padding.measure, games.measure)
    assert [row for measure in families for row in missed(measure(RUNS))] == []
