"""The page: every figure of the captures beside the simulator's."""

from collections.abc import Iterator

from protocol.traffic.policies import NAMES
from simulations.captures.comparing import CONFIDENCE, TOLERANCE, Compared, Plan

_HEAD = """# Captures of real traffic, beside the simulator

Written by `python -m simulations.captures`. {people} whole nodes with {contacts} contacts each and {relays} relays
(real crypto, databases in files, TCP over loopback) exchange {texts} texts in {hours:g} h, in bursts of conversation,
and for {idle:g} h nothing is said. Time passes {speed:g} times as fast: durations and ticks of the nodes' timing are
divided by {speed:g}, and times here are multiplied by it. A tap in each cable writes down when a message went by, which
way, and how long it was; the attackers of [privacy.md](privacy.md) get nothing else.

*Simulator*: the same people with the same texts at the same times, {seeds} seeds. ± is where one further run lies, with
{confidence:g} % in all rows of this page together (Student's prediction interval, its α divided by the rows); a capture
is one run, and *within* where it lies there, or within {tolerance:g} % of the mean. A node's own milliseconds count
{speed:g} times here, so the simulator's steps take as long as a wish took to be durable on these nodes ({steps:.3g} s),
and its latency is such that the median of a *direct* text is as on these wires ({latency:.3g} s one way): how long
*direct* texts take is given, and not compared. Envelopes are counted by the relays' own books. A slot of 4,096 bytes
took {wire:,.0f} bytes of TCP.

| figure | preset | capture | simulator | |
| --- | --- | --- | --- | --- |"""


_TAIL = """
What is within is not the same. Compressed time makes a machine slow: ticks of a *constant* link that come due while a
frame of it is being sent are skipped (Spec 10), and a frame's milliseconds are so many times as long a part of the time
between two ticks as on a node at its own pace. Captures of *constant* links show some 2 % fewer frames, as that would
make them; it was not looked into further. Intervals of AUC are wide where few pairs talk at once. The order of messages
within a burst, sizes of TCP segments and connections that end are not looked at.
"""


def render(plan: Plan, compared: Compared) -> Iterator[str]:
    """The lines of a page, in Markdown."""
    yield _HEAD.format(
        people=plan.used.people, contacts=plan.used.contacts, relays=2, texts=compared.texts, hours=plan.used.hours,
        idle=plan.idle_hours,
        speed=plan.speed, seeds=plan.seeds, confidence=100.0 * CONFIDENCE,
        tolerance=100.0 * TOLERANCE, latency=compared.latency_seconds,
        steps=compared.step_seconds,
        wire=compared.wire_bytes,
    )  # fmt: skip
    for preset, rows in compared.rows.items():
        for row in rows:
            half = row.half_width(compared.figures)
            verdict = "within" if row.kept(compared.figures) else "**outside**"
            yield f"| {row.figure} | {NAMES[preset]} | {row.capture:.4g} | {row.mean:.4g} ± {half:.2g} | {verdict} |"
    yield _TAIL.rstrip("\n")
