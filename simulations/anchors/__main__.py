"""`python -m simulations.anchors [--runs N] [--output FILE]`: every anchor, as a page; 1 if one is missed."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from simulations.anchors import disclosing, games, mixes, padding, rows
from simulations.statistics import LEAST_RUNS

FAMILIES: tuple[tuple[str, str, Callable[[int], list[rows.Row]]], ...] = (
    (
        "Mixes",
        """\
Simulated, watched from outside, judged by the exact posterior. *Surprisal* is the mean of −log₂ of what the posterior
gives to the message that it really was: it equals the entropy only where the posterior is right.""",
        mixes.measure,
    ),
    (
        "Statistical disclosure",
        """\
Each round of b messages holds one of the target's, to one of m contacts at random; the others go to any of N. The
attack runs for the published number of rounds, and its m best guesses are compared with the m contacts.""",
        disclosing.measure,
    ),
    (
        "Padding",
        "Bits of a text's length that its padded length still tells: lognormal, σ = 1.2, 100,000 texts a run.",
        padding.measure,
    ),
    (
        "Trilemma and timing",
        """\
δ is the share of games in which the other candidate was silent. The timing rows are 120 pairs of links with one
message a minute each, counted by the minute; the adversary knows the distribution of the delays.""",
        games.measure,
    ),
)

INTRODUCTION = """# Validation of the metadata instrument

Published figures, found again by the functions of `simulations/adversaries/` that are applied to Kassiber's traffic.
Written by `python -m simulations.anchors`. *Ours* is the mean over runs with different seeds with Student's 95 %
interval, or a computation without chance (1 run). *Kept*: the expected figure lies within the tolerance of the
interval.
"""

PARAMETERS = """## Parameters that the sources leave open

* Mixnet: MiXiM's published configuration has 5,000 messages a second, ten mixes a layer, uniform routes, and 0.05 s of
  propagation on each of the L + 1 links, which D includes: mean delay θ = (D − 0.05 (L + 1)) / L. The closed form is
  H = log₂Λ + [L + ln θ + ln Γ(L) + (1−L) ψ(L)] / ln 2, with Λ/10 for one layer, where ten mixes never meet.
* SDA: with z = 2, Danezis' condition t > (m z)² (√((N−1)/N² (b−1)) + √((N−1)/N² (b−1) + (m−1)/m²))² gives the rounds.
* Padding: σ is not published; 1.2 gives all three figures. 8.08 bits is what 100,000 texts show; the exact entropy of
  that distribution is 8.09.
* Toy links: rate and bins are not published; one message a minute and bins of a minute come nearest. For the delay our
  adversary is a little stronger than the toy's, as it knows the delay's distribution, and stronger still in finer bins.
"""


def main(arguments: Sequence[str]) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m simulations.anchors", description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help=f"seeds an anchor, at least {LEAST_RUNS}; default 20")
    parser.add_argument("--output", type=Path, help="write the page here instead of printing it")
    chosen = parser.parse_args(arguments)
    page, kept = [INTRODUCTION], True
    for title, explanation, measure in FAMILIES:
        began = time.perf_counter()
        found = measure(max(LEAST_RUNS, chosen.runs))
        kept = kept and rows.all_kept(found)
        page += [f"## {title}\n", f"{explanation}\n", *rows.render(found), ""]
        print(f"{title}: {time.perf_counter() - began:.1f} s", file=sys.stderr)
    text = "\n".join([*page, PARAMETERS])
    if chosen.output is None:
        print(text, end="")
    else:
        chosen.output.write_text(text, "utf-8")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
