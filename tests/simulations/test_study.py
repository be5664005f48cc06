"""Scenario files: what is wrong is named, with its value and what would be right."""

import re
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


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('name = "x"\n[toplogy]\n', "there is no key 'toplogy'. Did you mean 'topology'?"),
        (
            'name = "x"\n[workload]\nspeed = 3\n',
            "there is no key 'workload.speed'. There are: kind, texts_per_day, hours",
        ),
        ("[topology]\npeople = 10\n", "the key 'name' is missing"),
        ('name = "x"\ntopology = 7\n', "topology = 7: expected a table, got a whole number"),
        (
            'name = "x"\ntopology.people = "many"\n',
            "topology.people = 'many': expected a whole number, got a text in quotes",
        ),
        ('name = "x"\ntopology.people = 3\n', "topology.people = 3: expected a whole number >= 4"),
        (
            'name = "x"\ntopology.contacts = 3\n',
            "topology.contacts = 3: expected a whole number that's a multiple of 2",
        ),
        ('name = "x"\nworkload.hours = -1.0\n', "workload.hours = -1.0: expected a number"),
        (
            'name = "x"\npolicy.kind = "sometimes"\n',
            "policy.kind = 'sometimes': it should be one of 'direct', 'batched'",
        ),
        (
            'name = "x"\nadversary.observers = ["global", "me"]\n',
            "'me': it should be one of 'relay', 'colluding relays'",
        ),
        ('name = "x"\nadversary.measures = []\n', "adversary.measures = []: expected a list of length >= 1"),
        ('name = "x"\nrun.seeds = 0\n', "run.seeds = 0: expected a whole number >= 1"),
        ('name = "x"\ntopology.people = 4\ntopology.contacts = 4\n', "at most all others as contacts"),
        ('name = "x"\nchurn.online_hours = 4.0\n', "either both are above 0, or both are 0"),
        (
            'name = "x"\nchurn = {online_hours = 1.0, offline_hours = 1.0}\nrun.engine = "population"\n',
            "stays connected",
        ),
        ('name = "x"\ntopology.people = 20_001\n', "at most 20,000 real nodes fit"),
        ('name = "x\n', "is not TOML"),
        ("\udcff", "is not UTF-8 text"),
    ],
)
def test_what_is_wrong_is_named_with_what_would_be_right(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "study.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(CallerError, match=re.escape(says)) as raised:
        read_study(file)
    assert str(file) in str(raised.value)


def test_forwarding_with_three_relays_is_read(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text('name = "entries"\ntopology.relays = 3\npolicy.forward = true\n')
    assert read_study(file).policy.forward
