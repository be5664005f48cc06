"""The presets of Spec 10 §2: what people choose between. Presets, not sliders: whoever differs stands out."""

from enum import Enum
from typing import NamedTuple

from msgspec.structs import replace

from protocol.timing import Timing
from protocol.wire.commands import Preset


class Stream(Enum):
    """What a frame is there for (Spec 10 §4). Nobody but the two ends can tell."""

    PAYLOAD = "payload"
    """What waits longest; cover where nothing waits."""
    LOOP = "loop"
    """An envelope of this node's to itself, through its entry relay; cover where it has none under way."""
    DROP = "drop"
    """Cover, always."""


class Rates(NamedTuple):
    """Frames a second of one direction of a *constant* link: three Poisson processes, of one slot each."""

    payload: float
    loop: float
    drop: float

    @property
    def total(self) -> float:
        """Frames a second of all three."""
        return self.payload + self.loop + self.drop

    def times(self, factor: float) -> "Rates":
        """The same shares, so much oftener."""
        return Rates(self.payload * factor, self.loop * factor, self.drop * factor)


TICK_SECONDS = 5.0
"""Mean of the exponential wait of *batched*, from when something waits to when it leaves."""
LATE_SECONDS = 1.0
"""A tick of *constant* that is met later than this is skipped."""

TO_RELAY = Rates(payload=0.068, loop=0.006, drop=0.003)
"""Of the lowest *constant* preset."""
_TO_NODE = Rates(payload=TO_RELAY.total, loop=0.0, drop=0.0)

TRAVEL_SECONDS = {
    Preset.DIRECT: 0.0,
    Preset.BATCHED: 45.0,
    Preset.CONSTANT: 180.0,
    Preset.CONSTANT_4: 45.0,
    Preset.CONSTANT_16: 12.0,
}
"""A command and its answer, alone on their link, take longer once in a thousand times or less."""

RECEIPT_MEAN_SECONDS = {preset: 60.0 if preset is Preset.DIRECT else 600.0 for preset in Preset}
"""Mean time between two ticks of a contact, at which receipts and other automatic envelopes leave (§6)."""

_FACTORS = {Preset.CONSTANT: 1.0, Preset.CONSTANT_4: 4.0, Preset.CONSTANT_16: 16.0}

RECEIPT_GAP_SECONDS = {preset: 100.0 / factor for preset, factor in _FACTORS.items()}
"""The same between two ticks of whichever contacts, at least: where ticks do not end they take a share of the link."""

NAMES = {preset: preset.name.lower().replace("_", "-") for preset in Preset}
"""As people and settings write them."""


def timing_of(preset: Preset, timing: Timing) -> Timing:
    """The durations of a node whose links have the preset; a mean of receipts' ticks that is set already stays."""
    return replace(
        timing,
        travel_seconds=TRAVEL_SECONDS[preset],
        receipt_mean_seconds=timing.receipt_mean_seconds or RECEIPT_MEAN_SECONDS[preset],
        receipt_gap_seconds=RECEIPT_GAP_SECONDS.get(preset),
    )


def rates(preset: Preset, *, to_relay: bool) -> Rates | None:
    """Of one direction; None where the preset is not a *constant* one."""
    factor = _FACTORS.get(preset)
    if factor is None:
        return None
    return (TO_RELAY if to_relay else _TO_NODE).times(factor)
