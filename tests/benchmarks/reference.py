"""Machine: bare primitives here, against the machine on which the promises were set

The promises stay as they are. What a figure would be at the reference speed, the last column of every table, is its
value divided (a rate: multiplied) by the factor in the last row: so a reader sees how much of a miss is the machine's.
"""

import hashlib
import math
import os
import statistics
import time
from collections.abc import Callable
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import mlkem
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from nacl import bindings as sodium

from tests.benchmarks.table import Row

REFERENCE_MICROSECONDS = {
    "Ed25519 verify": 45.5,  # 42 to 49, in two runs
    "Ed25519 sign": 15.0,
    "X25519": 31.0,
    "ML-KEM-768 key from a seed": 122.0,
    "XChaCha20-Poly1305, 4 KiB": 6.4,
    "ChaCha20-Poly1305, 4 KiB": 2.5,
    "BLAKE2b-256, 4 KiB": 3.6,
}
"""A shared virtual machine with two cores; libsodium through PyNaCl, OpenSSL through `cryptography`, hashlib."""


def microseconds(action: Callable[[], Any], times: int = 200, rounds: int = 15) -> float:
    """CPU of one call, system time included: the median of the rounds."""
    taken = []
    for _ in range(rounds):
        begun = time.thread_time()
        for _ in range(times):
            action()
        taken.append((time.thread_time() - begun) / times * 1e6)
    return statistics.median(taken)


def _actions() -> dict[str, Callable[[], Any]]:
    public, signing = sodium.crypto_sign_seed_keypair(os.urandom(32))
    signed = sodium.crypto_sign(os.urandom(57), signing)
    private, other = os.urandom(32), sodium.crypto_scalarmult_base(os.urandom(32))
    slot, key, nonce, seed = os.urandom(4_096), os.urandom(32), os.urandom(24), os.urandom(64)
    cipher = ChaCha20Poly1305(key)
    return {
        "Ed25519 verify": lambda: sodium.crypto_sign_open(signed, public),
        "Ed25519 sign": lambda: sodium.crypto_sign(signed, signing),
        "X25519": lambda: sodium.crypto_scalarmult(private, other),
        "ML-KEM-768 key from a seed": lambda: mlkem.MLKEM768PrivateKey.from_seed_bytes(seed),
        "XChaCha20-Poly1305, 4 KiB": lambda: sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(slot, None, nonce, key),
        "ChaCha20-Poly1305, 4 KiB": lambda: cipher.encrypt(nonce[:12], slot, None),
        "BLAKE2b-256, 4 KiB": lambda: hashlib.blake2b(slot, digest_size=32).digest(),
    }


@cache
def measured() -> dict[str, float]:
    """µs of each primitive, once a run."""
    return {name: microseconds(action) for name, action in _actions().items()}


def factor() -> float:
    """How many times slower than the reference this machine is now: the geometric mean over the primitives."""
    ratios = [taken / REFERENCE_MICROSECONDS[name] for name, taken in measured().items()]
    return math.exp(statistics.fmean(map(math.log, ratios)))


def measure(full: bool, only: str) -> list[Row]:
    """A second; `full` changes nothing."""
    rows = [
        Row(name, f"reference {REFERENCE_MICROSECONDS[name]:g} µs", taken, "µs CPU")
        for name, taken in measured().items()
    ]
    rows.append(Row("this machine against the reference", "geometric mean of the above", factor(), "x"))
    return [row for row in rows if only in row.name]
