"""What each preset costs and hides, as it was measured: read here, made by `python -m simulations.privacy`."""

from importlib.resources import files

import msgspec
from msgspec import Struct


class Estimate(Struct, frozen=True):
    """A mean of `runs` seeds, and half the width of its 95 % interval."""

    mean: float
    half_width: float
    runs: int


class Measured(Struct, frozen=True, forbid_unknown_fields=True):
    """Figures by the names of presets, then by their own: `simulations.privacy.figures` says what each one is."""

    version: str
    """Of the program that was measured."""
    seeds: int
    """Of each figure, at least."""
    presets: dict[str, dict[str, Estimate]]


def read_figures() -> Measured:
    """Those that came with the program."""
    return msgspec.json.decode((files(__name__) / "figures.json").read_bytes(), type=Measured)


def picture() -> bytes:
    """The same as SVG."""
    return (files(__name__) / "figures.svg").read_bytes()
