"""Streams of chance by name: a seed's own, so that one that is asked more often changes no other."""

import random


def stream(*name: object) -> random.Random:
    """The same for the same name."""
    return random.Random(" ".join(map(str, name)))
