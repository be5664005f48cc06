"""ML-KEM-768 in plain Python (FIPS 203), coins handed in. Neither fast nor constant-time."""

import hashlib
from collections.abc import Iterable

_N, _Q, _K = 256, 3_329, 3
_DU, _DV = 10, 4
Polynomial = list[int]


def _bit_reversed(i: int) -> int:
    return int(f"{i:07b}"[::-1], 2)


_ZETAS = [pow(17, _bit_reversed(i), _Q) for i in range(128)]
_GAMMAS = [pow(17, 2 * _bit_reversed(i) + 1, _Q) for i in range(128)]


def public_key(seed: bytes) -> bytes:
    """1,184-byte encapsulation key of a 64-byte seed d ‖ z (Algorithms 13 and 16)."""
    matrix, secret, rho = _expand(seed[:32])
    noise = [_ntt(_sample_cbd(_prf(_sigma(seed[:32]), _K + i))) for i in range(_K)]
    t = [_add(_sum(_multiply(matrix[i][j], secret[j]) for j in range(_K)), noise[i]) for i in range(_K)]
    return b"".join(_encode(row, 12) for row in t) + rho


def encapsulate(public: bytes, coins: bytes) -> tuple[bytes, bytes]:
    """Shared secret 32 and ciphertext 1,088 from 32 bytes of coins (Algorithm 17)."""
    assert len(public) == 1_184
    assert len(coins) == 32
    keys = hashlib.sha3_512(coins + hashlib.sha3_256(public).digest()).digest()
    return keys[:32], _encrypt(public, coins, keys[32:])


def decapsulate(seed: bytes, ciphertext: bytes) -> bytes:
    """32-byte shared secret, with implicit rejection (Algorithm 18)."""
    public = public_key(seed)
    _, secret, _ = _expand(seed[:32])
    u = [_decompress(_decode(ciphertext[320 * i : 320 * i + 320], _DU), _DU) for i in range(_K)]
    v = _decompress(_decode(ciphertext[960:], _DV), _DV)
    product = _inverse_ntt(_sum(_multiply(secret[i], _ntt(u[i])) for i in range(_K)))
    message = _encode(_compress([(a - b) % _Q for a, b in zip(v, product, strict=True)], 1), 1)
    keys = hashlib.sha3_512(message + hashlib.sha3_256(public).digest()).digest()
    if _encrypt(public, message, keys[32:]) == ciphertext:
        return keys[:32]
    return hashlib.shake_256(seed[32:] + ciphertext).digest(32)


def _sigma(d: bytes) -> bytes:
    """The seed of secret and noise."""
    return hashlib.sha3_512(d + bytes((_K,))).digest()[32:]


def _expand(d: bytes) -> tuple[list[list[Polynomial]], list[Polynomial], bytes]:
    rho = hashlib.sha3_512(d + bytes((_K,))).digest()[:32]
    sigma = _sigma(d)
    secret = [_ntt(_sample_cbd(_prf(sigma, i))) for i in range(_K)]
    return _matrix(rho), secret, rho


def _matrix(rho: bytes) -> list[list[Polynomial]]:
    return [[_sample_ntt(rho + bytes((j, i))) for j in range(_K)] for i in range(_K)]


def _encrypt(public: bytes, message: bytes, randomness: bytes) -> bytes:
    """K-PKE.Encrypt (Algorithm 14)."""
    t = [_decode(public[384 * i : 384 * i + 384], 12) for i in range(_K)]
    matrix = _matrix(public[1_152:])
    y = [_ntt(_sample_cbd(_prf(randomness, i))) for i in range(_K)]
    e1 = [_sample_cbd(_prf(randomness, _K + i)) for i in range(_K)]
    e2 = _sample_cbd(_prf(randomness, 2 * _K))
    u = [_add(_inverse_ntt(_sum(_multiply(matrix[j][i], y[j]) for j in range(_K))), e1[i]) for i in range(_K)]
    product = _inverse_ntt(_sum(_multiply(t[i], y[i]) for i in range(_K)))
    v = _add(_add(product, e2), _decompress(_decode(message, 1), 1))
    return b"".join(_encode(_compress(row, _DU), _DU) for row in u) + _encode(_compress(v, _DV), _DV)


