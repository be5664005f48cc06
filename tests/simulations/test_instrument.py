"""`kassiber sim` as a researcher uses it: processes, scenario files, tables, pictures, ledgers."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest
from msgspec.structs import replace

from node.cli import exits
from simulations.hunt import read_ledger
from simulations.script import Say, Shape, draw
from tests.node.cli.program import KASSIBER, environment, kassiber

SCENARIO = """name = "a few"

[topology]
people = 6
contacts = 2

[workload]
hours = 0.25
texts_per_day = 400.0

[adversary]
observers = ["global"]
measures = ["cost", "timing"]
"""
Sim = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def sim(tmp_path: Path) -> Sim:
    (tmp_path / "few.toml").write_text(SCENARIO)
    (tmp_path / "other.csv").write_text("figure,value\nAUC,many\n")
    drawn = draw(0, Shape())
    (tmp_path / "other.json").write_bytes(replace(drawn, lines=(Say(1.0, 0, 99, 1, 1),)).encode())
    return lambda *arguments: kassiber(tmp_path, "sim", *arguments)


def test_a_run_is_a_table_that_says_where_it_comes_from_and_comes_out_again(tmp_path: Path, sim: Sim) -> None:
    ended = sim("run", "few.toml", "--out", "once")
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.decode().splitlines()
    assert lines[0].split() == ["CHANGED", "OBSERVER", "WATCHED", "FIGURE", "MEAN", "95", "%", "RUNS"]
    assert any("AUC" in line and "±" in line and line.endswith(" 10") for line in lines)
    assert "An interval needs" not in ended.stdout.decode()
    table = pl.read_parquet(tmp_path / "once" / "figures.parquet")
    assert table.equals(pl.read_csv(tmp_path / "once" / "figures.csv", schema=table.schema))
    assert sorted(table["seed"].unique()) == list(range(10))
    assert table["trace"].n_unique() == 10
    assert table.select("version", "commit", "configuration").n_unique() == 1
    assert table["configuration"].str.len_chars().unique().to_list() == [16]

    assert sim("run", "few.toml", "--out", "twice", "--processes", "1").returncode == 0
    assert pl.read_parquet(tmp_path / "twice" / "figures.parquet").equals(table)


def test_another_line_of_a_scenario_gives_other_figures_and_too_few_runs_are_said_to_be_too_few(
    tmp_path: Path, sim: Sim
) -> None:
    assert sim("run", "few.toml", "--out", "quiet", "--seeds", "2").returncode == 0
    (tmp_path / "few.toml").write_text(SCENARIO.replace("400.0", "1600.0"))
    ended = sim("run", "few.toml", "--out", "lively", "--seeds", "2")
    assert "An interval needs 10 runs of the same, each with another seed: --seeds 10." in ended.stdout.decode()
    quiet, lively = (_means(tmp_path / folder) for folder in ("quiet", "lively"))
    assert lively["megabytes a person a day"] > 1.5 * quiet["megabytes a person a day"]
    configurations = {
        pl.read_parquet(tmp_path / folder / "figures.parquet")["configuration"][0] for folder in ("quiet", "lively")
    }
    assert len(configurations) == 2


def test_a_sweep_ends_with_a_table_and_a_picture(tmp_path: Path, sim: Sim) -> None:
    ended = sim(
        "sweep", "few.toml", "--vary", "topology.people=10,4", "--vary", "policy.kind=direct,batched",
        "--figure", "megabytes a person a day", "--out", "sweep",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "40 runs are in" in ended.stdout.decode()
    table = pl.read_parquet(tmp_path / "sweep" / "figures.parquet")
    assert table["changes"].unique(maintain_order=True).to_list() == [
        f"topology.people={people} policy.kind={kind}" for people in (10, 4) for kind in ("direct", "batched")
    ]
    _is_picture(tmp_path / "sweep" / "megabytes-a-person-a-day")

    ended = sim("plot", "sweep", "--figure", "AUC", "--across", "policy.kind", "--out", "auc")
    assert ended.returncode != 0
    assert b"policy.kind" in ended.stderr
    ended = sim("plot", "sweep", "--figure", "megabytes a person a day")
    assert b"is of the whole time, not of windows. Draw it across what was varied" in ended.stderr
    ended = sim("plot", "sweep", "--figure", "AUC", "--across", "topology.people", "--observer", "martian")
    assert b"seen by 'martian' in this table. It was seen by: 'global'." in ended.stderr
    ended = sim("plot", "sweep", "--figure", "AUC", "--across", "topology.people", "--out", "auc.v1.5")
    assert ended.returncode == 0, ended.stderr
    _is_picture(tmp_path / "auc.v1.5")


def test_lists_are_varied_as_they_are_written(tmp_path: Path, sim: Sim) -> None:
    ended = sim("sweep", "few.toml", "--vary", 'adversary.measures=["cost"],["cost","size"]', "--seeds", "1")
    assert ended.returncode == 0, ended.stderr
    table = pl.read_parquet(tmp_path / "results" / "figures.parquet")
    assert {(row["changes"], row["measure"]) for row in table.iter_rows(named=True)} == {
        ('adversary.measures=["cost"]', "cost"),
        ('adversary.measures=["cost","size"]', "cost"),
        ('adversary.measures=["cost","size"]', "size"),
    }


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "nowhere.toml"), "nowhere.toml cannot be read: No such file or directory"),
        (("run", "few.toml", "--seeds", "0"), "--seeds"),
        (("run", "few.toml", "--processes", "-1"), "--processes"),
        (("run", "few.toml", "--out", "few.toml"), "few.toml can hold no files: File exists. Choose another folder"),
        (("run", "few.toml", "--dask", "nowhere"), "--dask nowhere: no scheduler answers there"),
        (("sweep", "few.toml", "--vary", "people"), "'people' says nothing to vary"),
        (("sweep", "few.toml", "--vary", "topology.peeple=4"), "Did you mean 'people'?"),
        (
            ("sweep", "few.toml", "--vary", "topology.people=4,three"),
            "topology.people = 'three': expected a whole number",
        ),
        (("sweep", "few.toml", "--vary", "topology.people=4,6,4"), "has a value twice"),
        (("sweep", "few.toml", "--empty-vary"), "--empty-vary"),
        (("sweep", "few.toml", "--vary", 'adversary.measures=["cost"'), "brackets that do not close"),
        (
            ("sweep", "few.toml", "--vary", "topology.people=4,8", "--figure", "nonsense", "--seeds", "1"),
            "--figure 'nonsense' is none of what adversary.measures give here: 'megabytes a person a day',",
        ),
        (("hunt", "1", "--ledger", "few.toml/hunts"), "few.toml/hunts can hold no ledger: Not a directory"),
        (("plot", "nowhere", "--figure", "AUC", "--out", "few.toml/auc"), "few.toml can hold no files"),
        (("sweep", "few.toml", "--vary", "topology.people.x=4"), "people is a value, and has no keys"),
        (("sweep", "few.toml", "--vary", "name=a b,c"), "without spaces"),
        (("sweep", "few.toml", "--vary", "run.seeds=1", "--vary", "run.seeds=2"), "run.seeds is varied twice"),
        (
            ("sweep", "few.toml", "--vary", "policy.kind=direct,batched", "--figure", "AUC"),
            "--figure is drawn against what is varied first, policy.kind, and 'direct' is no number",
        ),
        (("sweep", "few.toml", "--vary", "adversary.targets=[1,2],3"), "adversary.targets = [1, 2]: expected a whole"),
        (("plot", "other.csv", "--figure", "AUC"), "other.csv is no table"),
        (("plot", "nowhere", "--figure", "AUC"), "nowhere does not exist"),
        (("plot", "few.toml", "--figure", "AUC"), "few.toml is no table"),
        (("replay", "nowhere.json"), "'nowhere.json' is neither a seed"),
        (("replay", "few.toml"), "few.toml is no script"),
        (("replay", "other.json"), "host 99 is none of 0 to 6, in: 1.000 s  message 0 of 1 bytes, from 99 to 1"),
        (("hunt", "0"), "SEEDS"),
        (("hunt", "1", "--ledger", "few.toml"), "few.toml, line 1, says nothing of a hunt"),
    ],
)
def test_what_is_wrong_is_named_with_the_way_out(sim: Sim, arguments: tuple[str, ...], says: str) -> None:
    ended = sim(*arguments)
    assert ended.returncode in (exits.USAGE, exits.BAD_TEXT, exits.NO_INPUT)
    assert says in ended.stderr.decode()
    assert b"Traceback" not in ended.stderr


def test_a_hunt_goes_on_where_its_ledger_ends_and_any_of_its_worlds_is_replayed(tmp_path: Path, sim: Sim) -> None:
    for _ in range(2):
        ended = sim("hunt", "3", "--ledger", "ledger.jsonl")
        assert ended.returncode == 0, ended.stderr
    spans = read_ledger(tmp_path / "ledger.jsonl")
    assert [(span.first, span.count) for span in spans] == [(0, 3), (3, 3)]
    assert all(span.fewest_messages >= 50 and span.fewest_faults >= 10 for span in spans)

    ended = sim("replay", "4", "--save", "four.json")
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.decode().splitlines()
    assert lines[-1] == "Every promise held."
    assert sum(" s  message " in line for line in lines) == 40
    assert sim("replay", "four.json").stdout.decode().splitlines() == lines


@pytest.mark.parametrize(
    "words",
    [("hunt", "20000", "--processes", "2"), ("sweep", "few.toml", "--vary", "workload.hours=5,6", "--processes", "2")],
)
def test_an_interrupt_ends_what_is_under_way_and_leaves_no_process(
    tmp_path: Path, sim: Sim, words: tuple[str, ...]
) -> None:
    assert sim("hunt", "--help").returncode == 0  # the scenario is there
    command = [*KASSIBER, "sim", *words]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(tmp_path), stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while len(children.read_text().split()) < 3:  # two workers, and what multiprocessing keeps beside them
            time.sleep(0.1)
        time.sleep(4.0)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == exits.INTERRUPTED
    assert b"Traceback" not in errors
    end = time.monotonic() + 10.0
    while left := _alive_in(process.pid):
        assert time.monotonic() < end, left
        time.sleep(0.1)


def _alive_in(group: int) -> list[str]:
    """The processes of a group that do anything still, as /proc tells of them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group, *_ = (told := path.read_text()).rpartition(")")[2].split()
        except (OSError, ValueError):
            continue  # it has just ended
        if int(its_group) == group and state != "Z":
            found.append(told)
    return found


def _means(folder: Path) -> dict[str, float]:
    table = pl.read_parquet(folder / "figures.parquet")
    return dict(table.group_by("figure").agg(pl.col("value").mean()).iter_rows())


def _is_picture(path: Path) -> None:
    assert ElementTree.parse(f"{path}.svg").getroot().tag.endswith("svg")
    assert Path(f"{path}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
