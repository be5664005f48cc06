"""The repository keeps its own rules: what lies where, how long it may be, what it must not name."""

import ast
import re
import tomllib
from collections.abc import Iterator

from tests.repository.tree import PACKAGES, ROOT, modules, texts, tracked

PLAN = re.compile(
    r"\..+|(README|CHANGELOG)\.md|pyproject\.toml|requirements[\w-]*\.txt|node|protocol|simulations|specs|tests"
)

# Spelt so that this file does not name them itself.
REGISTRY = re.compile(
    r"pyp[i]\.org|pythonhoste[d]|npmj[s]|deb\.debia[n]|crates\.i[o]|--(extra-)?index-ur[l]", re.IGNORECASE
)
MACHINE_PATH = re.compile(r"(?<![\w.$}-])/(roo[t]|wor[k]|hom[e]|User[s]|far[m])/[\w.]")
UNFINISHED = re.compile(r"\b(TOD[O]|FIXM[E]|XX[X]|HAC[K]|NotImplementedErro[r])\b")

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
FORBIDDEN = {name for contract in CONTRACTS for name in contract.get("forbidden_modules", ())}


def matches(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1} {match[0]}"
        for name, text in texts()
        for match in pattern.finditer(text)
    ]


def test_the_top_level_holds_only_what_its_plan_names() -> None:
    assert {name.split("/")[0] for name in tracked() if not PLAN.fullmatch(name.split("/")[0])} == set()


def test_no_file_names_a_registry() -> None:
    assert matches(REGISTRY) == []


def test_no_file_names_a_path_of_one_machine() -> None:
    assert matches(MACHINE_PATH) == []


def test_nothing_is_left_unfinished() -> None:
    assert matches(UNFINISHED) == []


def test_no_module_is_longer_than_500_lines() -> None:
    lengths = {name: text.count("\n") for name, text in texts() if name.endswith(".py")}
    assert {name: lines for name, lines in lengths.items() if lines > 500} == {}


def test_no_function_is_longer_than_80_lines() -> None:
    assert [
        f"{name}:{node.lineno} {node.name}"
        for name, module in modules(*PACKAGES)
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno > 80
    ] == []


def test_every_folder_of_a_package_says_what_lives_there() -> None:
    folders = {name.rpartition("/")[0] for name in tracked() if name.split("/")[0] in PACKAGES and name.endswith(".py")}
    described = {name.removesuffix("/__init__.py") for name, module in modules(*PACKAGES) if ast.get_docstring(module)}
    assert folders - described == set()


def test_every_module_says_what_it_is_for() -> None:
    assert [name for name, module in modules(*PACKAGES, "tests") if not ast.get_docstring(module)] == []


def test_protocol_decides_and_never_waits() -> None:
    imports = {(name, imported) for name, module in modules("protocol") for imported in _imported(module)}
    assert {(name, imported) for name, imported in imports if imported.split(".")[0] in FORBIDDEN} == set()


def test_a_broad_except_logs_or_hands_the_error_on() -> None:
    assert [
        f"{name}:{node.lineno}"
        for name, module in modules(*PACKAGES)
        for node in ast.walk(module)
        if isinstance(node, ast.ExceptHandler) and _is_broad(node) and not _logs_or_hands_on(node)
    ] == []


def _imported(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def _is_broad(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"}) for kind in caught
    )


def _logs_or_hands_on(handler: ast.ExceptHandler) -> bool:
    names = {
        node.func.attr
        for node in ast.walk(handler)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    hands_on = any(
        isinstance(node, ast.Raise) or (isinstance(node, ast.Name) and node.id == handler.name)
        for node in ast.walk(handler)
    )
    return hands_on or bool(names & {"critical", "error", "exception", "warning", "info", "debug"})
