"""Spec 10: frames chosen from what waits, under each preset and given draws."""

from collections.abc import Iterator, Sequence
from typing import Any

from tests.vectors.independent.traffic import Frame, batched, constant
from tests.vectors.scenario import Draw, Scenario

_DEPOSIT, _DELIVERY, _ACK, _PROVE = 3_939, 3_948, 15, 92


def scenarios() -> Iterator[Scenario]:
    """All of Spec 10."""
    yield from _quiet()
    yield from _constant()


def _draws(name: str, count: int) -> list[float]:
    """In [0, 1), exact in ten binary digits."""
    draw = Draw(name)
    return [int.from_bytes(draw(2), "big") // 64 / 1_024 for _ in range(count)]


def _scenario(
    name: str, title: str, preset: str, to: str, draws: list[float], until: float,
    arrivals: Sequence[tuple[float, int]], frames: list[Frame], busy: Sequence[tuple[float, float]] = (),
) -> Scenario:  # fmt: skip
    given: dict[str, Any] = {"preset": preset, "to": to, "draws": draws, "until": until}
    given |= {"queued": [list(one) for one in arrivals], "busy": [list(one) for one in busy]}
    section = "10 §4" if preset.startswith("constant") else "10 §3"
    return Scenario(f"traffic-{name}", section, title, "traffic", given, {"frames": frames})


def _quiet() -> Iterator[Scenario]:
    burst = [(10.0 + number / 1_024, _DEPOSIT) for number in range(20)]
    mixed = [(1.0, _PROVE), (1.5, _PROVE), (2.0, _DEPOSIT), (600.0, _ACK), (600.5, _DEPOSIT), (900.0, _ACK)]
    for name, title, arrivals in (
        ("idle", "keep-alives and nothing else", []),
        ("burst", "twenty envelopes at once", burst),
        ("mixed", "small commands and envelopes, with silences between", mixed),
    ):
        draws = _draws(f"batched {name}", 40)
        yield _scenario(
            f"batched-{name}", title, "batched", "relay", draws, 1_500.0, arrivals,
            batched(iter(draws), 1_500.0, arrivals),
        )  # fmt: skip
    apart = [(1.0, _PROVE), (2.0, _DEPOSIT), (600.0, _ACK), (1_000.0, 3 * _DELIVERY)]
    draws = _draws("direct", 40)
    yield _scenario(
        "direct", "each at once", "direct", "node", draws, 1_500.0, apart,
        batched(iter(draws), 1_500.0, apart, mean=0.0),
    )  # fmt: skip


def _constant() -> Iterator[Scenario]:
    backlog = [(0.0, _PROVE)] * 50 + [(5.0, _DEPOSIT), (5.0, _ACK), (5.0, _ACK), (5.0, _DEPOSIT)]
    cases = [
        ("idle", "nothing waits", "constant", "relay", [], ()),
        ("backlog", "the same draws, and much that waits: the same frames", "constant", "relay", backlog, ()),
        ("busy", "the transport is full for two minutes: what was due then is skipped", "constant", "relay", backlog,
         [(60.0, 180.0)]),
        ("to-node", "a relay's side has one stream", "constant", "node", [(9.0, _DELIVERY)] * 3, ()),
        ("4", "four times as often", "constant-4", "relay", [(30.0, _DEPOSIT)] * 4, ()),
        ("16", "sixteen times as often", "constant-16", "node", [(3.0, _DELIVERY)] * 4, ()),
    ]  # fmt: skip
    for name, title, preset, to, arrivals, busy in cases:
        draws = _draws("constant", 200)
        until = {"constant": 300.0, "constant-4": 80.0, "constant-16": 20.0}[preset]
        frames = constant(preset, to == "relay", iter(draws), until, arrivals, busy)
        yield _scenario(f"constant-{name}", title, preset, to, draws, until, arrivals, frames, busy)
