"""The specs and the code say the same: one version, the same codes, a vector for each."""

import json
import re
from collections.abc import Iterator
from typing import Any

from protocol import PROTOCOL_VERSION, SUBPROTOCOL
from protocol.errors import Code
from tests.repository.tree import ROOT

SPECS = {path.name: path.read_text("utf-8") for path in sorted((ROOT / "specs").glob("[0-9]*-*.md"))}


def test_there_are_eight_specs_and_each_names_the_version_of_the_code() -> None:
    assert [name[0] for name in SPECS] == list("12345678")
    named = {name: set(re.findall(r"[Pp]rotocol version:? (\d+)", text)) for name, text in SPECS.items()}
    assert named == {name: {str(PROTOCOL_VERSION)} for name in SPECS}
    assert f"kassiber.{PROTOCOL_VERSION}" == SUBPROTOCOL


def test_every_code_stands_in_a_table_of_the_specs_with_its_number() -> None:
    rows = [line for text in SPECS.values() for line in text.splitlines() if line.startswith("|")]
    absent = [
        f"| {code.value} | {code.name} |"
        for code in Code
        if not any(re.search(rf"\b{code.value}\b.*\b{code.name}\b", row, re.IGNORECASE) for row in rows)
    ]
    assert absent == []


def test_every_code_has_a_vector() -> None:
    expected = {error.upper() for error in _expected_errors()}
    assert [code.name for code in Code if code.name not in expected] == []


def _expected_errors() -> Iterator[str]:
    """The value of every `error` in the vectors, wherever it stands."""
    for path in (ROOT / "specs" / "vectors").glob("**/*.json"):
        yield from _errors(json.loads(path.read_text("utf-8")))


def _errors(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("error"), str):
            yield value["error"]
        for inner in value.values():
            yield from _errors(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _errors(inner)
