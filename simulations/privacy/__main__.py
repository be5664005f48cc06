"""`python -m simulations.privacy`: measures every preset; writes the page, the figures of the program, the picture."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

import node.privacy
from node.api.status import installed_version
from node.privacy import Estimate, Measured
from protocol.traffic.policies import NAMES
from simulations.privacy.figures import in_order, judge
from simulations.privacy.measuring import BOUND_PARTS, PARTS, measure_preset
from simulations.privacy.plans import FULL, QUICK
from simulations.statistics import LEAST_RUNS

PAGE = Path(__file__).parent.parent / "results" / "privacy.md"
FIGURES = Path(node.privacy.__file__).parent / "figures.json"
PICTURE = FIGURES.with_suffix(".svg")


def main(arguments: Sequence[str]) -> int:
    """The exit status: 1 where a bound is not kept."""
    parser = argparse.ArgumentParser(prog="python -m simulations.privacy", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the leakage check: one minute, nothing is written")
    parser.add_argument(
        "--preset", choices=list(NAMES.values()), action="append", help="this one alone; may be repeated"
    )
    parser.add_argument("--part", choices=list(PARTS), action="append", help="these figures alone; may be repeated")
    parser.add_argument("--again", action="store_true", help="page and picture of the figures that there are")
    given = parser.parse_args(arguments)
    plans = QUICK if given.quick else FULL
    chosen = {preset: plan for preset, plan in plans.items() if not given.preset or NAMES[preset] in given.preset}
    figures = {} if given.quick or not FIGURES.exists() else dict(node.privacy.read_figures().presets)
    for preset, plan in () if given.again else chosen.items():
        began = time.process_time()
        found = measure_preset(preset, plan, given.part or (BOUND_PARTS if given.quick else ()))
        figures[NAMES[preset]] = in_order(figures.get(NAMES[preset], {}) | found)
        print(f"{NAMES[preset]}: {time.process_time() - began:.0f} s of CPU", flush=True)
        if not given.quick:
            _keep(figures)
    print(_verdicts(figures, given.quick))
    if not given.quick:
        _publish(_keep(figures))
    return 0 if all(one.kept for one in judge(figures, given.quick)) else 1


def _verdicts(figures: dict[str, dict[str, Estimate]], quick: bool) -> str:
    lines = []
    for one in judge(figures, quick):
        value = f"{one.estimate.mean:.4g} ± {one.estimate.half_width:.2g}"
        asked = f"{one.bound.least:g} to {one.bound.most:g}" + (f" ± {one.bound.slack:g}" if quick else "")
        lines.append(f"{'kept  ' if one.kept else 'BROKEN'} {one.preset}: {one.bound.figure} = {value} ({asked})")
    return "\n".join(lines)


def _keep(figures: dict[str, dict[str, Estimate]]) -> Measured:
    """After each preset: a run of a quarter of an hour may be interrupted."""
    ordered = {name: figures[name] for name in NAMES.values() if name in figures}
    measured = Measured(installed_version(), LEAST_RUNS, ordered)
    FIGURES.write_bytes(msgspec.json.format(msgspec.json.encode(measured), indent=1) + b"\n")
    return measured


def _publish(measured: Measured) -> None:
    from simulations.privacy.page import write_page  # noqa: PLC0415 - a check needs neither
    from simulations.privacy.picture import draw  # noqa: PLC0415

    PAGE.write_text(write_page(measured), encoding="utf-8")
    PICTURE.write_bytes(draw(measured))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
