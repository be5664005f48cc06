"""The figures: what each one is called and is, and which bounds it must keep."""

from collections.abc import Mapping
from typing import NamedTuple

from node.privacy import Estimate
from protocol.forwarding.pool import BATCHES, LEAST_LEFT
from simulations.anchors.mixes import pool_closed

Figures = Mapping[str, Mapping[str, Estimate]]
"""By the names of presets, then of figures."""

WINDOWS_SECONDS = (900, 3_600, 21_600)
AFTER_TEXTS = 100

NAMES = {
    "idle_megabytes": "MB a day and relay, nothing said",
    "used_megabytes": "MB a day and relay, 40 texts a day",
    "text_p50_seconds": "a conversation's text: p50, s",
    "text_p99_seconds": "a conversation's text: p99, s",
    "alone_p50_seconds": "a text alone: p50, s",
    "alone_p99_seconds": "a text alone: p99, s",
    "slots_beside_text": "envelopes beside a conversation's text, each way",
    "slots_beside_alone": "envelopes beside a text alone, each way",
    "size_bits": "bits of a text's length, to who watches wires",
    **{f"timing_auc_{seconds}": f"who talks with whom, after {seconds // 60} min: AUC" for seconds in WINDOWS_SECONDS},
    **{
        f"timing_tpr_{seconds}": f"the same: found, at one false alarm in 1,000, after {seconds // 60} min"
        for seconds in WINDOWS_SECONDS
    },
    "receipts_relay": f"correspondent found by receipts after {AFTER_TEXTS} messages: one relay",
    "receipts_colluding": "the same: relays that collude",
    "receipts_guess": "the same: by guessing",
    "nodes_colluding": "the same on real nodes: relays that collude",
    "nodes_guess": "the same: by guessing",
    "answers_relay": f"correspondent found by answers after {AFTER_TEXTS} messages: one relay",
    "answers_colluding": "the same: relays that collude",
    "straight_relay": f"the same on three relays, real nodes, after {AFTER_TEXTS}: one relay",
    "straight_colluding": "the same: relays that collude",
    "straight_links": "the same: put into a queue by the writer's own link, as its relay sees",
    "forward_relay": "the same by entries (`--forward`): one relay",
    "forward_colluding": "the same by entries: relays that collude, by queues alone",
    "forward_links": "the same by entries: put into a queue by the writer's own link",
    "forward_guess": "the same by entries: by guessing",
    "mix_bits": "whose an onion is that left the entry's pool, by wires: bits",
    "mix_bits_real": "the same, to who knows which are dummies: bits",
    "trilemma": "writer told from another for certain, by all wires: δ",
    "trilemma_floor": "the same: least with this delay and cover",
    "disclosure": "contacts found by disclosure: who watches all wires",
    "intersection": "the same: by intersection",
    "disclosure_guess": "the same: by guessing",
}
"""In the order of the page."""


def in_order(found: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """As on the page."""
    return {name: found[name] for name in NAMES if name in found}


class Bound(NamedTuple):
    """A figure's mean may be from `least` to `most`; a quick run, which measures less, is allowed `slack` more."""

    figure: str
    presets: tuple[str, ...]
    least: float
    most: float
    slack: float = 0.0


_ALL = ("direct", "batched", "constant", "constant-4", "constant-16")
_QUIET, _CONSTANT = _ALL[:2], _ALL[2:]
BOUNDS = (
    Bound("idle_megabytes", ("batched",), 0.0, 3.0),
    Bound("idle_megabytes", ("constant",), 0.0, 60.0),
    Bound("slots_beside_text", _QUIET, 0.0, 3.0),
    Bound("slots_beside_alone", _QUIET, 0.0, 3.0),
    Bound("slots_beside_text", _CONSTANT, -1.0, 3.0),
    Bound("slots_beside_alone", _CONSTANT, -1.0, 3.0),
    Bound("size_bits", _ALL, 0.0, 0.05),
    Bound(
        "mix_bits",
        _ALL,
        round(pool_closed(BATCHES[-1][1], LEAST_LEFT) - 0.1, 3),
        round(pool_closed(BATCHES[-1][1], LEAST_LEFT) + 0.1, 3),
    ),
    Bound("receipts_relay", _ALL, 0.0, 0.05, 0.12),
    Bound("receipts_colluding", _CONSTANT, 0.0, 0.02, 0.08),
    Bound("timing_auc_900", _CONSTANT, 0.45, 0.55, 0.03),
    Bound("timing_auc_3600", _CONSTANT, 0.47, 0.53, 0.01),
    Bound("timing_auc_21600", ("constant",), 0.49, 0.51, 0.03),
    Bound("timing_tpr_21600", ("constant",), 0.0, 0.002, 0.01),
)
"""The shorter the window, the fewer pairs talk in it, and the wider is what chance alone gives.

Constant links send ticks whether anybody writes or not; as many as there are on average are taken off what is found
beside a text, which leaves nothing, or by chance a little less.
"""


class Kept(NamedTuple):
    """What was asked, and what came of it."""

    bound: Bound
    preset: str
    estimate: Estimate
    kept: bool


def judge(figures: Figures, quick: bool = False) -> list[Kept]:
    """Of every bound whose figure was measured."""
    found = []
    for bound in BOUNDS:
        slack = bound.slack if quick else 0.0
        for preset in bound.presets:
            estimate = figures.get(preset, {}).get(bound.figure)
            if estimate is not None:
                kept = bound.least - slack <= estimate.mean <= bound.most + slack
                found.append(Kept(bound, preset, estimate, kept))
    return found
