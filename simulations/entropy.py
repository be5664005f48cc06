"""Seeded randomness in two streams (`protocol.entropy.Entropy`): switching the crypto leaves the schedule alone."""

import hashlib
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


class CounterEntropy:
    """The same from a counter under a hash: a hundred bytes a participant, where two generators take five thousand."""

    __slots__ = ("_count", "_key")

    def __init__(self, seed: str) -> None:
        self._key = hashlib.blake2b(seed.encode(), digest_size=32).digest()
        self._count = [0, 0]

    def secret(self, length: int) -> bytes:
        """`length` bytes, at most 64."""
        self._count[0] += 1
        return hashlib.blake2b(
            self._count[0].to_bytes(8, "big"), digest_size=length, key=self._key, person=b"secret"
        ).digest()

    def uniform(self) -> float:
        """In [0, 1)."""
        self._count[1] += 1
        drawn = hashlib.blake2b(self._count[1].to_bytes(8, "big"), digest_size=8, key=self._key, person=b"uniform")
        return (int.from_bytes(drawn.digest(), "big") >> 11) * 2.0**-53
