"""What is installed is pinned to the byte, and is what pyproject.toml asks for."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.repository.tree import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def pins(file: str) -> dict[str, tuple[Requirement, list[str]]]:
    """Of each requirement in a file its hashes, by name."""
    text = (ROOT / file).read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found: dict[str, tuple[Requirement, list[str]]] = {}
    for line in lines:
        requirement = Requirement(line.partition("--hash")[0].strip())
        found[canonicalize_name(requirement.name)] = requirement, re.findall(r"--hash=sha256:[0-9a-f]{64}", line)
    return found


def asked_for(*extras: str) -> list[Requirement]:
    lists = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] for extra in extras)]
    return [Requirement(text) for one in lists for text in one]


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_one_version_with_hashes(file: str) -> None:
    loose = [
        name
        for name, (requirement, hashes) in pins(file).items()
        if not hashes or [pin.operator for pin in requirement.specifier] != ["=="] or requirement.url
    ]
    assert loose == []


@pytest.mark.parametrize(
    ("file", "extras"), [("requirements.txt", ()), ("requirements-dev.txt", tuple(PROJECT["optional-dependencies"]))]
)
def test_the_pins_hold_what_the_project_asks_for(file: str, extras: tuple[str, ...]) -> None:
    pinned = pins(file)
    for requirement in asked_for(*extras):
        pin = pinned[canonicalize_name(requirement.name)][0]
        assert requirement.specifier.contains(next(iter(pin.specifier)).version), f"{requirement}, but {pin}"


def test_tests_run_with_the_versions_that_people_run() -> None:
    development = pins("requirements-dev.txt")
    assert {name: pin for name, (pin, _) in pins("requirements.txt").items() if development[name][0] != pin} == {}
