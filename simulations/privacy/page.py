"""The page of results, from the figures alone."""

from collections.abc import Iterator

from node.privacy import Estimate, Measured
from protocol.traffic.policies import NAMES as PRESETS
from simulations.privacy.figures import NAMES, judge
from simulations.privacy.plans import FULL, Extent

_HEAD = """\
# What each preset costs and hides

Written by `python -m simulations.privacy`, with the code of version {version}; `kassiber privacy` shows the same
figures. Means over seeds, at least {seeds} of each, with 95 % intervals. Everybody follows the preset, over two
relays, with 50 ms between node and relay; people are synthetic, and nobody goes offline. *Real nodes and relays* in
virtual time, on dict stores, with the toy suite; what the simulated wires show is held against captures of real ones
([captures.md](captures.md)). The receipt attack, the entry's pool, disclosure and intersection need weeks or many
people, and are of the model in `simulations/population`, which is held against a thousand real nodes where links are
*direct* ([population.md](population.md)), and whose *constant* frames leave as the real shaper draws them. Six hours
of *constant* links are not too long for real nodes: there the receipt attack finds as many as in the model, with
answers and without (`tests/simulations/privacy/test_answers.py`).

MB are of one link, both ways, with 4,300 bytes on the wire for a slot: a node with two relays pays twice. A quantile
is of all texts of all seeds, its interval the jackknife's. Bits of length: mutual information of the first frame
after a text and its length (lognormal, mean 113 bytes) in half doublings, corrected for what chance gives. AUC: all
pairs of links of two people, those on which texts went against the others, by the correlation that
`simulations/adversaries/timing.py` computes; 0.5 is guessing. *Found after 100 messages* is the receipt attack (NDSS
2021): which queue, of all, gets something soon after the target's does. By receipts: nobody answers, and it is looked
for 20 minutes (2 where links are *direct*); so also on real nodes, for nine days. By answers: people converse, and it
is looked for a minute; so also on real nodes with three relays, with and without entries. *The entry's pool*: the
real pool of Spec 12 §6, ticked each second with the envelopes of a thousand people; which of all that came a real
onion is that leaves, by the exact posterior, as its mean entropy. The closed form is 5.755 bits: (1 + n/N) log₂(N +
n) − (n/N) log₂ n, with N = 8 leaving and n = 16 staying. *δ*: the anonymity trilemma's game (S&P 2018), of a text and
somebody else who might have written it; its floor is what no protocol of this median delay and cover goes below.
Disclosure and intersection, of 30 days with and without cover (but for *constant-4* and *-16*), ask to whom somebody
writes: the share of true contacts among as many as score highest.

"""
_ASKED = """
## What was asked

"""
_TAIL = """
## What these figures do not say

- *direct* and *batched* do not hide who talks with whom from anybody who sees both ends. Batching saves frames.
- **Relays that collude find the correspondent by answers in every preset, *constant* too.** Cover is for who watches
  wires; a relay sees which envelopes are put into which queue. People answer within a minute, and links delay that by
  seconds. Receipts are another matter: in *constant* presets they leave at ticks that never end (Spec 10 §6), and
  without answers such relays guess. In *direct* and *batched* ticks follow texts, and give the pair away as well.
- Envelopes beside a text are counted beyond those ticks of *constant* links that come whether anybody writes or not.
- An entry's pool hides an onion among dummies from who watches wires. The destination opens what it gets, so it knows
  dummies from onions, as the entry does: *to who knows the dummies*.
- *direct* and *batched* stand far above the trilemma's floor: what hides a writer there are receipts and keep-alives of
  others, by chance. The floor knows only how much cover there is and how long a text takes. With *constant* links
  the floor is 0, and δ is the share of texts that came sooner than the other's links had sent anything.
- One relay is at the level of guessing because the answer's queue is on another relay (Spec 6 §4), and then there
  is nothing to find; that is the pairing rule's doing in every preset. It is said of a relay that sees queues. One
  that sees the sender's own link deposit, and the recipient's own link be served, needs no attack: forwarding (Spec
  12) is against that, not a preset: by entries no relay of a queue meets the link of who writes there. Of the few
  queues of so few people one relay of three has a third, so there it guesses right once in three to five.
- By entries, too, relays that collude join the two queues of a conversation: an entry hides who puts something there,
  not that two queues answer each other. An entry that shares its notes with the destination needs no timing at all.
- Nobody's node goes offline here. Coming and going shows, and correlates.
- TPR at one false alarm in a thousand is coarse where few pairs talk: see its interval. Of intervals of 95 % one in
  twenty leaves the truth out. That *constant* wires do not depend on texts at all is a test of its own
  (`tests/simulations/test_steady.py`).
- The attackers here are those that are named. Others may do better.

## Extent

| preset | idle | 40 texts, δ | texts alone | timing | receipts | the same, nodes | disclosure | pool | by entries |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


def write_page(measured: Measured) -> str:
    """Markdown."""
    lines = [_HEAD.format(version=measured.version, seeds=measured.seeds), *_table(measured), _ASKED]
    lines += ["| figure | preset | asked | measured | |", "| --- | --- | --- | --- | --- |"]
    for one in judge(measured.presets):
        asked = f"≤ {one.bound.most:g}" if one.bound.least == 0.0 else f"{one.bound.least:g} to {one.bound.most:g}"
        verdict = "kept" if one.kept else "**missed**"
        lines.append(f"| {NAMES[one.bound.figure]} | {one.preset} | {asked} | {show(one.estimate)} | {verdict} |")
    lines += [_TAIL.rstrip("\n"), *_extents()]
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def _table(measured: Measured) -> Iterator[str]:
    yield f"| | {' | '.join(measured.presets)} |"
    yield "| --- |" + " --- |" * len(measured.presets)
    for key, name in NAMES.items():
        cells = (show(figures[key]) if key in figures else "" for figures in measured.presets.values())
        yield f"| {name} | {' | '.join(cells)} |"


def show(estimate: Estimate) -> str:
    """Mean ± half width, to the place that the interval has."""
    places = 0
    while places < 4 and estimate.half_width * 10**places < 2.0:
        places += 1
    if estimate.half_width == 0.0:
        return f"{estimate.mean:.4g}"
    return f"{estimate.mean:.{places}f} ± {estimate.half_width:.{places}f}"


def _extents() -> Iterator[str]:
    for preset, plan in FULL.items():
        idle = plan.idle._replace(texts_per_day=0.0)
        parts = (idle, plan.used, plan.alone, plan.busy, plan.weeks, plan.nodes, plan.month, plan.mix, plan.entries)
        yield f"| {PRESETS[preset]} | {' | '.join(map(_extent, parts))} |"


def _extent(extent: Extent) -> str:
    if not extent.people:
        return ""
    span = f"{extent.hours / 24.0:g} days" if extent.hours >= 48.0 else f"{extent.hours:g} h"
    return f"{extent.people} people, {span}, {extent.texts_per_day:g} texts a day"
