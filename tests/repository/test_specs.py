"""The specs and the code say the same: one version, the same codes, each expected by a vector or a test."""

import json
import re

from protocol import PROTOCOL_VERSION, SUBPROTOCOL
from protocol.errors import Code
from tests.repository.tree import ROOT, texts

SPECS = {path.name: path.read_text("utf-8") for path in sorted((ROOT / "specs").glob("[0-9]*-*.md"))}


def test_the_specs_are_numbered_and_each_names_the_version_of_the_code() -> None:
    assert sorted(int(name.partition("-")[0]) for name in SPECS) == [*range(1, 14)]
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


def test_every_code_is_expected_by_a_vector_or_a_test() -> None:
    """A relay's or a node's state is more than a vector holds; those codes are asserted by tests of the machines."""
    vectors = {json.loads(path.read_text("utf-8")).get("error") for path in (ROOT / "specs/vectors").glob("*.json")}
    tests = "".join(text for name, text in texts() if name.startswith("tests/") and name.endswith(".py"))
    assert [
        code.name
        for code in Code
        if code.name.lower() not in vectors and not re.search(rf"\bCode\.{code.name}\b", tests)
    ] == []
