"""Two streams of randomness, never one: switching the crypto must not change the schedule."""

from typing import Protocol


class Entropy(Protocol):
    """Handed to machines and links; `node` has the system's, `simulations` a seeded one."""

    def secret(self, length: int) -> bytes:
        """`length` random bytes for keys, ids and nonces."""

    def uniform(self) -> float:
        """A number in [0, 1) for jitter, shuffles and ticks."""
