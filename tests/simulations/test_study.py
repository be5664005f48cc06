"""Scenario files whose keys are right by themselves and not beside each other."""

from pathlib import Path

import pytest

from protocol.errors import CallerError
from simulations.study import read_study


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("topology.relays = 2\npolicy.forward = true", r"policy.forward = true with topology.relays = 2: .*at least 3"),
        ('topology.relays = 3\npolicy.forward = true\nrun.engine = "population"', "the model knows no entry relays"),
    ],
)
def test_forwarding_that_cannot_be_carried_out_is_refused_with_the_way_out(
    tmp_path: Path, lines: str, says: str
) -> None:
    file = tmp_path / "study.toml"
    file.write_text(f'name = "entries"\n{lines}\n')
    with pytest.raises(CallerError, match=says):
        read_study(file)


def test_forwarding_with_three_relays_is_read(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text('name = "entries"\ntopology.relays = 3\npolicy.forward = true\n')
    assert read_study(file).policy.forward
