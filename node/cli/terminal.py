"""What a terminal shows: text of others must not be able to move the cursor or turn the line round."""

import json
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

_JOINERS = "\u200c\u200d"
"""Scripts and emoji need them; alone they change nothing around them."""
_LINE_ENDS = "\u2028\u2029"
_UNSEEN = {"Cc", "Cf", "Cs"}
"""Control, format (bidi among them), surrogate; what Unicode has not assigned yet may be a new emoji."""


def visible(text: str, lines: bool = False) -> str:
    """Control, bidi and other invisible characters as escapes. `lines`: keeps newlines and tabs."""
    if text.isascii() and text.isprintable():
        return text
    kept = "\n\t" + _JOINERS if lines else _JOINERS
    return "".join(character if _is_plain(character, kept) else _escape(character) for character in text)


def _is_plain(character: str, kept: str) -> bool:
    return character in kept or not (unicodedata.category(character) in _UNSEEN or character in _LINE_ENDS)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65_536 else f"\\U{code:08x}"


def print_json(value: Any) -> None:
    """One line, exact, in ASCII: what is escaped in JSON cannot disturb a terminal either."""
    print(json.dumps(value), flush=True)


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns as wide as they need to be; cells are made visible here."""
    cells = [list(header), *([visible(cell) for cell in row] for row in rows)]
    widths = [max(width(row[column]) for row in cells) for column in range(len(header))]
    for row in cells:
        padded = (cell + " " * (size - width(cell)) for cell, size in zip(row, widths, strict=True))
        print("  ".join(padded).rstrip())


def width(text: str) -> int:
    """Columns that a text takes: two for wide characters, none for combining ones."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def counted(number: float, what: str) -> str:
    """`1 minute`, `2 minutes`."""
    return f"{number:g} {what}{'' if number == 1 else 's'}"


def clock(seconds: float) -> str:
    """A time of day for people, with the date where it is not today's. Any number is a time to somebody's clock."""
    try:
        moment = datetime.fromtimestamp(seconds, UTC).astimezone()
    except (OverflowError, ValueError, OSError):
        return "??:??"
    today = datetime.now(UTC).astimezone().date()
    return moment.strftime("%H:%M" if moment.date() == today else "%Y-%m-%d %H:%M")


def day(seconds: float) -> str:
    """A date for people."""
    try:
        return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d")
    except (OverflowError, ValueError, OSError):
        return "????-??-??"


def indented(text: str, by: int) -> str:
    """Lines after the first one start under it, so that no text can pass for a line of somebody else's."""
    return visible(text, lines=True).replace("\n", "\n" + " " * by)
