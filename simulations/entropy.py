"""Seeded randomness in two streams (`protocol.entropy.Entropy`): switching the crypto leaves the schedule alone."""

import random


class SeededEntropy:
    """One a participant. Not rolled back with a step: a step that is retried never re-uses a nonce."""

    def __init__(self, seed: str) -> None:
        self._secret = random.Random(f"{seed} secret")
        self._uniform = random.Random(f"{seed} uniform")

    def secret(self, length: int) -> bytes:
        """`length` bytes."""
        return self._secret.randbytes(length)

    def uniform(self) -> float:
        """In [0, 1)."""
        return self._uniform.random()
