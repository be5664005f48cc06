"""Looks for secrets in bytes: disks, logs and memory, in every form in which a program may have written them."""

import base64
import json
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

SHORTEST_FORM_BYTES = 7
"""What is shorter is found by chance."""


def forms_of_key(key: bytes) -> set[bytes]:
    """As it is, in hexadecimal, and in base64 of both alphabets at each of its three alignments."""
    digits = key.hex().encode()
    return _long_enough({key, digits, digits.upper(), *_base64(key)})


def forms_of_text(text: str) -> set[bytes]:
    """In the encodings that programs keep text in, escaped, and as bytes that were encoded further."""
    content = text.encode()
    wide = {text.encode("utf-16-le"), text.encode("utf-32-le")}
    return _long_enough({json.dumps(text)[1:-1].encode(), *wide, *forms_of_key(content)})


def _base64(content: bytes) -> Iterator[bytes]:
    """Without the characters at both ends that depend on what is beside."""
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + content)
        middle = encoded[4 * (offset > 0) : 4 * ((offset + len(content)) // 3)]
        yield middle
        yield middle.translate(bytes.maketrans(b"+/", b"-_"))


def _long_enough(forms: set[bytes]) -> set[bytes]:
    return {form for form in forms if len(form) >= SHORTEST_FORM_BYTES}


def found(secrets: Mapping[str, set[bytes]], places: Mapping[str, bytes]) -> list[str]:
    """ "what in where", for each secret that is in a place in any of its forms."""
    return [
        f"{what} in {where}"
        for where, content in places.items()
        for what, forms in secrets.items()
        if any(form in content for form in forms)
    ]


def memory_of(pid: int) -> bytes:
    """All that a running process has written to its memory; it stands still meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        pieces = []
        with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
            for line in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines():
                place, rights = line.split()[:2]
                if rights.startswith("rw"):
                    begin, end = (int(address, 16) for address in place.split("-"))
                    memory.seek(begin)
                    pieces.append(_read(memory.fileno(), end - begin))
        return b"\0".join(pieces)
    finally:
        os.kill(pid, signal.SIGCONT)


def _read(descriptor: int, size: int) -> bytes:
    content = b""
    while len(content) < size:
        try:
            piece = os.read(descriptor, size - len(content))
        except OSError:  # guard pages
            break
        if not piece:
            break
        content += piece
    return content
