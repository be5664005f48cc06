"""What paddings leave of a length to see: texts from the workload, judged by mutual information."""

from collections.abc import Callable
from functools import partial

import numpy as np

from simulations.adversaries import size
from simulations.anchors.rows import Row, exact, repeat
from simulations.arrays import Integers
from simulations.workload import text_bytes

PADME = "Padmé, PETS 2019"
COMPARISON = "lognormal text, mean 113 B"
LARGEST_BYTES = 65_536


def left_to_see(pad: Callable[[Integers], Integers], rng: np.random.Generator, texts: int) -> float:
    """Bits of mutual information between a text's length and what is seen of it."""
    lengths = text_bytes(texts, rng).astype(np.int64)
    return size.leakage_bits(lengths, pad(lengths))


def measure(runs: int, texts: int = 100_000) -> list[Row]:
    """Every row, and Kassiber's envelopes beside them."""
    every = np.arange(1, LARGEST_BYTES + 1)
    padded = size.padme(every)
    overhead = float(((padded - every) / every).max()) * 100.0
    rows = [
        Row("largest overhead to 64 KiB, %", PADME, 11.628, exact(overhead), 0.001),
        Row("classes of length to 64 KiB", PADME, 172, exact(float(len(np.unique(padded)))), 0.0),
    ]
    paddings: tuple[tuple[str, Callable[[Integers], Integers], float, float], ...] = (
        ("no padding", np.copy, 8.08, 0.02),
        ("Padmé", size.padme, 5.74, 0.02),
        ("buckets of 512, 2,048, 8,192, 65,536", size.buckets, 0.21, 0.01),
    )
    for name, pad, figure, tolerance in paddings:
        bits = repeat(partial(left_to_see, pad, texts=texts), runs)
        rows.append(Row(f"{name}: bits left", COMPARISON, figure, bits, tolerance))
    return rows
