"""Bytes without their long runs of zeros, of which most of what the toy suite makes consists."""

_SOUGHT = bytes(32)
_MARK = b"\x93zeros\x1e\xc1\x07\x5a"
"""Before the length of a run (2 bytes); with a length of 0 it stands for itself."""
_ITSELF = _MARK + bytes(2)


def pack(data: bytes) -> bytes:
    """`unpack` gives back `data`, of at most 65,535 bytes. An exact copy where there is nothing to leave out."""
    at = data.find(_SOUGHT)
    if at < 0 and _MARK not in data:
        return memoryview(data).tobytes()  # an encoder's bytes may keep room for half as many more
    parts: list[bytes] = []
    while at >= 0:
        rest = data[at:].lstrip(b"\0")
        parts += (data[:at].replace(_MARK, _ITSELF), _MARK, (len(data) - at - len(rest)).to_bytes(2, "big"))
        data = rest
        at = data.find(_SOUGHT)
    parts.append(data.replace(_MARK, _ITSELF))
    return b"".join(parts)


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
