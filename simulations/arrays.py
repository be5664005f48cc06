"""Names for the NumPy columns that observers, workloads and populations hand to each other."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
"""Seconds, bits, probabilities."""
Integers: TypeAlias = NDArray[np.int64]
"""Counts and indexes."""
Numbers: TypeAlias = NDArray[np.int32]
"""Names: of links, hosts, queues, users; and lengths in bytes."""
Flags: TypeAlias = NDArray[np.bool_]
Kinds: TypeAlias = NDArray[np.int8]
