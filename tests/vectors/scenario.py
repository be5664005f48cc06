"""One vector, its JSON, and how bytes are written in it (specs/README.md, "Vectors")."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "specs" / "vectors"
_RUN = re.compile(rb"(.)\1{31,}", re.DOTALL)


@dataclass(frozen=True)
class Scenario:
    """`name` is the file's; `error` the expected Code in lower case, or `caller` for an error that a person gets."""

    name: str
    spec: str
    title: str
    kind: str
    input: Mapping[str, Any]
    expect: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None

    def to_json(self) -> str:
        """The file's text."""
        head = {"spec": self.spec, "title": self.title, "kind": self.kind, "input": _shown(self.input)}
        tail = {"error": self.error} if self.error else {"expect": _shown(self.expect)}
        return json.dumps(head | tail, indent=1, ensure_ascii=False) + "\n"


class Draw:
    """Reproducible bytes that depend on nothing but a name."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0

    def __call__(self, length: int) -> bytes:
        self._count += 1
        return hashlib.shake_256(f"kassiber vectors: {self._name} {self._count}".encode()).digest(length)


def to_hex(value: bytes) -> str:
    """Hexadecimal; a byte that repeats 32 times or more is written once: `00*1024`."""
    groups, end = [], 0
    for run in _RUN.finditer(value):
        groups += [value[end : run.start()].hex(), f"{run[1].hex()}*{len(run[0])}"]
        end = run.end()
    return " ".join(group for group in (*groups, value[end:].hex()) if group)


def from_hex(text: str) -> bytes:
    """The bytes that `to_hex` wrote."""
    groups = (group.partition("*") for group in text.split())
    return b"".join(bytes.fromhex(digits) * int(count or 1) for digits, _, count in groups)


def altered(value: bytes, offset: int) -> bytes:
    """With one bit changed."""
    at = offset % len(value)
    return value[:at] + bytes((value[at] ^ 1,)) + value[at + 1 :]


def _shown(value: Any) -> Any:
    if isinstance(value, bytes):
        return to_hex(value)
    if isinstance(value, Mapping):
        return {name: _shown(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(inner) for inner in value]
    return value
