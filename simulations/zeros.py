"""Bytes without their long runs of zeros, of which most of what the toy suite makes consists."""

_SOUGHT = bytes(32)
_MARK = b"\x93zeros\x1e\xc1\x07\x5a"
"""Before the length of a run (2 bytes); no input has it."""


def pack(data: bytes) -> bytes:
    """`unpack` gives back `data`, of at most 65,535 bytes. An exact copy where there is nothing to leave out."""
    at = data.find(_SOUGHT)
    if at < 0:
        return memoryview(data).tobytes()  # an encoder's bytes may keep room for half as many more
    assert _MARK not in data
    parts: list[bytes] = []
    while at >= 0:
        rest = data[at:].lstrip(b"\0")
        parts += (data[:at], _MARK, (len(data) - at - len(rest)).to_bytes(2, "big"))
        data = rest
        at = data.find(_SOUGHT)
    parts.append(data)
    return b"".join(parts)


def unpack(packed: bytes) -> bytes:
    """What was packed."""
    first, *others = packed.split(_MARK)
    if not others:
        return packed
    parts = [first]
    for other in others:
        parts += (bytes(int.from_bytes(other[:2], "big")), other[2:])
    return b"".join(parts)
