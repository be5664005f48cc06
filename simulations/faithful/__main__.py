"""`python -m simulations.faithful --seeds N`: scripts on both tiers, and whether their logs agree."""

import argparse
import logging
import sys
import time

from simulations.faithful.compare import run_both, script_of
from simulations.script import Shape


def main() -> int:
    """1 where a script gave two logs."""
    parser = argparse.ArgumentParser(prog="python -m simulations.faithful", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many scripts")
    parser.add_argument("--first", type=int, default=0, help="begin with this seed")
    parser.add_argument("--without-faults", action="store_true", help="texts alone")
    parser.add_argument("--crypto", choices=("toy", "real"), default="toy")
    chosen = parser.parse_args()
    logging.disable(logging.WARNING)  # full disks are what is asked for
    began = time.perf_counter()
    again = 0
    failed = messages = faults = races = same = 0
    furthest = 0.0
    for seed in range(chosen.first, chosen.first + chosen.seeds):
        script = script_of(seed, Shape(), faults=not chosen.without_faults, real_crypto=chosen.crypto == "real")
        both = run_both(script)
        for difference in both.differences:
            print(f"seed {seed}: {difference}", flush=True)
        failed += bool(both.differences)
        messages += both.comparison.messages
        races += both.comparison.races
        again += both.schedules > 1 and not both.differences
        faults += sum(both.engine.fired.values())
        furthest = max(furthest, both.comparison.furthest_seconds)
        same += both.comparison.furthest_seconds < 1e-6 and not both.differences
    seconds = time.perf_counter() - began
    print(
        f"{chosen.seeds} scripts, {faults:,} faults, {messages:,} messages in both people's views: {failed} gave two"
        f" logs. {same} gave the same instants to the microsecond; of the others the furthest apart were"
        f" {furthest:.4f} s, and {races} pairs came in either order."
        f" {again} needed another order of tasks than the first. {seconds:.0f} s."
    )
    return 1 if failed else 0


sys.exit(main())
