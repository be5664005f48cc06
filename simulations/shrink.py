"""From a script that breaks a promise to a short one that breaks it still: lines are left out while it does.

Delta debugging (Zeller and Hildebrandt, 2002): halves first, then smaller parts, to the point where no single line can
be spared.
"""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from simulations.script import Line, Script
from simulations.trial import carry_out


def shrink(script: Script, tell: Callable[[int], None] = lambda left: None) -> Script:
    """The same promise, broken by as few lines as this finds. `tell` hears how many are left.

    Returns the script as it is where it breaks nothing.
    """
    found = carry_out(script).violation
    if not found:
        return script
    if carry_out(replace(script, reserve=())).violation:
        script = replace(script, reserve=())
    promise = found.partition(":")[0]

    def breaks(lines: Sequence[Line]) -> bool:
        return carry_out(replace(script, lines=tuple(lines))).violation.partition(":")[0] == promise

    lines = _fewest(list(script.lines), breaks, tell)
    short = replace(script, lines=tuple(lines))
    return replace(short, found=[carry_out(short).violation])


def _fewest(lines: list[Line], breaks: Callable[[Sequence[Line]], bool], tell: Callable[[int], None]) -> list[Line]:
    parts = 2
    while len(lines) >= 1:
        size = max(1, len(lines) // parts)
        for at in range(0, len(lines), size):
            fewer = lines[:at] + lines[at + size :]
            if breaks(fewer):
                lines, parts = fewer, max(2, parts - 1)
                tell(len(lines))
                break
        else:
            if size == 1:
                break
            parts = min(len(lines), parts * 2)
    return lines
