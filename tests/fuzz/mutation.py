"""Seeded random mutation: what runs where atheris has no build, and in the test suite."""

from collections.abc import Iterator, Sequence
from random import Random

_INTERESTING = bytes((0x00, 0x01, 0x7F, 0x80, 0x90, 0x9F, 0xC0, 0xC1, 0xC4, 0xC6, 0xCF, 0xDC, 0xDD, 0xDE, 0xFF))


def mutants(seeds: Sequence[bytes], longest: int, random: Random) -> Iterator[bytes]:
    """Without end: one to four changes to one of the seeds, at most `longest` bytes."""
    while True:
        mutant = bytearray(random.choice(seeds or (b"",)))
        for _ in range(random.randint(1, 4)):
            _change(mutant, seeds, random)
        yield bytes(mutant[:longest])


def _change(mutant: bytearray, seeds: Sequence[bytes], random: Random) -> None:
    # Most of what a decoder decides on stands at the front.
    at = min(random.randrange(len(mutant) + 1), random.randrange(len(mutant) + 1))
    length = random.choice((1, 1, 2, 4, 16, 256))
    match random.randrange(6):
        case 0 if at < len(mutant):
            mutant[at] ^= 1 << random.randrange(8)
        case 1 if at < len(mutant):
            mutant[at] = random.choice(_INTERESTING)
        case 2:
            mutant[at:at] = random.randbytes(length)
        case 3:
            del mutant[at : at + length]
        case 4:
            mutant[at:at] = mutant[at : at + length]
        case _:
            other = random.choice(seeds or (b"",))
            mutant[at:] = other[random.randrange(len(other) + 1) :]
