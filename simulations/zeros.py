"""Bytes without their long runs of zeros, of which most of what the toy suite makes consists."""

_SOUGHT = bytes(32)
_POWERS = [bytes(2**power) for power in range(10, -1, -1)]
_MARK = b"\x93zeros\x1e\xc1\x07\x5a"
"""Before the length of a run (2 bytes); with a length of 0 it stands for itself."""
_ITSELF = _MARK + bytes(2)


def pack(data: bytes) -> bytes:
    """`unpack` gives back `data`, of at most 65,535 bytes. An exact copy where there is nothing to leave out."""
    at = data.find(_SOUGHT)
    if at < 0 and _MARK not in data:
        return memoryview(data).tobytes()  # an encoder's bytes may keep room for half as many more
    parts: list[bytes] = []
    start = 0
    while at >= 0:
        end = _end_of_zeros(data, at + len(_SOUGHT))
        parts += (data[start:at].replace(_MARK, _ITSELF), _MARK, (end - at).to_bytes(2, "big"))
        start = end
        at = data.find(_SOUGHT, start)
    parts.append(data[start:].replace(_MARK, _ITSELF))
    return b"".join(parts)


def _end_of_zeros(data: bytes, at: int) -> int:
    """Where the zeros end that begin there; by halves, as `lstrip` looks at each byte by itself."""
    for zeros in _POWERS:
        while data.startswith(zeros, at):
            at += len(zeros)
    return at


def unpack(packed: bytes) -> bytes:
    """What was packed."""
    at = packed.find(_MARK)
    if at < 0:
        return packed
    parts: list[bytes] = []
    start = 0
    while at >= 0:
        parts.append(packed[start:at])
        start = at + len(_ITSELF)
        parts.append(bytes(int.from_bytes(packed[start - 2 : start], "big")) or _MARK)
        at = packed.find(_MARK, start)
    parts.append(packed[start:])
    return b"".join(parts)
