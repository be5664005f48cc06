"""Every file of `specs/vectors` against `protocol`, one test a file."""

import ast
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from protocol.errors import CallerError, Code, PeerError
from tests.vectors import generate
from tests.vectors.runners import cards, discovery, envelopes, keys, links, lists, onions, sessions, traffic, wire
from tests.vectors.runners.given import Given, Result
from tests.vectors.scenario import FOLDER, from_hex, to_hex

RUNNERS: dict[str, Callable[[Given], Result]] = {
    **wire.RUNNERS, **keys.RUNNERS, **sessions.RUNNERS, **envelopes.RUNNERS, **links.RUNNERS, **discovery.RUNNERS,
    **traffic.RUNNERS, **lists.RUNNERS, **onions.RUNNERS, **cards.RUNNERS,
}  # fmt: skip
FILES = sorted(FOLDER.glob("*.json"))

NEED_MORE_THAN_A_VECTOR = {
    "refused", "full", "stamp", "draining", "unavailable",  # a relay's state
    "silent", "internal", "replaced",  # time, a bug, another connection
    "skipped_full",  # a node's state
}  # fmt: skip


def _shown(value: Any) -> Any:
    if isinstance(value, bytes):
        return to_hex(value)
    if isinstance(value, dict):
        return {name: _shown(inner) for name, inner in value.items()}
    return [_shown(inner) for inner in value] if isinstance(value, list) else value


def _outcome(kind: str, given: Given) -> tuple[str, Any]:
    try:
        return "expect", _shown(dict(RUNNERS[kind](given)))
    except PeerError as error:
        return "error", error.code.name.lower()
    except CallerError:
        return "error", "caller"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_protocol_agrees_with_every_vector(path: Path) -> None:
    vector = json.loads(path.read_text("utf-8"))
    assert vector.keys() - {"expect", "error"} == {"spec", "title", "kind", "input"}
    outcome = "error" if "error" in vector else "expect"
    assert _outcome(vector["kind"], Given(vector["input"])) == (outcome, vector[outcome])


def test_the_vectors_are_what_the_second_implementation_makes() -> None:
    made = {f"{scenario.name}.json": scenario.to_json() for scenario in generate.scenarios()}
    kept = {path.name: path.read_text("utf-8") for path in FILES}
    assert made.keys() == kept.keys()
    assert [name for name in made if made[name] != kept[name]] == []


def test_every_vector_has_a_name_of_its_own() -> None:
    names = [scenario.name for scenario in generate.scenarios()]
    assert sorted(names) == sorted(set(names))


def test_the_second_implementation_knows_nothing_of_the_first() -> None:
    here = Path(__file__).parent
    for path in [here / "generate.py", here / "scenario.py", *here.glob("independent/*"), *here.glob("scenarios/*")]:
        if path.suffix == ".py":
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                assert not {name.split(".")[0] for name in names} & {"protocol", "node", "simulations"}, path


def test_every_code_that_bytes_alone_can_provoke_has_a_vector() -> None:
    seen = {json.loads(path.read_text("utf-8")).get("error") for path in FILES}
    assert {code.name.lower() for code in Code} - seen == NEED_MORE_THAN_A_VECTOR


@pytest.mark.parametrize(
    "value", [b"", b"\x00", bytes(31), bytes(32), b"ab" + b"\xff" * 40 + b"c", bytes(40) + b"\1" * 40]
)
def test_repeated_bytes_are_written_once_and_read_back(value: bytes) -> None:
    assert from_hex(to_hex(value)) == value
