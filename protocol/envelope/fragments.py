"""Longer content is cut into fragments and re-assembled whole or not at all (Spec 5 §4)."""

from collections.abc import Sequence

from protocol.errors import Code, PeerError
from protocol.limits import CHUNK_BYTES, MAX_CONTENT_BYTES


def fragment_count(content: bytes) -> int:
    """How many fragments carry `content`."""
    return max(1, -(-len(content) // CHUNK_BYTES))


def cut_fragment(content: bytes, index: int) -> bytes:
    """Chunk `index`: 1,384 bytes, the last one what remains."""
    return content[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES]


def join_fragments(chunks: Sequence[bytes]) -> bytes:
    """All chunks in order. Raises PeerError MALFORMED where one but the last is short, TOO_LARGE past the limit."""
    if any(len(chunk) != CHUNK_BYTES for chunk in chunks[:-1]):
        raise PeerError(Code.MALFORMED, "a short fragment that is not the last")
    content = b"".join(chunks)
    if len(content) > MAX_CONTENT_BYTES:
        raise PeerError(Code.TOO_LARGE, f"a content of {len(content)} bytes")
    return content
