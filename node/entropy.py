"""The system's randomness. There is no other in a node; seeded entropy lives in `simulations`."""

import os
from random import SystemRandom

_random = SystemRandom()


class SystemEntropy:
    """`protocol.entropy.Entropy` from the kernel."""

    def secret(self, length: int) -> bytes:
        """`length` random bytes."""
        return os.urandom(length)

    def uniform(self) -> float:
        """In [0, 1), in steps of 2⁻⁵³."""
        return _random.random()
