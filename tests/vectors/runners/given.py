"""A vector's input, read; and the randomness that it plays back."""

from collections.abc import Mapping
from typing import Any

from protocol.crypto.suite import RealSuite
from protocol.keys import KemCiphertext, KemPublic
from tests.vectors.independent import mlkem
from tests.vectors.scenario import from_hex

Result = Mapping[str, Any]


class Given:
    """Named values of a vector."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def raw(self, name: str) -> bytes:
        """Bytes."""
        return from_hex(self.values[name])

    def raws(self, name: str) -> list[bytes]:
        """A list of bytes."""
        return [from_hex(value) for value in self.values[name]]

    def text(self, name: str) -> str:
        """A text that is not bytes."""
        value = self.values[name]
        assert isinstance(value, str)
        return value

    def number(self, name: str) -> int:
        """An integer."""
        value = self.values[name]
        assert isinstance(value, int)
        return value

    def inner(self, name: str) -> "Given":
        """An object."""
        return Given(self.values[name])

    def inners(self, name: str) -> list["Given"]:
        """A list of objects."""
        return [Given(value) for value in self.values[name]]

    def __contains__(self, name: str) -> bool:
        return name in self.values


class PlayedEntropy:
    """Gives out the secrets that a vector holds, in order, and no other."""

    def __init__(self, *secrets: bytes) -> None:
        self.secrets = list(secrets)

    def secret(self, length: int) -> bytes:
        """The next one, whose length must be the one asked for."""
        secret = self.secrets.pop(0)
        assert len(secret) == length, f"{length} bytes were asked for, the vector has {len(secret)}"
        return secret

    def uniform(self) -> float:
        """The middle."""
        return 0.5


class PlayedSuite(RealSuite):
    """The real suite, but for the coins of an encapsulation, which OpenSSL does not let anybody choose."""

    def __init__(self, *coins: bytes) -> None:
        super().__init__()
        self.coins = list(coins)

    def kem_encapsulate(self, public: KemPublic) -> tuple[bytes, KemCiphertext]:
        """With the vector's coins, once OpenSSL has taken the key."""
        super().kem_encapsulate(public)
        secret, ciphertext = mlkem.encapsulate(public, self.coins.pop(0))
        return secret, KemCiphertext(ciphertext)
