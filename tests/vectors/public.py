"""Public test vectors, read in place from `../shared/vectors` beside the checkout; where absent, a test skips."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PUBLIC_VECTORS = Path(__file__).resolve().parents[2].parent / "shared" / "vectors"


def load(name: str) -> Any:
    """The JSON of one file."""
    path = PUBLIC_VECTORS / name
    if not path.exists():
        pytest.skip(f"no public vectors: {path} is absent")
    return json.loads(path.read_text("utf-8"))


def wycheproof(name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Group and test of each case. Raises AssertionError where the file holds another number than it says."""
    content = load(f"wycheproof_{name}_test.json")
    cases = [(group, test) for group in content["testGroups"] for test in group["tests"]]
    assert len(cases) == content["numberOfTests"]
    yield from cases
