"""What the length of something tells: paddings, and the bits that are left to see."""

import numpy as np

from protocol.limits import CHUNK_BYTES, FRAME_SLOTS
from simulations.arrays import Floats, Integers

TEXT_BUCKETS = (512, 2_048, 8_192, 65_536)
CONTENT_OVERHEAD_BYTES = 47
"""Of a text's content beside the text itself, with one parent (Spec 5 §4)."""


def entropy_bits(weights: Floats | Integers) -> float:
    """Shannon entropy of a distribution given by weights that need not add up to one."""
    shares = weights[weights > 0] / weights.sum()
    return float(-(shares * np.log2(shares)).sum())


def leakage_bits(secret: Integers, seen: Integers) -> float:
    """Mutual information of what is secret and what is seen, from as many pairs as there are (plug-in estimate).

    The estimate is too high by about (classes of pairs) / (2 n ln 2); hand in many.
    """
    _, secret_classes = np.unique(secret, return_inverse=True)
    _, seen_classes = np.unique(seen, return_inverse=True)
    width = int(seen_classes.max()) + 1
    _, pairs = np.unique(secret_classes * width + seen_classes, return_counts=True)
    return entropy_bits(np.bincount(secret_classes)) + entropy_bits(np.bincount(seen_classes)) - entropy_bits(pairs)


def padme(lengths: Integers) -> Integers:
    """Padmé (PETS 2019): so many low bits are zero that the exponent's own length is all that is left of them."""
    lengths = np.asarray(lengths, dtype=np.int64)
    exponent = np.frexp(lengths.astype(np.float64))[1].astype(np.int64) - 1
    kept = np.where(exponent > 0, np.frexp(np.maximum(exponent, 1).astype(np.float64))[1], 0)
    mask = (np.int64(1) << np.maximum(exponent - kept, 0)) - 1
    return np.asarray((lengths + mask) & ~mask, dtype=np.int64)


def buckets(lengths: Integers, sizes: tuple[int, ...] = TEXT_BUCKETS) -> Integers:
    """The smallest of `sizes` that holds each length; a longer one fills as many of the largest as it needs."""
    ends = np.asarray(sizes, dtype=np.int64)
    place = np.searchsorted(ends, lengths)
    multiple = -(-np.asarray(lengths, dtype=np.int64) // ends[-1]) * ends[-1]
    return np.asarray(np.where(place < len(ends), ends[np.minimum(place, len(ends) - 1)], multiple), dtype=np.int64)


def envelopes(text_bytes: Integers) -> Integers:
    """How many envelopes carry a text of so many bytes: one for each fragment of its content (Spec 5 §4)."""
    content = np.asarray(text_bytes, dtype=np.int64) + CONTENT_OVERHEAD_BYTES
    return np.asarray(-(-content // CHUNK_BYTES), dtype=np.int64)


def frame_slots(envelopes_waiting: Integers) -> Integers:
    """Slots of the frames in which so many envelopes leave together: full ones, then the smallest for the rest."""
    waiting = np.asarray(envelopes_waiting, dtype=np.int64)
    full, rest = np.divmod(waiting, FRAME_SLOTS[-1])
    sizes = np.asarray((0, *FRAME_SLOTS), dtype=np.int64)
    return np.asarray(full * FRAME_SLOTS[-1] + sizes[np.searchsorted(sizes, rest)], dtype=np.int64)
