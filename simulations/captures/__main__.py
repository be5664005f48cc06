"""`python -m simulations.captures`: captures, simulates, compares, and writes the page."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from protocol.wire.commands import Preset
from simulations.captures.comparing import Plan, compare
from simulations.captures.page import render
from simulations.privacy.plans import Extent

PAGE = Path(__file__).parent.parent / "results" / "captures.md"
FULL = Plan((Preset.BATCHED, Preset.CONSTANT), Extent(16, 1.0, 400.0), 0.5, 40.0, 20)


def main(arguments: Sequence[str]) -> int:
    """The exit status: 1 where a capture is none of the simulator's runs."""
    parser = argparse.ArgumentParser(prog="python -m simulations.captures", description=__doc__)
    parser.add_argument("--speed", type=float, default=FULL.speed, help="virtual seconds a real one; default 40")
    parser.add_argument("--hours", type=float, default=FULL.used.hours, help="virtual; default 1")
    parser.add_argument("--seeds", type=int, default=FULL.seeds, help="of the simulator; default 20")
    parser.add_argument("--print", action="store_true", help="print the page instead of writing it")
    given = parser.parse_args(arguments)
    plan = FULL._replace(
        speed=given.speed,
        seeds=given.seeds,
        used=FULL.used._replace(hours=given.hours),
        idle_hours=given.hours * FULL.idle_hours,
    )
    compared = compare(plan, lambda line: print(line, file=sys.stderr, flush=True))
    text = "\n".join([*render(plan, compared), ""])
    if given.print:
        print(text, end="")
    else:
        PAGE.write_text(text, encoding="utf-8")
    return 0 if compared.agree else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