def _prf(seed: bytes, number: int) -> bytes:
    return hashlib.shake_256(seed + bytes((number,))).digest(128)


def _sample_ntt(seed: bytes) -> Polynomial:
    """Algorithm 7."""
    stream = hashlib.shake_128(seed).digest(3 * 512)
    found: Polynomial = []
    for i in range(0, len(stream), 3):
        a, b, c = stream[i : i + 3]
        found += [value for value in (a + 256 * (b % 16), b // 16 + 16 * c) if value < _Q]
    assert len(found) >= _N
    return found[:_N]


def _sample_cbd(stream: bytes) -> Polynomial:
    """Algorithm 8 with eta 2."""
    bits = [stream[i // 8] >> i % 8 & 1 for i in range(8 * len(stream))]
    return [(bits[i] + bits[i + 1] - bits[i + 2] - bits[i + 3]) % _Q for i in range(0, len(bits), 4)]


def _ntt(polynomial: Polynomial) -> Polynomial:
    """Algorithm 9."""
    f, i, length = list(polynomial), 1, 128
    while length >= 2:
        for start in range(0, _N, 2 * length):
            zeta = _ZETAS[i]
            i += 1
            for j in range(start, start + length):
                t = zeta * f[j + length] % _Q
                f[j], f[j + length] = (f[j] + t) % _Q, (f[j] - t) % _Q
        length //= 2
    return f


def _inverse_ntt(polynomial: Polynomial) -> Polynomial:
    """Algorithm 10."""
    f, i, length = list(polynomial), 127, 2
    while length <= 128:
        for start in range(0, _N, 2 * length):
            zeta = _ZETAS[i]
            i -= 1
            for j in range(start, start + length):
                t = f[j]
                f[j], f[j + length] = (t + f[j + length]) % _Q, zeta * (f[j + length] - t) % _Q
        length *= 2
    return [value * 3_303 % _Q for value in f]


def _multiply(one: Polynomial, other: Polynomial) -> Polynomial:
    """Algorithms 11 and 12: in the transformed domain."""
    product: Polynomial = []
    for i in range(128):
        a0, a1, b0, b1 = one[2 * i], one[2 * i + 1], other[2 * i], other[2 * i + 1]
        product += [(a0 * b0 + a1 * b1 * _GAMMAS[i]) % _Q, (a0 * b1 + a1 * b0) % _Q]
    return product


def _add(one: Polynomial, other: Polynomial) -> Polynomial:
    return [(a + b) % _Q for a, b in zip(one, other, strict=True)]


def _sum(polynomials: Iterable[Polynomial]) -> Polynomial:
    total = [0] * _N
    for polynomial in polynomials:
        total = _add(total, polynomial)
    return total


def _compress(polynomial: Polynomial, bits: int) -> Polynomial:
    return [((value << bits) + _Q // 2) // _Q % (1 << bits) for value in polynomial]


def _decompress(polynomial: Polynomial, bits: int) -> Polynomial:
    return [(value * _Q + (1 << bits - 1)) >> bits for value in polynomial]


def _encode(polynomial: Polynomial, bits: int) -> bytes:
    """Algorithm 5."""
    return sum(value << bits * i for i, value in enumerate(polynomial)).to_bytes(32 * bits, "little")


def _decode(encoded: bytes, bits: int) -> Polynomial:
    """Algorithm 6, without the reduction that a valid key does not need."""
    number = int.from_bytes(encoded, "little")
    return [number >> bits * i & (1 << bits) - 1 for i in range(_N)]
