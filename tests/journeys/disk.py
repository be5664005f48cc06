"""A small disk that a test can fill to its last byte."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

FILLING = "filling"


@contextmanager
def small_disk(directory: Path, mebibytes: int) -> Iterator[None]:
    """`directory`, made here, is a file system of its own. Skips where this user may not mount one."""
    directory.mkdir(mode=0o700)
    options = f"size={mebibytes}m,mode=0700"
    try:
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "kassiber-test", str(directory)], capture_output=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("needs mount(8) for a disk that can be filled")
    if made.returncode != 0:
        pytest.skip(f"needs the right to mount a disk that can be filled: {made.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def fill(directory: Path) -> None:
    """Until not one byte more fits."""
    with (directory / FILLING).open("ab", buffering=0) as file:
        for size in (2**20, 4_096, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                continue


def empty(directory: Path) -> None:
    """What `fill` took is free again."""
    (directory / FILLING).unlink()
